/** A thread that calls a callback of a blocking connection. */

import { parentPort, workerData } from "node:worker_threads";
import { CallbackCaller, type CallbackHandle } from "@leveret/core/blocking";

const { handle, values } = workerData as { handle: CallbackHandle; values: readonly unknown[] };
const caller = new CallbackCaller(handle);
for (const value of values) caller.call(value);
parentPort?.close();
