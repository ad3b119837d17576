/** Worker threads, in Bun. */

import { bunIo } from "@leveret/bun";
import { registerThreads } from "../testing/register-threads.ts";

registerThreads(bunIo());
