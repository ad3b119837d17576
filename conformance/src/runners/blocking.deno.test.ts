/** Blocking connections, in Deno. */

import { connect } from "@leveret/deno/blocking";
import { registerBlockingCases } from "../testing/register-blocking.ts";

registerBlockingCases(connect);
