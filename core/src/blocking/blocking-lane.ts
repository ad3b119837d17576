/** One channel's way to the thread that has the connection: its calls, and what it was given and has not settled. */

import { type EndError, endedWith, SettlementError } from "../client/errors.ts";
import type { SettleResult } from "../client/settlement.ts";
import { ChannelError, ConnectionError } from "../engine/errors.ts";
import type { PlainCall } from "../threads/channel-service.ts";
import { Outstanding } from "../threads/lent-message.ts";
import type { Verb } from "../threads/protocol.ts";
import type { BlockingSettler } from "./blocking-delivery.ts";
import type { BlockingOptions } from "./blocking-options.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { SyncPort } from "./sync-port.ts";

/** What a channel needs of its connection. */
export interface BlockingHost {
  readonly port: SyncPort;
  readonly dispatcher: Dispatcher;
  /** Waits until `until` holds, calling what waits to be called; false when `limit` came first. */
  pumpUntil(until: () => boolean, limit: number): boolean;
  /** A channel is closed, and nobody has to be told. */
  forget(lane: number): void;
}

export class BlockingLane implements BlockingSettler {
  readonly host: BlockingHost;
  readonly number: number;
  readonly outstanding: Outstanding = new Outstanding();
  /** The channel's number at the server. */
  readonly #channel: number;
  /** Why the channel is closed, where it was not this client that closed it. */
  end: Error | undefined;
  isClosed = false;
  /** Whether the application has heard of the end. */
  #endTold = false;

  constructor(host: BlockingHost, number: number, channel: number) {
    this.host = host;
    this.number = number;
    this.#channel = channel;
  }

  call(method: PlainCall | "basicRecover", options: BlockingOptions): unknown {
    return this.ask((port) => port.call(this.number, method, options, { timeout: options.timeout }));
  }

  /**
   * Makes a call; when it fails with the end of the channel, the application has heard of that.
   *
   * @throws What closed the channel: the worker knows nothing of it any more.
   */
  ask<T>(call: (port: SyncPort) => T): T {
    const { port } = this.host;
    if (this.isClosed) {
      port.requireWorker();
      this.#told();
      throw this.#ended();
    }
    try {
      return call(port);
    } catch (error) {
      if (error instanceof ChannelError) this.#told();
      throw error;
    }
  }

  /** The channel is closed: the worker, which still answers what was asked before, may forget it. */
  closed(end: Error | undefined): void {
    this.isClosed = true;
    this.end = end;
    this.outstanding.clear();
    this.host.port.removeLane(this.number);
    this.host.port.outbox.post({ type: "done", lane: this.number, tag: 0 });
    this.host.port.outbox.flush();
    if (end === undefined || this.#endTold) this.host.forget(this.number);
  }

  /** The application has heard why the channel ended. */
  #told(): void {
    this.#endTold = true;
    if (this.isClosed) this.host.forget(this.number);
  }

  #ended(): Error {
    const end = this.end ?? new ChannelError("CHANNEL_CLOSED", `Channel ${this.#channel} was closed by the client`);
    const isEnd = end instanceof ChannelError || end instanceof ConnectionError;
    return isEnd ? endedWith(end as EndError, "not-sent") : end;
  }

  /** Throws the channel's end, where it has one. */
  throwEnd(): void {
    if (this.end === undefined) return;
    this.#told();
    throw this.end;
  }

  /** The channel's end, if nobody has been told of it yet. */
  takeUntoldEnd(): Error | undefined {
    if (this.#endTold) return undefined;
    this.#endTold = this.end !== undefined;
    return this.end;
  }

  isStale(tag: number): boolean {
    return this.outstanding.isStale(tag);
  }

  isOutstanding(tag: number): boolean {
    return this.outstanding.has(tag);
  }

  settle(verb: Verb, tag: number, multiple: boolean, requeue: boolean): SettleResult {
    const { port } = this.host;
    if (this.isClosed) {
      port.requireWorker();
      throw new SettlementError("STALE_DELIVERY", tag);
    }
    const result = port.ask(this.number, `basic.${verb}`, (id) => {
      port.outbox.post({ type: "settle", lane: this.number, id, verb, tag, multiple, requeue });
    });
    this.outstanding.settled(tag, multiple);
    return result as SettleResult;
  }

  /** Gives a message back that nobody has seen, without waiting for an answer. */
  giveBack(tag: number): void {
    const { port } = this.host;
    if (this.isClosed) return;
    this.outstanding.settled(tag, false);
    port.outbox.post({ type: "settle", lane: this.number, id: 0, verb: "nack", tag, multiple: false, requeue: true });
  }
}
