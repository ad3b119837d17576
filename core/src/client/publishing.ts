/**
 * How messages leave a channel: at once while there is room, else in the order of the calls when there is room again;
 * and how their senders hear what became of them.
 *
 * There is room while output flows, the server has not blocked the connection, and the window of unconfirmed publishes
 * is not full.
 */

import type { ChannelEngine } from "../engine/channel-engine.ts";
import type { Millis } from "../engine/config.ts";
import { Deque } from "../engine/deque.ts";
import type { ReturnEvent, SettledEvent } from "../engine/events.ts";
import type { Publication } from "../engine/frame-writer.ts";
import { writePublish } from "../wire/encode.ts";
import { AmqpError, type Outcome, UsageError } from "../wire/errors.ts";
import { Output } from "../wire/output.ts";
import type { Deadlines } from "./deadlines.ts";
import { AbortError, type EndError, endedWith, type MakeEnd, NotConnectedError } from "./errors.ts";
import { done, Future, rejection } from "./futures.ts";
import { type Allowance, waitedTooLong } from "./gate.ts";
import type { Link } from "./link.ts";
import { patience } from "./option-checks.ts";
import { ReturnedMessage } from "./returned-message.ts";
import type { Transaction } from "./transaction.ts";
import { type ConfirmListener, type ConfirmWaiter, type LostPublish, Unconfirmed } from "./unconfirmed.ts";
import { PromisedPublish, WaitingPublish } from "./waiting-publish.ts";

/** Bytes of publishes that may wait for room on one channel. */
const maxWaitingBytes = 64 * 1024 * 1024;

/** How much may be unconfirmed at a time. */
export interface PublishWindow {
  readonly messages: number;
  /** Of bodies. One message may exceed it. */
  readonly bytes: number;
}

/** What a channel lends to its publishes. */
export interface PublishingHost {
  readonly link: Link;
  readonly engine: ChannelEngine;
  readonly deadlines: Deadlines;
  /** False while the channel is lost and comes back. */
  readonly live: boolean;
  /** Why it is lost. */
  readonly cause: EndError | undefined;
  /** Of a channel in transactions. */
  readonly transaction: Transaction | undefined;
}

/** What becomes of publishes when the channel is lost and comes back. */
export interface PublishingPolicy {
  /** How much may wait meanwhile; `undefined` where nothing comes back. */
  readonly allowance: Allowance | undefined;
  readonly republish: boolean;
  readonly republishLimit: number;
}

/** How long a call waits. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: Millis | undefined;
}

/** Whoever waits for the publishes before him. */
interface Follower {
  readonly tell: () => void;
  readonly fail: (makeError: () => Error) => void;
  /** The last of them, once they are sent. */
  upTo: number;
  /** He was told, or does not wait any more. */
  over: boolean;
}

/** The unconfirmed publishes of every channel that has none yet: most never have. Nothing is ever put into it. */
const noneYet = new Unconfirmed();

/** The publishes of one channel. */
export class Publishing {
  readonly #host: PublishingHost;
  readonly #window: PublishWindow;
  readonly #policy: PublishingPolicy;
  #unconfirmed = noneYet;
  #waiting = new Deque<WaitingPublish | Follower>();
  #waitingBytes = 0;
  /** Publishes and followers that were given up since places were last given back: no more of them have kept theirs. */
  #cancelled = 0;
  #ready: Future<void> | undefined;
  /** Followers of what is sent and not settled. */
  #flushes: Follower[] = [];
  #makeEnd: MakeEnd | undefined;

  constructor(host: PublishingHost, window: PublishWindow, policy: PublishingPolicy) {
    this.#host = host;
    this.#window = window;
    this.#policy = policy;
  }

  /** How many publishes wait for their confirm. */
  get unconfirmed(): number {
    return this.#unconfirmed.count;
  }

  /** Whether no publish waits: for a confirm, or for room. */
  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#unconfirmed.count === 0;
  }

  /** Whether somebody waits for what the server says: a confirm, or that it takes messages again. */
  get expectsAnswer(): boolean {
    const { engine, link } = this.#host;
    if (this.isIdle && this.#ready === undefined) return false;
    return this.#unconfirmed.count > 0 || link.engine.blocked !== undefined || !engine.flowActive;
  }

  /** Whether a publish would leave at once. */
  get hasRoom(): boolean {
    return this.#waiting.size === 0 && this.#flows;
  }

  /**
   * Publishes. The promise resolves when the message was handed over; in confirm mode, when the server has it. It
   * rejects with whatever went wrong.
   */
  publish(publication: Publication, options: WaitOptions): Promise<void> {
    const { signal, timeout } = options;
    const { engine, link, transaction } = this.#host;
    const isPlain = signal === undefined && timeout === undefined && transaction === undefined;
    if (!isPlain || !this.hasRoom || this.#makeEnd !== undefined) return this.#publishPatiently(publication, options);
    let sequence: number;
    try {
      sequence = engine.publish(publication);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    link.touch();
    if (sequence === 0) return done;
    const future = new Future<void>();
    this.#sent(sequence, publication, future.resolve);
    return future.promise;
  }

  /**
   * Publishes without a promise. Returns whether there is room for more.
   *
   * @throws UsageError for what cannot be sent; LIMIT_REACHED when too much waits already; whatever ended the channel.
   */
  send(publication: Publication, listener: ConfirmListener): boolean {
    if (this.#makeEnd !== undefined) throw endedWith(this.#makeEnd(), "not-sent");
    this.#checkTransaction();
    if (!this.hasRoom) {
      this.#wait(new WaitingPublish(publication, listener, this));
      return false;
    }
    const sequence = this.#host.engine.publish(publication);
    this.#host.link.touch();
    if (sequence === 0) this.#host.transaction?.worked();
    else this.#sent(sequence, publication, listener);
    return this.#flows;
  }

  /**
   * Publishes for a listener that may give up: by what is returned.
   *
   * @throws as {@link send}.
   */
  post(publication: Publication, listener: ConfirmListener): WaitingPublish {
    return this.#post(publication, listener);
  }

  /** Resolves when there is room. */
  ready(): Promise<void> {
    if (this.#makeEnd !== undefined) return this.#rejected();
    if (this.hasRoom) return done;
    this.#ready ??= new Future<void>();
    return this.#ready.promise;
  }

  /**
   * Calls `tell` when everything that was published before is settled, or, without confirms, handed over: ahead of whatever
   * is published later. `fail` is called when that can never be; by default it makes no difference.
   *
   * @returns what ends the wait, and whether there was one still.
   */
  behind(tell: () => void, fail: (makeError: () => Error) => void = tell): () => boolean {
    const one: Follower = { tell, fail, upTo: 0, over: false };
    if (this.#makeEnd === undefined) {
      this.#waiting.push(one);
      this.#tellFirst();
    } else {
      this.#fail(one, this.#makeEnd, "not-sent");
    }
    return () => {
      if (one.over) return false;
      one.over = true;
      this.#leftOne();
      return true;
    };
  }

  // What the server says

  settled(event: SettledEvent): void {
    this.#unconfirmed.settle(event);
    if (this.#flushes.length > 0) this.#endFlushes();
    if (this.#waiting.size > 0 || this.#ready !== undefined) this.makeUseOfRoom();
  }

  returned(event: ReturnEvent): ReturnedMessage {
    const message = new ReturnedMessage(event);
    this.#unconfirmed.returned(message);
    return message;
  }

  /** There may be room again: publishes that waited are sent. */
  makeUseOfRoom(): void {
    while (this.#waiting.size > 0 && this.#flows) this.#sendFirstWaiting();
    this.#tellFirst();
    this.#endFlushes();
    if (this.#ready === undefined || !this.hasRoom) return;
    this.#ready.resolve();
    this.#ready = undefined;
  }

  /** Nothing can be published any more. What waits was not sent. */
  stop(makeEnd: MakeEnd): void {
    if (this.#makeEnd !== undefined) return;
    this.#makeEnd = makeEnd;
    const waiting = this.#waiting.drain();
    this.#waitingBytes = 0;
    for (const one of waiting) {
      if (!(one instanceof WaitingPublish)) this.#fail(one, makeEnd, "unknown");
      else one.failed((outcome = "not-sent") => endedWith(makeEnd(), outcome));
    }
    this.#ready?.fail(() => endedWith(makeEnd(), "not-sent"));
    this.#ready = undefined;
  }

  /** The channel is gone. What is unconfirmed may have arrived, or not. */
  end(makeEnd: MakeEnd): void {
    this.stop(makeEnd);
    this.#unconfirmed.end(makeEnd);
    for (const flush of this.#flushes.splice(0)) this.#fail(flush, makeEnd, "unknown");
  }

  // Recovery

  /**
   * The channel was lost, and comes back. What was unconfirmed has failed with an unknown outcome, or is the first to be
   * published again; what waits goes on waiting, as long as the policy allows.
   */
  lost(end: EndError): void {
    const isUnknown = this.#unconfirmed.count > 0 && !this.#policy.republish;
    const again = this.#unconfirmed.lose(end);
    const flushes = this.#flushes;
    const before = this.#waiting.drain();
    this.#flushes = [];
    const first: (WaitingPublish | Follower)[] = [];
    for (const lost of again) {
      while (flushes[0] !== undefined && flushes[0].upTo < lost.sequence) first.push(flushes.shift() as Follower);
      first.push(this.#again(lost));
    }
    // What was given up does not wait again. The others have their places before any of them is told: whoever is told may
    // publish, or give up.
    const all = [...first, ...flushes, ...before].filter(({ over }) => !over);
    for (const one of all) if (!isUnknown || one instanceof WaitingPublish) this.#waiting.push(one);
    for (const one of all) {
      if (one instanceof WaitingPublish) this.#waitOn(one, end);
      else if (isUnknown) this.#fail(one, () => end, "unknown");
    }
    this.#tellFirst();
  }

  /** The channel is back. What is to be published again comes first, then calls that waited, then everything else. */
  resume(admitCalls: () => void): void {
    while (this.#flows && this.#waiting.size > 0 && !isNew(this.#waiting.peek())) this.#sendFirstWaiting();
    this.#tellFirst();
    admitCalls();
    this.makeUseOfRoom();
  }

  #again({ publication, waiter }: LostPublish): WaitingPublish {
    const listener = typeof waiter === "function" ? new PromisedPublish(waiter) : waiter;
    const publish = listener instanceof WaitingPublish ? listener : new WaitingPublish(publication, listener, this);
    publish.sequence = 0;
    publish.resends += 1;
    publish.waits = true;
    if (!publish.over) this.#waitingBytes += publish.cost;
    return publish;
  }

  /** A publish that waited for room, or for its confirm, now waits for a connection. */
  #waitOn(publish: WaitingPublish, end: EndError): void {
    const { allowance, republishLimit } = this.#policy;
    if (publish.resends > republishLimit) return publish.giveUp(() => endedWith(end, "unknown"));
    if (publish.over || publish.resends > 0 || publish.allowance !== undefined) return;
    const refusal = allowance?.refusal(publish.cost);
    if (refusal === undefined) this.#limitOutage(publish);
    else this.giveUp(publish, () => new NotConnectedError(refusal, this.#host.cause));
  }

  #limitOutage(publish: WaitingPublish): void {
    const { allowance } = this.#policy;
    if (allowance === undefined) return;
    publish.waitForConnection(allowance, this.#host.deadlines, {
      expire: () => this.giveUp(publish, () => new NotConnectedError(waitedTooLong, this.#host.cause)),
    });
  }

  #checkTransaction(): void {
    const { transaction } = this.#host;
    if (transaction?.aborted === true) throw transaction.problem();
  }

  /** Somebody does not wait any longer. */
  giveUp(publish: WaitingPublish, makeError: (outcome: Outcome) => Error): void {
    if (publish.sequence > 0) {
      this.#unconfirmed.forget(publish.sequence);
      publish.failed(() => makeError("unknown"));
      return;
    }
    if (publish.waits) this.#waitingBytes -= publish.cost;
    publish.failed((outcome = "not-sent") => makeError(outcome));
    this.#leftOne();
  }

  /** Of those who wait one does so no longer. When that is most of them, their places are given up. */
  #leftOne(): void {
    this.#cancelled += 1;
    this.#tellFirst();
    if (this.#cancelled <= (this.#waiting.size + this.#flushes.length) / 2) return;
    this.#cancelled = 0;
    for (const one of this.#waiting.drain()) if (!one.over) this.#waiting.push(one);
    this.#flushes = this.#flushes.filter(({ over }) => !over);
  }

  #fail(one: Follower, makeEnd: MakeEnd, outcome: Outcome): void {
    if (one.over) return;
    one.over = true;
    one.fail(() => endedWith(makeEnd(), outcome));
  }

  // Inside

  /** Whether there is room, leaving aside who waits already. */
  get #flows(): boolean {
    const { engine, link } = this.#host;
    return (
      this.#host.live &&
      link.engine.writable &&
      link.engine.blocked === undefined &&
      engine.flowActive &&
      this.#unconfirmed.count < this.#window.messages &&
      this.#unconfirmed.bytes < this.#window.bytes
    );
  }

  #publishPatiently(publication: Publication, { signal, timeout }: WaitOptions): Promise<void> {
    if (this.#makeEnd !== undefined) return this.#rejected();
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    const future = new Future<void>();
    try {
      if (timeout !== undefined) patience(timeout, "timeout");
      const publish = this.#post(publication, new PromisedPublish(future.resolve));
      if (!publish.over) publish.limit(this.#host.deadlines, signal, timeout);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return future.promise;
  }

  #post(publication: Publication, listener: ConfirmListener): WaitingPublish {
    if (this.#makeEnd !== undefined) throw endedWith(this.#makeEnd(), "not-sent");
    this.#checkTransaction();
    const publish = new WaitingPublish(publication, listener, this);
    if (this.hasRoom) this.#sendNow(publish);
    else this.#wait(publish);
    return publish;
  }

  #wait(publish: WaitingPublish): void {
    if (this.#host.live && this.#host.engine.state !== "open") {
      throw new UsageError("ILLEGAL_STATE", `basic.publish on a channel that is ${this.#host.engine.state}`);
    }
    // Bad input is the caller's to know now, not when its turn comes.
    writePublish(new Output(), this.#host.engine.number, publish.publication, this.#host.link.engine.frameMax);
    if (this.#waitingBytes + publish.cost > maxWaitingBytes) {
      throw new UsageError("LIMIT_REACHED", `${this.#waitingBytes} bytes of publishes wait for room on the channel`);
    }
    const refusal = this.#host.live ? undefined : this.#policy.allowance?.refusal(publish.cost);
    if (refusal !== undefined) throw new NotConnectedError(refusal, this.#host.cause);
    publish.waits = true;
    this.#waitingBytes += publish.cost;
    this.#waiting.push(publish);
    if (!this.#host.live) this.#limitOutage(publish);
  }

  #sendNow(publish: WaitingPublish): void {
    if (publish.waits) this.#waitingBytes -= publish.cost;
    publish.connected();
    let sequence: number;
    try {
      if (publish.waits) this.#checkTransaction();
      sequence = this.#host.engine.publish(publish.publication);
    } catch (error) {
      if (!publish.waits) throw error;
      publish.failed((outcome) => (outcome === undefined ? (error as Error) : unknown(error as AmqpError)));
      return;
    }
    this.#host.link.touch();
    publish.sequence = sequence;
    if (sequence === 0) {
      this.#host.transaction?.worked();
      publish.confirmed();
    } else {
      this.#sent(sequence, publish.publication, publish);
    }
  }

  /** From now on it waits for its confirm. */
  #sent(sequence: number, publication: Publication, waiter: ConfirmWaiter): void {
    if (this.#unconfirmed === noneYet) this.#unconfirmed = new Unconfirmed(this.#policy.republish);
    this.#unconfirmed.add(sequence, publication, waiter);
  }

  #sendFirstWaiting(): void {
    const next = this.#waiting.shift() as WaitingPublish | Follower;
    if (next instanceof WaitingPublish) {
      if (!next.over) this.#sendNow(next);
    } else {
      next.upTo = this.#unconfirmed.latest;
      this.#flushes.push(next);
    }
    // Whoever waits for nothing that is unconfirmed is told before more is sent.
    this.#endFlushes();
  }

  /** Who waits behind no publish, or behind such as were given up, has his turn. */
  #tellFirst(): void {
    for (let first = this.#waiting.peek(); first !== undefined; first = this.#waiting.peek()) {
      if (first instanceof WaitingPublish && !first.over) return;
      this.#sendFirstWaiting();
    }
  }

  #endFlushes(): void {
    while (this.#flushes[0] !== undefined && this.#flushes[0].upTo < this.#unconfirmed.lowest) {
      const first = this.#flushes.shift() as Follower;
      if (first.over) continue;
      first.over = true;
      first.tell();
    }
  }

  #rejected(): Promise<never> {
    return rejection(() => endedWith((this.#makeEnd as MakeEnd)(), "not-sent"));
  }
}

/** Whether it is a publish that was never sent. */
function isNew(one: WaitingPublish | Follower | undefined): boolean {
  return one instanceof WaitingPublish && one.resends === 0;
}

function unknown(cause: AmqpError): AmqpError {
  return new AmqpError(cause.code, cause.message, { cause, outcome: "unknown" });
}
