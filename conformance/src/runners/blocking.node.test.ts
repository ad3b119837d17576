/** Blocking connections, in Node. */

import { connect } from "@leveret/node/blocking";
import { registerBlockingCases } from "../testing/register-blocking.ts";

registerBlockingCases(connect);
