/** The worker that has the connection of a thread that blocks. */

import { workerData } from "node:worker_threads";
import { endBlocking, serveBlocking, type WorkerData } from "@leveret/core/blocking/adapter";
import { connect } from "../connect.ts";

const data = workerData as WorkerData;
process.on("exit", () => endBlocking(data));
serveBlocking(data, connect);
