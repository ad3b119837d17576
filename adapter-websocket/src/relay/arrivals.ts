/**
 * Connections from their first packet until they are WebSockets: how many an address may have, and for how long.
 * The limits on WebSockets do not see them, so without these one address could hold all that the server takes.
 */

import type { Socket } from "node:net";
import type { AddressRate } from "./address-rate.ts";
import { type Clock, type Millis, startTimeout } from "./clock.ts";
import { clientGroup } from "./ip-address.ts";
import { Tally } from "./tally.ts";
import type { ProxyEnd } from "./write-proxy-header.ts";

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
  /** Whose connection it is, as far as is known without a request. */
  readonly peer: ProxyEnd;
  /** Whether the peer brings many clients: it did not count, and names the client in a request. */
  readonly isOfProxy: boolean;
  /** Aborted when the connection is gone, or its time is over. */
  readonly signal: AbortSignal;
  /** It is no arrival any more, but a WebSocket. */
  upgraded(): void;
}

interface Waiting extends Arrival {
  readonly socket: Socket;
  peer: ProxyEnd;
  isOfProxy: boolean;
  /** Under which it is counted. */
  group: string;
  /** It has asked for an upgrade, and is answered when its time is over; others are just cut off. */
  asked: boolean;
  abort(): void;
}

export class Arrivals {
  readonly #limits: ArrivalLimits;
  readonly #rate: AddressRate;
  readonly #clock: Clock;
  readonly #byEnds = new Map<string, Waiting>();
  readonly #byAddress = new Tally();

  constructor(limits: ArrivalLimits, rate: AddressRate, clock: Clock) {
    this.#limits = limits;
    this.#rate = rate;
    this.#clock = clock;
  }

  /** Counts a connection in, or says why it is to be dropped. */
  arrived(socket: Socket): ArrivalRefusal | undefined {
    const { timeout, isProxy } = this.#limits;
    const peer = endOf(socket);
    const isOfProxy = isProxy(peer.address);
    const refusal = isOfProxy ? undefined : this.#refusalOf(peer);
    if (refusal !== undefined) return refusal;

    const gone = new AbortController();
    const ends = endsOf(socket);
    let isHere = true;
    const leave = (): void => {
      if (!isHere) return;
      isHere = false;
      stopTimer();
      // One from the same port may have come before it was seen that this one is gone.
      if (this.#byEnds.get(ends) === waiting) this.#byEnds.delete(ends);
      this.#byAddress.remove(waiting.group);
    };
    const waiting: Waiting = {
      socket,
      peer,
      isOfProxy,
      group: clientGroup(peer.address),
      asked: false,
      signal: gone.signal,
      upgraded: leave,
      abort: () => gone.abort(),
    };
    const timeIsOver = (): void => {
      gone.abort();
      if (!waiting.asked) socket.destroy();
    };
    const stopTimer = startTimeout(this.#clock, timeout, timeIsOver);
    this.#byAddress.add(waiting.group);
    this.#byEnds.set(ends, waiting);
    socket.once("close", () => {
      leave();
      gone.abort();
    });
    return undefined;
  }

  /**
   * Counts a connection that its proxy has named the client of, or says why it is to be dropped.
   *
   * @param client Undefined: it named nobody, and is itself the client. Then what its requests say is said by whoever is
   * behind it, and not believed.
   */
  named(socket: Socket, client: ProxyEnd | undefined): ArrivalRefusal | undefined {
    const waiting = this.#byEnds.get(endsOf(socket));
    if (waiting === undefined) return undefined;
    this.#byAddress.remove(waiting.group);
    waiting.peer = client ?? waiting.peer;
    waiting.isOfProxy = client !== undefined && this.#limits.isProxy(client.address);
    const refusal = waiting.isOfProxy ? undefined : this.#refusalOf(waiting.peer);
    waiting.group = clientGroup(waiting.peer.address);
    this.#byAddress.add(waiting.group);
    return refusal;
  }

  /** Whether a connection is of a proxy's, see {@link Arrival}. */
  isOfProxy(socket: Socket): boolean {
    return this.#byEnds.get(endsOf(socket))?.isOfProxy === true;
  }

  /** The one that asks for an upgrade. Undefined when it has gone. @param socket With TLS not the one that arrived. */
  asking(socket: Socket): Arrival | undefined {
    const waiting = this.#byEnds.get(endsOf(socket));
    if (waiting !== undefined) waiting.asked = true;
    return waiting;
  }

  #refusalOf({ address }: ProxyEnd): ArrivalRefusal | undefined {
    if (this.#byAddress.isFull(clientGroup(address), this.#limits.maxPerAddress)) return "too-many-of-address";
    return this.#rate.tryTake(address) ? undefined : "too-fast-of-address";
  }

  /** Takes their time from those that have asked, and are waiting for an answer. */
  abort(): void {
    for (const waiting of this.#byEnds.values()) waiting.abort();
  }

  /** Cuts off those that have not asked. */
  drop(): void {
    for (const { asked, socket } of this.#byEnds.values()) if (!asked) socket.destroy();
  }
}

/** The other end of a connection. */
export function endOf({ remoteAddress = "", remotePort = 0 }: Socket): ProxyEnd {
  return { address: remoteAddress, port: remotePort };
}

/** Names a connection; there is no other with these ends while it lives. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
