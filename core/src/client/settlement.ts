/**
 * The deliveries of one channel that are not settled yet, and how settling them goes out.
 *
 * RabbitMQ closes a channel for a tag that it does not know, so a tag is only ever sent while it is outstanding. And
 * acknowledgements of one turn of the loop are collected: those that leave nothing outstanding below them go out as a
 * single `basic.ack` with `multiple`, which means exactly the same and costs the server less.
 */

import type { ChannelEngine } from "../engine/channel-engine.ts";
import { LazyMap } from "../engine/lazy-map.ts";
import type { ClientMethodName } from "../wire/method-types.ts";
import { type EndError, SettlementError } from "./errors.ts";
import type { Link, TurnEnd } from "./link.ts";
import { checkedMessages } from "./message-names.ts";
import { checkCall } from "./option-checks.ts";
import type { Settle, Transactions } from "./transactions.ts";

/**
 * What became of settling a delivery: `"settled"`, or `"stale"` when its connection or channel was lost meanwhile and
 * recovered, or when its channel is closing: nothing was sent then, and the server delivers the message again.
 */
export type SettleResult = "settled" | "stale";

/** The options of who gives none. */
const none = {};

/** What is known of a delivery tag. Of those below the lowest outstanding one, nothing has to be known. */
const settled = 0;
const outstanding = 1;
const acknowledged = 2;

const smallestWindow = 64;

/** Of a channel that has received nothing. */
const noStates = new Uint8Array(0);

/** Tags, from the lowest outstanding one, that the window spans at most. Older ones, one in a million, are kept in a set. */
const largestWindow = 1024 * 1024;

/** The deliveries of a channel, from its opening to its end or loss. A new connection brings new tags, and a new settlement. */
export class Settlement implements TurnEnd {
  readonly offset: number;
  readonly #engine: ChannelEngine;
  readonly #link: Link;
  /** States by tag, for tags from `#low` to `#high`; a ring whose length is a power of two. */
  #states: Uint8Array = noStates;
  #low = 1;
  #high = 0;
  /** Outstanding tags below the window. */
  readonly #stragglers = new LazyMap<number, true>();
  /** Acknowledged in this turn, in the order of the calls. */
  readonly #acknowledged: number[] = [];
  #turnEndAsked = false;
  /** Of how many settlements the options are looked at still. */
  #unchecked = checkedMessages;
  #ended = false;
  /** What the channel was lost by, if it was, and comes back. */
  lostBy: EndError | undefined;
  #recovering = false;
  /** How often everything was forgotten that had arrived. */
  generation = 0;
  /** What acknowledgements and refusals are part of, on a channel in transactions. */
  transactions: Transactions | undefined;

  /**
   * @param offset - What is added to the server's tags in errors, so that tags are never used twice on a channel that
   * was recovered.
   */
  constructor(engine: ChannelEngine, link: Link, offset = 0, transactions?: Transactions) {
    this.#engine = engine;
    this.#link = link;
    this.offset = offset;
    this.transactions = transactions;
  }

  /** The highest tag that was received. */
  get highest(): number {
    return this.#high;
  }

  /**
   * Whether the server takes the deliveries back, or has: their connection or channel was lost, and has recovered or
   * will; or the channel is closing, and nothing can be sent on it any more.
   */
  get isStale(): boolean {
    return this.lostBy !== undefined || this.#isClosing();
  }

  /** A delivery arrived. With `noAck` the server considers it settled. */
  delivered(tag: number, noAck: boolean): void {
    if (tag - this.#low >= this.#states.length) this.#widen(tag);
    if (tag > this.#high) this.#high = tag;
    if (!noAck && !this.#recovering) this.#states[tag & (this.#states.length - 1)] = outstanding;
    else if (this.#low === tag) this.#low = tag + 1;
  }

  /** Whether a delivery is neither settled nor lost with its channel. */
  isOutstanding(tag: number): boolean {
    return !this.#isClosing() && this.isUnsettled(tag);
  }

  /** As {@link isOutstanding}, also when the channel is just ending. */
  isUnsettled(tag: number): boolean {
    return !this.#ended && (this.#state(tag) === outstanding || this.#stragglers.has(tag));
  }

  /**
   * Settles as an application asks for it. Of the first settlements that have options, their names are checked.
   *
   * @throws UsageError INVALID_ARGUMENT; as `Delivery.ack`. A tag that is `undefined` is of a delivery that was lost.
   */
  acknowledge(tag: number | undefined, options: { readonly multiple?: boolean | undefined } = none): SettleResult {
    const { multiple = false } = options;
    this.#checkNames("basic.ack", options);
    if (tag === undefined || this.isStale) return "stale";
    if (multiple) this.ackUpTo(tag);
    else this.ack(tag);
    return "settled";
  }

  /** @throws as {@link acknowledge}. */
  decline(
    tag: number | undefined,
    options: { readonly requeue?: boolean | undefined; readonly multiple?: boolean | undefined } = none,
    method: "nack" | "reject" = "nack",
  ): SettleResult {
    const { requeue = true, multiple = false } = options;
    this.#checkNames(`basic.${method}`, options);
    if (tag === undefined || this.isStale) return "stale";
    if (multiple) this.nackUpTo(tag, requeue);
    else this.refuse(tag, requeue, method);
    return "settled";
  }

  #checkNames(method: ClientMethodName, options: object): void {
    if (options === none || this.#unchecked === 0) return;
    this.#unchecked -= 1;
    checkCall(method, options, none);
  }

  /** @throws SettlementError */
  ack(tag: number): void {
    if (this.#ended || this.#state(tag) !== outstanding) return this.#ackStraggler(tag);
    this.transactions?.work?.settled();
    this.#states[tag & (this.#states.length - 1)] = acknowledged;
    this.#acknowledged.push(tag);
    this.#askForTurnEnd();
  }

  /** Acknowledges all deliveries up to `tag`, or all there are with tag 0. Those that are settled stay as they are. */
  ackUpTo(tag: number): void {
    this.#requireReceived(tag);
    for (const straggler of this.#stragglers.keys()) if (tag === 0 || straggler <= tag) this.#ackStraggler(straggler);
    const last = tag === 0 ? this.#high : Math.min(tag, this.#high);
    for (let t = this.#low; t <= last; t += 1) if (this.#state(t) === outstanding) this.ack(t);
  }

  /** @throws SettlementError */
  refuse(tag: number, requeue: boolean, method: "nack" | "reject"): void {
    if (!this.isOutstanding(tag)) throw this.#problem(tag);
    this.transactions?.work?.settled();
    this.flush();
    this.#send((engine) => (method === "nack" ? engine.nack(tag, false, requeue) : engine.reject(tag, requeue)));
    this.#link.touch();
    if (!this.#stragglers.delete(tag)) this.#settle(tag);
  }

  /** Refuses all deliveries up to `tag`, or all there are with tag 0. */
  nackUpTo(tag: number, requeue: boolean): void {
    this.#requireReceived(tag);
    this.flush();
    const last = this.#highestOutstanding(tag === 0 ? this.#high : tag);
    if (last === undefined) return;
    this.transactions?.work?.settled();
    this.#send((engine) => engine.nack(last, true, requeue));
    this.#link.touch();
    for (const straggler of this.#stragglers.keys()) if (straggler <= last) this.#stragglers.delete(straggler);
    for (let t = this.#low; t <= last; t += 1) this.#states[t & (this.#states.length - 1)] = settled;
    this.#skipSettled();
  }

  /**
   * The server was asked to take everything back (`basic.recover`). Until it has, whatever arrives may be taken back as
   * well, and nothing may be settled: RabbitMQ would close the channel.
   */
  beginRecover(): void {
    this.forgetAll();
    this.#recovering = true;
  }

  /** The server has taken everything back. */
  endRecover(): void {
    this.forgetAll();
    this.#recovering = false;
  }

  /** Nothing that arrived so far is to be settled any more. */
  forgetAll(): void {
    this.generation += 1;
    this.#states.fill(settled);
    this.#stragglers.clear();
    this.#acknowledged.length = 0;
    this.#low = this.#high + 1;
  }

  /** The channel is gone, and the server has put back what was outstanding. */
  end(): void {
    this.#ended = true;
    this.forgetAll();
  }

  /** The connection was lost, or the channel was, and it comes back: with new deliveries, and a new settlement. */
  lose(cause: EndError): void {
    this.lostBy = cause;
    this.end();
  }

  endOfTurn(): void {
    this.#turnEndAsked = false;
    this.flush();
  }

  /** Sends the acknowledgements that were collected, ahead of something that has to come after them. */
  flush(): void {
    // On a channel that is closing nothing can be settled any more.
    if (this.#acknowledged.length > 0 && this.#engine.state === "open") this.#sendAcknowledgements();
  }

  #sendAcknowledgements(): void {
    if (this.#stragglers.size === 0) this.#sendRun();
    const tags = this.#acknowledged;
    for (let i = 0; i < tags.length; i += 1) {
      const tag = tags[i] as number;
      if (this.#state(tag) !== acknowledged) continue;
      this.#ack(tag, false);
      this.#settle(tag);
    }
    tags.length = 0;
  }

  /** The run of acknowledged tags that nothing outstanding lies below. */
  #sendRun(): void {
    const states = this.#states;
    const mask = states.length - 1;
    let last = 0;
    let count = 0;
    let tag = this.#low;
    for (; tag <= this.#high; tag += 1) {
      const state = states[tag & mask];
      if (state === outstanding) break;
      if (state !== acknowledged) continue;
      last = tag;
      count += 1;
    }
    if (count === 0) return;
    this.#ack(last, count > 1);
    for (let t = this.#low; t < tag; t += 1) states[t & mask] = settled;
    this.#low = tag;
  }

  #askForTurnEnd(): void {
    if (this.#turnEndAsked) return;
    this.#turnEndAsked = true;
    this.#link.beforeTurnEnds(this);
  }

  #ackStraggler(tag: number): void {
    if (this.#ended || !this.#stragglers.has(tag)) throw this.#problem(tag);
    this.transactions?.work?.settled();
    this.#ack(tag, false);
    this.#link.touch();
    this.#stragglers.delete(tag);
  }

  /** Not as a function to be called later, where that is not needed: this is done for every message. */
  #ack(tag: number, multiple: boolean): void {
    if (this.transactions?.waits === true) this.transactions.settle((engine) => engine.ack(tag, multiple));
    else this.#engine.ack(tag, multiple);
  }

  /** Settles now, or where the end of a transaction waits behind that. */
  #send(settle: Settle): void {
    if (this.transactions?.waits === true) this.transactions.settle(settle);
    else settle(this.#engine);
  }

  // The window of tags

  #state(tag: number): number {
    if (tag < this.#low || tag > this.#high) return settled;
    return this.#states[tag & (this.#states.length - 1)] as number;
  }

  #settle(tag: number): void {
    this.#states[tag & (this.#states.length - 1)] = settled;
    if (tag === this.#low) this.#skipSettled();
  }

  #skipSettled(): void {
    const mask = this.#states.length - 1;
    while (this.#low <= this.#high && this.#states[this.#low & mask] === settled) this.#low += 1;
  }

  /** Makes room for `tag`: settled tags are left behind, then the window grows, and then it leaves outstanding tags behind. */
  #widen(tag: number): void {
    this.#skipSettled();
    // Nothing is outstanding: the window begins anew.
    if (this.#low > this.#high) this.#low = tag;
    while (tag - this.#low >= largestWindow) this.#leaveBehind();
    let length = Math.max(smallestWindow, this.#states.length);
    while (tag - this.#low >= length) length *= 2;
    if (length === this.#states.length) return;
    const states = new Uint8Array(length);
    for (let t = this.#low; t <= this.#high; t += 1) states[t & (length - 1)] = this.#state(t);
    this.#states = states;
  }

  #leaveBehind(): void {
    this.flush();
    if (this.#state(this.#low) !== settled) this.#stragglers.set(this.#low, true);
    this.#states[this.#low & (this.#states.length - 1)] = settled;
    this.#low += 1;
    this.#skipSettled();
  }

  #highestOutstanding(upTo: number): number | undefined {
    for (let tag = Math.min(upTo, this.#high); tag >= this.#low; tag -= 1) {
      if (this.#state(tag) === outstanding) return tag;
    }
    let highest: number | undefined;
    for (const straggler of this.#stragglers.keys()) if (straggler <= upTo) highest = Math.max(highest ?? 0, straggler);
    return highest;
  }

  #isClosing(): boolean {
    return !this.#ended && this.#engine.state !== "open";
  }

  #requireReceived(tag: number): void {
    if (this.#ended || !Number.isSafeInteger(tag) || tag < 0 || tag > this.#high) throw this.#problem(tag);
  }

  #problem(tag: number): SettlementError {
    const shown = tag + this.offset;
    if (this.#ended || this.#isClosing()) return new SettlementError("STALE_DELIVERY", shown);
    const known = Number.isSafeInteger(tag) && tag >= 1 && tag <= this.#high;
    return new SettlementError(known ? "ALREADY_SETTLED" : "UNKNOWN_DELIVERY", shown);
  }
}
