/** A request and its place in the queue of a channel. */

import type { Arguments, RequestName } from "../wire/method-types.ts";

/** A synchronous method that a client sent or will send. Every request ends exactly once: in its reply, or with its channel. */
export interface Request<M extends RequestName = RequestName> {
  readonly method: M;
  /** 0 for a request of the connection. */
  readonly channel: number;
  /** Whether its bytes were put into the output. A request that was not sent had no effect on the server. */
  readonly sent: boolean;
}

/** A request as its owner keeps it. */
export class PendingRequest<M extends RequestName = RequestName> implements Request<M> {
  readonly method: M;
  readonly channel: number;
  readonly fields: Arguments<M>;
  /** Whether the server was asked to send no reply. */
  readonly noWait: boolean;
  /** The encoded frame of a request that waits: it was checked at the call, and is sent as it was then. */
  frames: readonly Uint8Array[] | undefined;
  sent = false;
  /** Answered, or given up: its deadline means nothing any more. */
  ended = false;

  constructor(method: M, channel: number, fields: Arguments<M>) {
    this.method = method;
    this.channel = channel;
    this.fields = fields;
    this.noWait = "noWait" in fields && fields.noWait === true;
  }
}
