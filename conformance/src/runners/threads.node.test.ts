/** Worker threads, in Node. */

import { nodeIo } from "@leveret/node";
import { registerThreads } from "../testing/register-threads.ts";

registerThreads(nodeIo());
