/** What a pool needs of a worker, whatever the runtime calls it. */

import type { PortListener } from "./port.ts";

/** A worker: `Worker` of the web, of `node:worker_threads`, of Deno or Bun. */
export interface WorkerLike {
  /** Sends a value to the worker. */
  postMessage(message: unknown, transfer: never[]): void;
  /** Ends the worker, whatever it does. */
  terminate(): unknown;
  /** As on the web. */
  addEventListener?(type: string, listener: PortListener): void;
  /** As in Node. */
  on?(event: string, listener: (value: unknown) => void): unknown;
}

/** The global scope of a worker, or Node's `parentPort`: where its first message arrives. */
export interface WorkerScope {
  /** Calls the listener when that happens. */
  addEventListener(type: string, listener: PortListener): void;
  /** Removes a listener. */
  removeEventListener(type: string, listener: PortListener): void;
}

/** What a worker is given to begin with. */
export interface WorkerStart<Port> {
  readonly leveretPool: number;
  readonly port: Port;
}

/** Calls `failed` when a worker throws what nobody catches, or ends. */
export function onWorkerEnd(worker: WorkerLike, failed: (cause: unknown) => void): void {
  if (worker.on !== undefined) {
    worker.on("error", (error: unknown) => failed(error));
    worker.on("exit", (code: unknown) => failed(new Error(`The worker ended with code ${String(code)}`)));
    return;
  }
  worker.addEventListener?.("error", (event: { error?: unknown; message?: string }) => {
    failed(event.error ?? new Error(event.message ?? "The worker failed"));
  });
  // Of Bun.
  worker.addEventListener?.("close", () => failed(new Error("The worker ended")));
}
