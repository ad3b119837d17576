/** What blocking needs, of Node's worker threads. */

import { existsSync } from "node:fs";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { type BlockingServices, missingProgram } from "@leveret/core/blocking/adapter";
import { workerArguments } from "./worker-options.ts";

/** The services of Node for a thread that blocks. @param program - The worker's program. */
export function nodeBlocking(program: URL): BlockingServices {
  return {
    runtime: `node ${process.version}`,
    now: () => performance.now(),
    messageChannel: () => new MessageChannel(),
    receive: (port) => receiveMessageOnPort(port as unknown as MessagePort),
    startWorker: (state) => {
      // A worker that finds no program dies unheard: who blocks would wait for it.
      if (program.protocol === "file:" && !existsSync(program)) throw missingProgram(program.href);
      const { port1, port2 } = new MessageChannel();
      const execArgv = workerArguments(process.execArgv);
      const worker = new Worker(program, {
        workerData: { port: port2, state },
        transferList: [port2],
        ...(execArgv === undefined ? {} : { execArgv }),
      });
      worker.unref();
      // What it died of arrives with the event loop; the blocked thread hears of it by the shared state.
      worker.on("error", () => {});
      return { port: port1, terminate: () => void worker.terminate() };
    },
  };
}
