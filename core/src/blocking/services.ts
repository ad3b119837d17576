/** What blocking needs of a runtime. */

import type { Millis } from "../engine/config.ts";
import type { ThreadPort } from "../threads/port.ts";
import { ThreadError } from "../threads/thread-error.ts";

/** What the worker with the connection is started with. */
export interface WorkerData {
  readonly port: ThreadPort;
  readonly state: SharedArrayBuffer;
}

/** A worker that runs. */
export interface StartedWorker {
  /** This thread's end. */
  readonly port: ThreadPort;
  /** Ends the worker, whatever it does. */
  terminate(): void;
}

/** The services of a runtime for a thread that blocks. */
export interface BlockingServices {
  /** The runtime, as in `IoServices`. */
  readonly runtime: string;
  /** A monotonic clock. */
  now(): Millis;
  /**
   * Starts the worker. It must not keep the process alive.
   *
   * @throws ThreadError WORKER_LOST when it can be told at once that it cannot start.
   */
  startWorker(state: SharedArrayBuffer): StartedWorker;
  /** A channel between two threads. */
  messageChannel(): { readonly port1: ThreadPort; readonly port2: ThreadPort };
  /** Takes a message out of a port, without waiting. */
  receive(port: ThreadPort): { readonly message: unknown } | undefined;
}

/** The error of a worker whose program is not where it should be. @param program - Its URL. */
export function missingProgram(program: string): ThreadError {
  const message =
    `The worker's program is missing: ${program}. A bundler has to leave the package alone, or to copy the program ` +
    "beside the bundle";
  return new ThreadError("WORKER_LOST", message, { outcome: "not-sent" });
}
