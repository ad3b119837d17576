/**
 * Connections from their first packet until they are WebSockets: how many an address may have, and for how long.
 * The limits on WebSockets do not see them, so without these one address could hold all that the server takes.
 */

import type { Socket } from "node:net";
import type { AddressRate } from "./address-rate.ts";
import type { Clock, Millis } from "./clock.ts";
import { clientGroup } from "./ip-address.ts";

export interface ArrivalLimits {
  /** 0 for no limit. */
  readonly maxPerAddress: number;
  /** From the first packet on, TLS included; 0 for ever. */
  readonly timeout: Millis;
  /** Whether the connections of many clients come from there. */
  readonly isProxy: (address: string) => boolean;
}

/** Why a connection is dropped as it comes. */
export type ArrivalRefusal = "too-many-of-address" | "too-fast-of-address";

/** A connection that is no WebSocket yet. */
export interface Arrival {
  /** Whether the connections of many clients come from there; then its own did not count. */
  readonly isOfProxy: boolean;
  /** Aborted when the connection is gone, or its time is over. */
  readonly signal: AbortSignal;
  /** It is no arrival any more, but a WebSocket. */
  upgraded(): void;
}

interface Waiting extends Arrival {
  readonly socket: Socket;
  /** It has asked for an upgrade, and is answered when its time is over; others are just cut off. */
  asked: boolean;
  abort(): void;
}

export class Arrivals {
  readonly #limits: ArrivalLimits;
  readonly #rate: AddressRate;
  readonly #clock: Clock;
  readonly #byEnds = new Map<string, Waiting>();
  readonly #byAddress = new Map<string, number>();

  constructor(limits: ArrivalLimits, rate: AddressRate, clock: Clock) {
    this.#limits = limits;
    this.#rate = rate;
    this.#clock = clock;
  }

  /** Counts a connection in, or says why it is to be dropped. */
  arrived(socket: Socket): ArrivalRefusal | undefined {
    const { maxPerAddress, timeout, isProxy } = this.#limits;
    const address = socket.remoteAddress ?? "";
    const group = clientGroup(address);
    const before = this.#byAddress.get(group) ?? 0;
    const isOfProxy = isProxy(address);
    if (!isOfProxy) {
      if (maxPerAddress > 0 && before >= maxPerAddress) return "too-many-of-address";
      if (!this.#rate.tryTake(address)) return "too-fast-of-address";
    }

    const gone = new AbortController();
    const ends = endsOf(socket);
    let isHere = true;
    const leave = (): void => {
      if (!isHere) return;
      isHere = false;
      stopTimer();
      // One from the same port may have come before it was seen that this one is gone.
      if (this.#byEnds.get(ends) === waiting) this.#byEnds.delete(ends);
      const left = (this.#byAddress.get(group) ?? 0) - 1;
      if (left === 0) this.#byAddress.delete(group);
      else this.#byAddress.set(group, left);
    };
    const waiting: Waiting = {
      socket,
      isOfProxy,
      asked: false,
      signal: gone.signal,
      upgraded: leave,
      abort: () => gone.abort(),
    };
    const timeIsOver = (): void => {
      gone.abort();
      if (!waiting.asked) socket.destroy();
    };
    const stopTimer = timeout > 0 ? this.#clock.setTimer(timeout, timeIsOver) : () => {};
    this.#byAddress.set(group, before + 1);
    this.#byEnds.set(ends, waiting);
    socket.once("close", () => {
      leave();
      gone.abort();
    });
    return undefined;
  }

  /** The one that asks for an upgrade. Undefined when it has gone. @param socket With TLS not the one that arrived. */
  asking(socket: Socket): Arrival | undefined {
    const waiting = this.#byEnds.get(endsOf(socket));
    if (waiting !== undefined) waiting.asked = true;
    return waiting;
  }

  /** Takes their time from those that have asked. */
  abort(): void {
    for (const waiting of this.#byEnds.values()) if (waiting.asked) waiting.abort();
  }

  /** Cuts off those that have not asked. */
  drop(): void {
    for (const { asked, socket } of this.#byEnds.values()) if (!asked) socket.destroy();
  }
}

/** Names a connection; there is no other with these ends while it lives. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
