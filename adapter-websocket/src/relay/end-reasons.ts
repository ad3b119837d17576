/** Why a relayed connection ends, and what either side is told. */

export interface End {
  /** The close code for the client (RFC 6455, 7.4); 0: not even that, the client is gone or would not listen. */
  readonly code: number;
  /** The text for the client, at most 123 bytes. */
  readonly text: string;
  /** Whether the upstream still gets what the client had sent; else it is cut off. */
  readonly flush: boolean;
}

export type EndReason =
  | "client-closed"
  | "client-lost"
  | "client-error"
  | "client-silent"
  | "text-message"
  | "not-amqp"
  | "header-timeout"
  | "idle-timeout"
  | "lifetime-over"
  | "upstream-unreachable"
  | "upstream-closed"
  | "upstream-failed"
  | "drained";

export const ends: Readonly<Record<EndReason, End>> = {
  "client-closed": { code: 0, text: "", flush: true },
  /** Its connection broke, or it closed with a code that says it failed. */
  "client-lost": { code: 0, text: "", flush: false },
  /** It broke a rule of WebSocket, or sent a message that is too long; `ws` has told it so. */
  "client-error": { code: 0, text: "", flush: false },
  /** No sign of life, not even an answer to a ping. */
  "client-silent": { code: 0, text: "", flush: false },
  "text-message": { code: 1003, text: "AMQP takes binary messages", flush: false },
  "not-amqp": { code: 1002, text: "this is not the protocol header of AMQP 0-9-1", flush: false },
  "header-timeout": { code: 1008, text: "the protocol header of AMQP did not come in time", flush: false },
  "idle-timeout": { code: 1008, text: "nothing was sent for too long", flush: false },
  "lifetime-over": { code: 1008, text: "the time of this connection is over", flush: true },
  "upstream-unreachable": { code: 1013, text: "the broker cannot be reached", flush: false },
  "upstream-closed": { code: 1000, text: "", flush: true },
  "upstream-failed": { code: 1011, text: "the connection to the broker failed", flush: false },
  drained: { code: 1001, text: "the relay is shutting down", flush: true },
};

/** Close codes of a client that ended in order: normally, by leaving the page, or without saying a code. */
export function isOrderly(code: number): boolean {
  return code === 1000 || code === 1001 || code === 1005;
}
