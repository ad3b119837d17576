/** The publishes of one channel that wait for their confirm, by sequence number. */

import type { SettledEvent } from "../engine/events.ts";
import type { Publication } from "../engine/frame-writer.ts";
import { ChannelError } from "../engine/errors.ts";
import { LazyMap } from "../engine/lazy-map.ts";
import type { Outcome } from "../wire/errors.ts";
import { type EndError, endedWith, type MakeEnd, NackError, UnroutableError } from "./errors.ts";
import type { Resolve } from "./futures.ts";
import { rejection } from "./futures.ts";
import { PassingMap } from "./passing-map.ts";
import { ReturnedMessages } from "./returned-matching.ts";
import type { ReturnedMessage } from "./returned-message.ts";

/** Makes the error of a publish that failed. Who knows better than that attempt what became of it gives the outcome. */
export type MakeFailure = (outcome?: Outcome) => Error;

/** Somebody who hears what became of a publish. */
export interface ConfirmListener {
  confirmed(): void;
  failed(makeError: MakeFailure): void;
}

/** Who waits: a promise, which is told through the function that settles it; a listener; or nobody any more. */
export type ConfirmWaiter = Resolve<void> | ConfirmListener | undefined;

/** A publish whose confirm did not come, and that can be published again. */
export interface LostPublish {
  readonly sequence: number;
  readonly publication: Publication;
  readonly waiter: Resolve<void> | ConfirmListener;
}

const smallestRing = 64;

/** Sequence numbers, from the lowest unconfirmed one, that the ring spans at most; what is older is kept in a map. */
const largestRing = 1024 * 1024;

/** What stands in the ring of sizes where no publish is. */
const nobody = -1;

/** The rings of a channel that has published nothing. Nothing is ever put into them. */
const noWaiters: ConfirmWaiter[] = [];
const noSizes: number[] = [];

/** Waiters and sizes by sequence number: two rings whose common length is a power of two. No object per publish. */
export class Unconfirmed {
  #waiters = noWaiters;
  #sizes = noSizes;
  #low = 1;
  #high = 0;
  readonly #stragglers = new LazyMap<number, { readonly waiter: ConfirmWaiter; readonly size: number }>();
  readonly #mandatory = new PassingMap<number, Publication>();
  /** What could be published again, where that is asked for. */
  readonly #kept: Map<number, Publication> | undefined;
  /** Made for the first message that comes back. */
  #returned: ReturnedMessages | undefined;
  #count = 0;
  #bytes = 0;

  /** @param keeps - Whether publishes are to be had back from {@link lose}. */
  constructor(keeps = false) {
    this.#kept = keeps ? new Map() : undefined;
  }

  /** How many publishes are unconfirmed. */
  get count(): number {
    return this.#count;
  }

  /** The bytes of their bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The lowest unconfirmed number, or the one that comes next. */
  get lowest(): number {
    for (const straggler of this.#stragglers.keys()) return straggler;
    return this.#low;
  }

  /** The number that was sent last; 0 where that was before a loss, or never. */
  get latest(): number {
    return this.#high;
  }

  /** A publish was sent. */
  add(sequence: number, publication: Publication, waiter: ConfirmWaiter): void {
    if (sequence - this.#low >= this.#sizes.length) this.#widen(sequence);
    const slot = sequence & (this.#sizes.length - 1);
    const size = publication.body.length;
    this.#waiters[slot] = waiter;
    this.#sizes[slot] = size;
    this.#high = sequence;
    this.#count += 1;
    this.#bytes += size;
    if (publication.mandatory === true) this.#mandatory.set(sequence, publication);
    this.#kept?.set(sequence, publication);
  }

  /** Nobody waits for a publish any more. It stays unconfirmed. */
  forget(sequence: number): void {
    const straggler = this.#stragglers.get(sequence);
    if (straggler !== undefined) this.#stragglers.set(sequence, { ...straggler, waiter: undefined });
    else if (sequence >= this.#low) this.#waiters[sequence & (this.#sizes.length - 1)] = undefined;
  }

  /** The server handed a message back. */
  returned(message: ReturnedMessage): void {
    if (this.#mandatory.size > 0) (this.#returned ??= new ReturnedMessages()).add(message);
  }

  /** The server settled a run of publishes. */
  settle({ first, last, outcome }: SettledEvent): void {
    for (let sequence = first; sequence <= last; sequence += 1) {
      const waiter = this.#take(sequence);
      const returned = this.#mandatory.size === 0 ? undefined : this.#takeReturned(sequence);
      if (outcome === "nack") fail(waiter, nacked);
      else if (returned !== undefined) fail(waiter, (known) => new UnroutableError(returned, known));
      else if (typeof waiter === "function") waiter();
      else waiter?.confirmed();
    }
    if (this.#mandatory.size === 0) this.#returned?.clear();
  }

  /**
   * The channel is gone: whatever is unconfirmed stays so. What came back already is known not to have been routed, and of
   * one it may be certain that it was refused.
   *
   * @returns the publishes that somebody still waits for, in order, where they were kept; they have not failed then.
   */
  lose(end: EndError): LostPublish[] {
    const lost: LostPublish[] = [];
    const failed: [ConfirmWaiter, Outcome][] = [];
    const refused = this.#refusedBy(end);
    for (const [sequence, waiter] of this.#outstanding()) {
      const returned = this.#takeReturned(sequence);
      const publication = sequence === refused ? undefined : this.#kept?.get(sequence);
      if (returned !== undefined) fail(waiter, (known) => new UnroutableError(returned, known));
      else if (publication === undefined) failed.push([waiter, sequence === refused ? "refused" : "unknown"]);
      else if (waiter !== undefined) lost.push({ sequence, publication, waiter });
    }
    this.#clear();
    for (const [waiter, outcome] of failed) fail(waiter, (known = outcome) => endedWith(end, known));
    return lost;
  }

  /** The channel is gone for good. */
  end(makeEnd: MakeEnd): void {
    if (this.#count === 0) return;
    this.#kept?.clear();
    this.lose(makeEnd());
  }

  /**
   * The publish that certainly came to nothing, where the server closed the channel for one: it takes them in order, so the
   * last is that one, or behind it. What is published again is not blamed for another: there it is the one to the exchange
   * that the server names, where there is only one.
   */
  #refusedBy(end: EndError): number | undefined {
    if (!(end instanceof ChannelError) || end.method !== "basic.publish") return undefined;
    const kept = [...(this.#kept ?? [])];
    if (this.#count === 1 || kept.length === 0) return this.#high;
    const named = kept.filter(([, { exchange }]) => end.replyText?.includes(`exchange '${exchange}' in`));
    return named.length === 1 ? named[0]?.[0] : undefined;
  }

  *#outstanding(): Iterable<[number, ConfirmWaiter]> {
    for (const [sequence, { waiter }] of this.#stragglers) yield [sequence, waiter];
    for (let s = this.#low; s <= this.#high; s += 1) {
      const slot = s & (this.#sizes.length - 1);
      if (this.#sizes[slot] !== nobody) yield [s, this.#waiters[slot]];
    }
  }

  /** Sequence numbers begin again with the next channel. */
  #clear(): void {
    this.#waiters.fill(undefined);
    this.#sizes.fill(nobody);
    this.#stragglers.clear();
    this.#mandatory.clear();
    this.#returned?.clear();
    this.#kept?.clear();
    this.#low = 1;
    this.#high = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #takeReturned(sequence: number): ReturnedMessage | undefined {
    const publication = this.#mandatory.get(sequence);
    if (publication === undefined) return undefined;
    this.#mandatory.delete(sequence);
    return this.#returned?.take(publication, this.#mandatory.values());
  }

  #take(sequence: number): ConfirmWaiter {
    this.#count -= 1;
    this.#kept?.delete(sequence);
    if (sequence < this.#low) return this.#takeStraggler(sequence);
    const slot = sequence & (this.#sizes.length - 1);
    const waiter = this.#waiters[slot];
    this.#bytes -= this.#sizes[slot] as number;
    this.#waiters[slot] = undefined;
    this.#sizes[slot] = nobody;
    if (sequence === this.#low) this.#skipConfirmed();
    return waiter;
  }

  #takeStraggler(sequence: number): ConfirmWaiter {
    const straggler = this.#stragglers.get(sequence);
    this.#stragglers.delete(sequence);
    this.#bytes -= straggler?.size ?? 0;
    return straggler?.waiter;
  }

  #skipConfirmed(): void {
    const mask = this.#sizes.length - 1;
    do this.#low += 1;
    while (this.#low <= this.#high && this.#sizes[this.#low & mask] === nobody);
  }

  #widen(sequence: number): void {
    if (this.#low > this.#high) this.#low = sequence;
    while (sequence - this.#low >= largestRing) this.#leaveBehind();
    let length = Math.max(smallestRing, this.#sizes.length);
    while (sequence - this.#low >= length) length *= 2;
    if (length === this.#sizes.length) return;
    const waiters = new Array<ConfirmWaiter>(length).fill(undefined);
    const sizes = new Array<number>(length).fill(nobody);
    for (let s = this.#low; s <= this.#high; s += 1) {
      const from = s & (this.#sizes.length - 1);
      waiters[s & (length - 1)] = this.#waiters[from];
      sizes[s & (length - 1)] = this.#sizes[from] as number;
    }
    this.#waiters = waiters;
    this.#sizes = sizes;
  }

  #leaveBehind(): void {
    const slot = this.#low & (this.#sizes.length - 1);
    this.#stragglers.set(this.#low, { waiter: this.#waiters[slot], size: this.#sizes[slot] as number });
    this.#waiters[slot] = undefined;
    this.#sizes[slot] = nobody;
    this.#skipConfirmed();
  }
}

function nacked(known?: Outcome): Error {
  return new NackError(known);
}

function fail(waiter: ConfirmWaiter, makeError: MakeFailure): void {
  if (typeof waiter === "function") waiter(rejection(makeError));
  else waiter?.failed(makeError);
}
