/** The publishes of one channel that wait for their confirm, by sequence number. */

import type { SettledEvent } from "../engine/events.ts";
import type { Publication } from "../engine/frame-writer.ts";
import { LazyMap } from "../engine/lazy-map.ts";
import { NackError, UnroutableError } from "./errors.ts";
import type { Resolve } from "./futures.ts";
import { rejection } from "./futures.ts";
import { PassingMap } from "./passing-map.ts";
import { ReturnedMessages } from "./returned-matching.ts";
import type { ReturnedMessage } from "./returned-message.ts";

/** Somebody who hears what became of a publish. */
export interface ConfirmListener {
  confirmed(): void;
  failed(makeError: () => Error): void;
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
      else if (returned !== undefined) fail(waiter, () => new UnroutableError(returned));
      else if (typeof waiter === "function") waiter();
      else waiter?.confirmed();
    }
    if (this.#mandatory.size === 0) this.#returned?.clear();
  }

  /**
   * The channel is gone: whatever is unconfirmed stays so. What came back already is known not to have been routed.
   *
   * @returns the publishes that somebody still waits for, in order, where they were kept; they have not failed then.
   */
  lose(makeError: () => Error): LostPublish[] {
    const lost: LostPublish[] = [];
    const failed: ConfirmWaiter[] = [];
    for (const [sequence, waiter] of this.#outstanding()) {
      const returned = this.#takeReturned(sequence);
      const publication = this.#kept?.get(sequence);
      if (returned !== undefined) fail(waiter, () => new UnroutableError(returned));
      else if (publication === undefined) failed.push(waiter);
      else if (waiter !== undefined) lost.push({ sequence, publication, waiter });
    }
    this.#clear();
    for (const waiter of failed) fail(waiter, makeError);
    return lost;
  }

  /** The channel is gone for good. */
  end(makeError: () => Error): void {
    if (this.#count === 0) return;
    for (const { waiter } of this.lose(makeError)) fail(waiter, makeError);
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

function nacked(): Error {
  return new NackError();
}

function fail(waiter: ConfirmWaiter, makeError: () => Error): void {
  if (typeof waiter === "function") waiter(rejection(makeError));
  else waiter?.failed(makeError);
}
