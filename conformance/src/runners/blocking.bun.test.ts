/** Blocking connections, in Bun. */

import { connect } from "@leveret/bun/blocking";
import { registerBlockingCases } from "../testing/register-blocking.ts";

registerBlockingCases(connect);
