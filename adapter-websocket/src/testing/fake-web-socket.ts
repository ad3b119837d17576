/** A WebSocket that a test drives. */

import type { CloseLike, WebSocketLike } from "../standard-types.ts";

type Listener = (event: { data: unknown } & CloseLike) => void;

export class FakeWebSocket implements WebSocketLike {
  static last: FakeWebSocket;
  binaryType = "blob";
  bufferedAmount = 0;
  readonly url: string;
  readonly protocols: string[];
  readonly sent: Uint8Array[] = [];
  readonly closes: (readonly [number | undefined, string | undefined])[] = [];
  readonly #listeners = new Map<string, Listener>();

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
    FakeWebSocket.last = this;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, listener);
  }

  send(data: Uint8Array): void {
    this.sent.push(data);
    this.bufferedAmount += data.length;
  }

  close(code?: number, reason?: string): void {
    this.closes.push([code, reason]);
  }

  /** Lets an event happen. */
  emit(type: "open" | "message" | "error" | "close", event: object = {}): void {
    this.#listeners.get(type)?.(event as { data: unknown } & CloseLike);
  }
}
