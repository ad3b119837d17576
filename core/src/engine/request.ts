/** A request and its place in the queue of a channel. */

import type { Arguments, RequestName } from "../wire/method-types.ts";

/** A synchronous method that a client sent or will send. Every request ends exactly once: in its reply, or with its channel. */
export interface Request<M extends RequestName = RequestName> {
  readonly method: M;
  /** 0 for a request of the connection. */
  readonly channel: number;
  /** Whether its bytes were put into the output. A request that was not sent had no effect on the server. */
  readonly sent: boolean;
  /** Whatever who made the request wants to find with its end. The engine does not look at it. */
  context: unknown;
}

/** A request as its owner keeps it. It does not keep its fields: they may hold a secret, and events show requests to everyone. */
export class PendingRequest<M extends RequestName = RequestName> implements Request<M> {
  readonly method: M;
  readonly channel: number;
  /** Whether the server was asked to send no reply. */
  readonly noWait: boolean;
  sent = false;
  /** Answered, or given up: its deadline means nothing any more. */
  ended = false;
  context: unknown = undefined;

  constructor(method: M, channel: number, noWait = false) {
    this.method = method;
    this.channel = channel;
    this.noWait = noWait;
  }
}

/** Whether the fields of a method ask for no reply. */
export function asksForNoReply(fields: Arguments<RequestName>): boolean {
  return (fields as { readonly noWait?: unknown } | undefined)?.noWait === true;
}
