/**
 * Finds clients that are gone without a word.
 *
 * A client that sends anything is alive; one that does not is sent a ping, which every WebSocket answers by itself, also
 * in a background tab.
 */

import type { WebSocket } from "ws";
import { type Clock, type Millis, QuietTimer } from "./clock.ts";

export interface LivenessTimeouts {
  /** Silence after which a ping is sent. 0: none is. */
  readonly pingInterval: Millis;
  /** Silence after a ping that means that the client is gone. */
  readonly pongTimeout: Millis;
}

export class Liveness {
  readonly #quiet: QuietTimer;
  readonly #clock: Clock;
  readonly #client: WebSocket;
  readonly #pongTimeout: Millis;
  readonly #lost: () => void;
  #heard = false;
  #cancelPong: (() => void) | undefined;

  constructor(client: WebSocket, clock: Clock, timeouts: LivenessTimeouts, lost: () => void) {
    this.#client = client;
    this.#clock = clock;
    this.#pongTimeout = timeouts.pongTimeout;
    this.#lost = lost;
    this.#quiet = new QuietTimer(clock, timeouts.pingInterval, () => this.#ping());
    client.on("pong", () => this.heard());
  }

  /** The client sent something. */
  heard(): void {
    this.#heard = true;
    this.#quiet.touch();
  }

  stop(): void {
    this.#quiet.stop();
    this.#cancelPong?.();
  }

  #ping(): void {
    this.#heard = false;
    this.#client.ping();
    this.#cancelPong = this.#clock.setTimer(this.#pongTimeout, () => {
      // Nothing can be heard of a client that we do not read, and no answer expected to a ping that waits behind data
      // which the client does not take: the idle timeout is there for both.
      const cannotTell = this.#client.isPaused || this.#client.bufferedAmount > 0;
      if (this.#heard || cannotTell) this.#quiet.restart();
      else this.#lost();
    });
  }
}
