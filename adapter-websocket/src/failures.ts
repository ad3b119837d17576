/** What a WebSocket's failures are called. A browser says little of them, on purpose: a page could probe a network. */

import { TransportError } from "@leveret/core/client";
import { heldLimit } from "./holding.ts";

/** Of those that an application may use (RFC 6455, 7.4.2): the owner aborted. It tells a relay to drop the broker's side too. */
export const codeAborted = 4000;

/** It did not open, or it was open and broke. */
export function broken(wasOpen: boolean, failure: unknown): TransportError {
  // What a runtime says may quote the URL, as Bun does, and a URL may have a token in it.
  const said = failure instanceof Error ? failure.message : String(failure);
  const shown = said.replace(/wss?:[^ ']+/g, "…");
  const cause = shown === said ? failure : new Error(shown);
  const words = failure === undefined ? "" : `: ${shown}`;
  return wasOpen
    ? new TransportError("WEBSOCKET_CLOSED", `the WebSocket broke${words}`, { cause })
    : new TransportError("WEBSOCKET_HANDSHAKE", `the WebSocket did not open${words}`, { phase: "tcp", cause });
}

/** It was open, and was ended with a closing handshake. Undefined when that was in order. */
export function closeCause(code: number, reason: string): TransportError | undefined {
  // 1005: the peer ended it in order, without saying a code.
  if (code === 1000 || code === 1005) return undefined;
  const words = reason === "" ? "" : `: ${reason}`;
  return new TransportError("WEBSOCKET_CLOSED", `the WebSocket was closed with code ${code}${words}`);
}

/** The peer ended in order, but what it said last is not known to have arrived. */
export function tailLost(): TransportError {
  return new TransportError("WEBSOCKET_CLOSED", "the peer ended while the stream was paused; its last words are lost");
}

/** The owner has paused for too long. */
export function tooMuchHeld(): TransportError {
  const message = `more than ${heldLimit} bytes came while the stream was paused; limit the prefetch`;
  return new TransportError("TRANSPORT_FAILED", message);
}

/** AMQP is bytes. */
export function textReceived(): TransportError {
  return new TransportError("TRANSPORT_FAILED", "the peer sent a text message; AMQP is bytes");
}
