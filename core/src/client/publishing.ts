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
import { isBytes } from "../wire/bytes.ts";
import { writePublish } from "../wire/encode.ts";
import { type Outcome, UsageError } from "../wire/errors.ts";
import { Output } from "../wire/output.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { AbortError, type EndError, endedWith, TimeoutError } from "./errors.ts";
import { done, Future, onAbort, type Resolve, rejection } from "./futures.ts";
import type { Link } from "./link.ts";
import { ReturnedMessage } from "./returned-message.ts";
import { type ConfirmListener, Unconfirmed } from "./unconfirmed.ts";

/** What a publish costs beside its body while it waits for room. */
const waitingOverhead = 256;

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
}

/** How long a call waits. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: Millis | undefined;
}

/** Whoever asked for a flush: it is over when everything up to `upTo` is settled. */
interface Flush {
  readonly upTo: number;
  readonly future: Future<void>;
}

/** The publishes of one channel. */
export class Publishing {
  readonly #host: PublishingHost;
  readonly #window: PublishWindow;
  readonly #unconfirmed = new Unconfirmed();
  #waiting = new Deque<WaitingPublish | Future<void>>();
  #waitingBytes = 0;
  #cancelled = 0;
  #ready: Future<void> | undefined;
  #flushes: Flush[] = [];
  #end: EndError | undefined;

  constructor(host: PublishingHost, window: PublishWindow) {
    this.#host = host;
    this.#window = window;
  }

  /** How many publishes wait for their confirm. */
  get unconfirmed(): number {
    return this.#unconfirmed.count;
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
    if (signal !== undefined || timeout !== undefined || !this.hasRoom || this.#end !== undefined) {
      return this.#publishPatiently(publication, options);
    }
    const { engine, link } = this.#host;
    let sequence: number;
    try {
      sequence = engine.publish(publication);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    link.touch();
    if (sequence === 0) return done;
    const future = new Future<void>();
    this.#unconfirmed.add(sequence, publication, future.resolve);
    return future.promise;
  }

  /**
   * Publishes without a promise. Returns whether there is room for more.
   *
   * @throws UsageError for what cannot be sent; LIMIT_REACHED when too much waits already; whatever ended the channel.
   */
  send(publication: Publication, listener: ConfirmListener): boolean {
    if (this.#end !== undefined) throw endedWith(this.#end, "not-sent");
    if (!this.hasRoom) {
      this.#wait(new WaitingPublish(publication, listener));
      return false;
    }
    const sequence = this.#host.engine.publish(publication);
    this.#host.link.touch();
    if (sequence !== 0) this.#unconfirmed.add(sequence, publication, listener);
    return this.#flows;
  }

  /** Resolves when there is room. */
  ready(): Promise<void> {
    if (this.#end !== undefined) return this.#rejected(this.#end);
    if (this.hasRoom) return done;
    this.#ready ??= new Future<void>();
    return this.#ready.promise;
  }

  /** Resolves when everything that was published before this call is settled, or, without confirms, handed over. */
  flush(): Promise<void> {
    if (this.#end !== undefined) return this.#rejected(this.#end);
    const future = new Future<void>();
    if (this.#waiting.size > 0) this.#waiting.push(future);
    else this.#flushes.push({ upTo: this.#host.engine.nextSequence - 1, future });
    this.#endFlushes();
    return future.promise;
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
    while (this.#waiting.size > 0 && this.#flows) {
      const next = this.#waiting.shift();
      if (next instanceof WaitingPublish) this.#sendNow(next);
      else if (next !== undefined) this.#flushes.push({ upTo: this.#host.engine.nextSequence - 1, future: next });
    }
    this.#endFlushes();
    if (this.#ready === undefined || !this.hasRoom) return;
    this.#ready.resolve();
    this.#ready = undefined;
  }

  /** Nothing can be published any more. What waits was not sent. */
  stop(end: EndError): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const waiting = this.#waiting.drain();
    this.#waitingBytes = 0;
    for (const one of waiting) {
      if (!(one instanceof WaitingPublish)) one.fail(() => endedWith(end, "unknown"));
      else if (!one.over) one.failed(() => endedWith(end, "not-sent"));
    }
    this.#ready?.fail(() => endedWith(end, "not-sent"));
    this.#ready = undefined;
  }

  /** The channel is gone. What is unconfirmed may have arrived, or not. */
  end(end: EndError): void {
    this.stop(end);
    this.#unconfirmed.end(() => endedWith(end, "unknown"));
    for (const flush of this.#flushes) flush.future.fail(() => endedWith(end, "unknown"));
    this.#flushes = [];
  }

  /** Somebody does not wait any longer. */
  giveUp(publish: WaitingPublish, makeError: (outcome: Outcome) => Error): void {
    if (publish.sequence > 0) {
      this.#unconfirmed.forget(publish.sequence);
      publish.failed(() => makeError("unknown"));
      return;
    }
    if (publish.waits) this.#waitingBytes -= publish.cost;
    this.#cancelled += 1;
    publish.failed(() => makeError("not-sent"));
    if (this.#cancelled > this.#waiting.size / 2) this.#dropCancelled();
  }

  // Inside

  /** Whether there is room, leaving aside who waits already. */
  get #flows(): boolean {
    const { engine, link } = this.#host;
    return (
      link.engine.writable &&
      link.engine.blocked === undefined &&
      engine.flowActive &&
      this.#unconfirmed.count < this.#window.messages &&
      this.#unconfirmed.bytes < this.#window.bytes
    );
  }

  #publishPatiently(publication: Publication, { signal, timeout }: WaitOptions): Promise<void> {
    if (this.#end !== undefined) return this.#rejected(this.#end);
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    const future = new Future<void>();
    const publish = new WaitingPublish(publication, new PromisedPublish(future.resolve));
    try {
      if (this.hasRoom) this.#sendNow(publish);
      else this.#wait(publish);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    if (!publish.over) publish.limit(this, this.#host.deadlines, signal, timeout);
    return future.promise;
  }

  #wait(publish: WaitingPublish): void {
    if (this.#host.engine.state !== "open") {
      throw new UsageError("ILLEGAL_STATE", `basic.publish on a channel that is ${this.#host.engine.state}`);
    }
    // Bad input is the caller's to know now, not when its turn comes.
    writePublish(new Output(), this.#host.engine.number, publish.publication, this.#host.link.engine.frameMax);
    if (this.#waitingBytes + publish.cost > maxWaitingBytes) {
      throw new UsageError("LIMIT_REACHED", `${this.#waitingBytes} bytes of publishes wait for room on the channel`);
    }
    publish.waits = true;
    this.#waitingBytes += publish.cost;
    this.#waiting.push(publish);
  }

  #sendNow(publish: WaitingPublish): void {
    if (publish.over) {
      this.#cancelled -= 1;
      return;
    }
    if (publish.waits) this.#waitingBytes -= publish.cost;
    let sequence: number;
    try {
      sequence = this.#host.engine.publish(publish.publication);
    } catch (error) {
      if (!publish.waits) throw error;
      publish.failed(() => error as Error);
      return;
    }
    this.#host.link.touch();
    publish.sequence = sequence;
    if (sequence === 0) publish.confirmed();
    else this.#unconfirmed.add(sequence, publish.publication, publish);
  }

  #dropCancelled(): void {
    const waiting = this.#waiting.drain();
    for (const one of waiting) if (!(one instanceof WaitingPublish) || !one.over) this.#waiting.push(one);
    this.#cancelled = 0;
  }

  #endFlushes(): void {
    while (this.#flushes[0] !== undefined && this.#flushes[0].upTo < this.#unconfirmed.lowest) {
      this.#flushes[0].future.resolve();
      this.#flushes.shift();
    }
  }

  #rejected(end: EndError): Promise<never> {
    return rejection(() => endedWith(end, "not-sent"));
  }
}

/** A publish that has to wait, or may not wait for ever. */
class WaitingPublish implements ConfirmListener, Expiring {
  readonly publication: Publication;
  /** What it counts while it waits. */
  readonly cost: number;
  /** Its number, once it is sent in confirm mode. */
  sequence = 0;
  over = false;
  waits = false;
  readonly #listener: ConfirmListener;
  #publishing: Publishing | undefined;
  #cancelDeadline: (() => void) | undefined;
  #stopListening: (() => void) | undefined;

  constructor(publication: Publication, listener: ConfirmListener) {
    this.publication = publication;
    this.cost = (isBytes(publication.body) ? publication.body.length : 0) + waitingOverhead;
    this.#listener = listener;
  }

  /** Limits the wait. */
  limit(
    publishing: Publishing,
    deadlines: Deadlines,
    signal: AbortSignal | undefined,
    timeout: Millis | undefined,
  ): void {
    this.#publishing = publishing;
    if (timeout !== undefined) this.#cancelDeadline = deadlines.add(timeout, this);
    if (signal !== undefined) {
      this.#stopListening = onAbort(signal, () => {
        publishing.giveUp(this, (outcome) => new AbortError(signal.reason, outcome));
      });
    }
  }

  expire(): void {
    this.#publishing?.giveUp(this, (outcome) => new TimeoutError("The message was not confirmed in time", outcome));
  }

  confirmed(): void {
    this.#finish();
    this.#listener.confirmed();
  }

  failed(makeError: () => Error): void {
    this.#finish();
    this.#listener.failed(makeError);
  }

  #finish(): void {
    this.over = true;
    this.#cancelDeadline?.();
    this.#stopListening?.();
  }
}

/** The caller of a publish, as a listener. */
class PromisedPublish implements ConfirmListener {
  readonly #resolve: Resolve<void>;

  constructor(resolve: Resolve<void>) {
    this.#resolve = resolve;
  }

  confirmed(): void {
    this.#resolve();
  }

  failed(makeError: () => Error): void {
    this.#resolve(rejection(makeError));
  }
}
