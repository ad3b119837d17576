/** Worker threads, in Deno. */

import { denoIo } from "@leveret/deno";
import { registerThreads } from "../testing/register-threads.ts";

registerThreads(denoIo());
