/** What a WebSocket's failures are called. A browser says little of them, on purpose: a page could probe a network. */

import { TransportError } from "@leveret/core/client";

/** Of those that an application may use (RFC 6455, 7.4.2): the owner aborted. It tells a relay to drop the broker's side too. */
export const codeAborted = 4000;

/** What is kept of a URL in an error: neither user nor query, where tokens are. */
export function showUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** It never opened. */
export function handshakeFailed(url: string, cause: unknown): TransportError {
  const message = `the WebSocket ${showUrl(url)} did not open`;
  return new TransportError("WEBSOCKET_HANDSHAKE", message, { phase: "tcp", cause });
}

/** It was open, and has ended. Undefined when it ended in order. */
export function closeCause(code: number, reason: string, wasClean: boolean): TransportError | undefined {
  // 1005: the peer ended it in order, without saying a code.
  if (wasClean && (code === 1000 || code === 1005)) return undefined;
  if (!wasClean) return broke(undefined);
  const words = reason === "" ? "" : `: ${reason}`;
  return new TransportError("WEBSOCKET_CLOSED", `the WebSocket was closed with code ${code}${words}`);
}

/** It was open, and broke. */
export function broke(cause: unknown): TransportError {
  return new TransportError("WEBSOCKET_CLOSED", "the WebSocket broke", { cause });
}

/** The peer ended in order, but what it said last is not known to have arrived. */
export function tailLost(): TransportError {
  return new TransportError(
    "WEBSOCKET_CLOSED",
    "the peer ended while the stream was paused; what it said last is lost",
  );
}

/** The owner has paused for too long. */
export function tooMuchHeld(limit: number): TransportError {
  const message = `more than ${limit} bytes came while the stream was paused; limit the prefetch`;
  return new TransportError("TRANSPORT_FAILED", message);
}

/** AMQP is bytes. */
export function textReceived(): TransportError {
  return new TransportError("TRANSPORT_FAILED", "the peer sent a text message; AMQP takes binary messages");
}
