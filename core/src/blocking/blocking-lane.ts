/** One channel's way to the thread that has the connection: its calls, and what it was given and has not settled. */

import type { SettleResult } from "../client/settlement.ts";
import { ChannelError } from "../engine/errors.ts";
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
}

export class BlockingLane implements BlockingSettler {
  readonly host: BlockingHost;
  readonly number: number;
  readonly outstanding: Outstanding = new Outstanding();
  /** Why the channel is closed, where it was not this client that closed it. */
  end: Error | undefined;
  isClosed = false;
  /** Whether the application has heard of the end. */
  #endTold = false;

  constructor(host: BlockingHost, number: number) {
    this.host = host;
    this.number = number;
  }

  call(method: PlainCall | "basicRecover", options: BlockingOptions): unknown {
    return this.telling(() => this.host.port.call(this.number, method, options, { timeout: options.timeout }));
  }

  /** Makes a call; when it fails with the end of the channel, the application has heard of that. */
  telling<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      if (error instanceof ChannelError) this.#endTold = true;
      throw error;
    }
  }

  /** Throws the channel's end, where it has one. */
  throwEnd(): void {
    if (this.end === undefined) return;
    this.#endTold = true;
    throw this.end;
  }

  /** The channel's end, if nobody has been told of it yet. */
  takeUntoldEnd(): Error | undefined {
    if (this.#endTold) return undefined;
    this.#endTold = this.end !== undefined;
    return this.end;
  }

  isOutstanding(tag: number): boolean {
    return this.outstanding.has(tag);
  }

  settle(verb: Verb, tag: number, multiple: boolean, requeue: boolean): SettleResult {
    const { port } = this.host;
    const result = port.ask(this.number, `basic.${verb}`, (id) => {
      port.outbox.post({ type: "settle", lane: this.number, id, verb, tag, multiple, requeue });
    });
    this.outstanding.settled(tag, multiple);
    return result as SettleResult;
  }

  /** Gives a message back that nobody has seen, without waiting for an answer. */
  giveBack(tag: number): void {
    const { port } = this.host;
    this.outstanding.settled(tag, false);
    port.outbox.post({ type: "settle", lane: this.number, id: 0, verb: "nack", tag, multiple: false, requeue: true });
  }
}
