/** The worker that has the connection of a thread that blocks. */

import { workerData } from "node:worker_threads";
import { endBlocking, serveBlocking, type WorkerData } from "@leveret/core/blocking/adapter";
import { connect } from "../connect.ts";

const data = workerData as WorkerData;
const scope = globalThis as unknown as EventTarget;
for (const type of ["error", "unhandledrejection"]) scope.addEventListener(type, () => endBlocking(data));
serveBlocking(data, connect);
