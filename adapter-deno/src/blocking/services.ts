/** What blocking needs, of Deno's worker threads, by the names that Node gave them. */

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { BlockingServices } from "@leveret/core/blocking/adapter";

/** The services of Deno for a thread that blocks. @param program - The worker's program. */
export function denoBlocking(program: URL): BlockingServices {
  return {
    runtime: `deno ${Deno.version.deno}`,
    now: () => performance.now(),
    messageChannel: () => new MessageChannel(),
    receive: (port) => receiveMessageOnPort(port as unknown as MessagePort),
    startWorker: (state) => {
      const { port1, port2 } = new MessageChannel();
      const worker = new Worker(program, { workerData: { port: port2, state }, transferList: [port2] });
      worker.unref();
      // What it died of arrives with the event loop; the blocked thread hears of it by the shared state.
      worker.on("error", () => {});
      return { port: port1, terminate: () => void worker.terminate() };
    },
  };
}
