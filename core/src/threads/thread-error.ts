/** What can go wrong between two threads. */

import { AmqpError, type AmqpErrorOptions } from "../wire/errors.ts";

/** What a {@link ThreadError} can be about. */
export type ThreadErrorCode =
  /** The port was closed, or the thread at its other end is gone. */
  | "PORT_CLOSED"
  /** A worker ended, or failed, while messages were with it: they went back to their queue. */
  | "WORKER_LOST"
  /** What sits at the other end is no Leveret, or another release of it that speaks differently. */
  | "WRONG_PEER";

/** Two threads lost each other, or never found together. */
export class ThreadError extends AmqpError {
  override name = "ThreadError";
  declare readonly code: ThreadErrorCode;

  constructor(code: ThreadErrorCode, message: string, options?: AmqpErrorOptions) {
    super(code, message, options);
  }

  /** A new worker may do what this one did not. */
  override get retryable(): boolean {
    return this.code !== "WRONG_PEER";
  }
}
