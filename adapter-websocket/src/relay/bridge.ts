/**
 * Carries bytes between a WebSocket and a socket, with backpressure both ways: who cannot be written to is why the
 * other is not read. What waits in between is bounded by the marks below, one message and one read of the kernel's.
 */

import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Clock, Millis } from "./clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Reading the upstream stops above the first mark, and goes on below the second. */
export const highWater: number = 1024 * 1024;
export const lowWater: number = highWater / 2;
/** The same in messages: of small ones, what it takes to keep them is far more than their bytes. */
export const highTide: number = 4_096;
export const lowTide: number = highTide / 2;

/**
 * What a message counts for at least where a client's rate is limited, in bytes: an empty one, or a ping, costs the relay
 * no less than a small one.
 */
export const leastCharge = 64;

/** `up`: from the client to the upstream. */
export type Direction = "up" | "down";

export interface BridgeObserver {
  /** Bytes came in, to go in this direction. */
  carried(direction: Direction, bytes: number): void;
  /** Bytes have left. */
  moved(): void;
  /** Reading had stopped for so long because the other side did not take more. */
  stalled(direction: Direction, duration: Millis): void;
}

export class Bridge {
  readonly #client: WebSocket;
  readonly #upstream: Socket;
  readonly #clock: Clock;
  readonly #observer: BridgeObserver;
  readonly #rate: TokenBucket;
  #cancelThrottle: (() => void) | undefined;
  #upstreamFullSince: Millis | undefined;
  #clientFullSince: Millis | undefined;
  /** Messages to the client that have not left. */
  #waiting = 0;

  /** @param bytesPerSecond What the client may send, 0 for no limit. */
  constructor(client: WebSocket, upstream: Socket, clock: Clock, bytesPerSecond: number, observer: BridgeObserver) {
    this.#client = client;
    this.#upstream = upstream;
    this.#clock = clock;
    this.#observer = observer;
    this.#rate = new TokenBucket(clock, bytesPerSecond);
    upstream.on("data", this.#down);
    upstream.on("drain", () => this.#upstreamDrained());
  }

  /** Sends a message of the client's on. One that comes after the client was paused was on its way already. */
  up(message: Uint8Array): void {
    this.#observer.carried("up", message.length);
    if (!this.#upstream.write(message)) this.#upstreamFullSince ??= this.#clock.now();
    this.charge(message.length);
  }

  /** Counts what the client has sent against its rate, also what is not sent on. */
  charge(bytes: number): void {
    const wait = this.#rate.take(Math.max(bytes, leastCharge));
    if (wait > 0) {
      this.#cancelThrottle?.();
      this.#cancelThrottle = this.#clock.setTimer(wait, () => {
        this.#cancelThrottle = undefined;
        this.#readClientOrNot();
      });
    }
    this.#readClientOrNot();
  }

  /** Whether the client is not being read, for whatever reason. */
  get holdsClient(): boolean {
    return this.#upstreamFullSince !== undefined || this.#cancelThrottle !== undefined;
  }

  /** Carries nothing more. */
  stop(): void {
    this.#upstream.off("data", this.#down);
    this.#cancelThrottle?.();
    this.#cancelThrottle = undefined;
    this.#endStall("up", this.#upstreamFullSince);
    this.#upstreamFullSince = undefined;
    this.#endStall("down", this.#clientFullSince);
    this.#clientFullSince = undefined;
  }

  #upstreamDrained(): void {
    this.#observer.moved();
    this.#endStall("up", this.#upstreamFullSince);
    this.#upstreamFullSince = undefined;
    this.#readClientOrNot();
  }

  #readClientOrNot(): void {
    if (this.holdsClient) this.#client.pause();
    else if (this.#client.isPaused) this.#client.resume();
  }

  readonly #down = (chunk: Buffer): void => {
    this.#observer.carried("down", chunk.length);
    this.#waiting += 1;
    this.#client.send(chunk, { binary: true }, (error) => {
      this.#waiting -= 1;
      if (!error) this.#clientDrained();
    });
    const isFull = this.#client.bufferedAmount > highWater || this.#waiting > highTide;
    if (isFull && this.#clientFullSince === undefined) {
      this.#clientFullSince = this.#clock.now();
      this.#upstream.pause();
    }
  };

  /** Called for every message that has left. */
  #clientDrained(): void {
    this.#observer.moved();
    if (this.#clientFullSince === undefined) return;
    if (this.#client.bufferedAmount > lowWater || this.#waiting > lowTide) return;
    this.#endStall("down", this.#clientFullSince);
    this.#clientFullSince = undefined;
    this.#upstream.resume();
  }

  #endStall(direction: Direction, since: Millis | undefined): void {
    if (since !== undefined) this.#observer.stalled(direction, this.#clock.now() - since);
  }
}
