/** Publisher confirms of one channel: which publishes are settled, and how the answers are put together. */

import { Heap } from "../lib/heap.ts";
import type { Millis, Timer, Timers } from "../lib/timers.ts";

/** How a broker confirms. The defaults are what RabbitMQ does under light load. */
export interface ConfirmOptions {
  /** `"batched"`: what was settled in one turn shares answers, as in RabbitMQ; `"single"`: one answer for each publish. */
  readonly grouping: "batched" | "single";
  /** Every confirm waits so long, as if for a disk. */
  readonly delay: Millis;
  /** And up to so much longer, each for itself: confirms come out of order. */
  readonly jitter: Millis;
  /** The share of publishes, from 0 to 1, that are refused though a queue would take them: the message is dropped and nacked. */
  readonly nackRate: number;
}

export const defaultConfirmOptions: ConfirmOptions = { grouping: "batched", delay: 0, jitter: 0, nackRate: 0 };

/** What became of a publish. */
export type ConfirmOutcome = "ack" | "nack";

/** An answer to a publisher. */
export interface Confirmation {
  readonly outcome: ConfirmOutcome;
  readonly sequence: number;
  readonly multiple: boolean;
}

/** What the confirms of a channel need. */
export interface ConfirmServices {
  readonly timers: Timers;
  readonly options: ConfirmOptions;
  now(): Millis;
  random(): number;
  /** Something can be answered at the end of this turn. */
  ready(): void;
}

interface Delayed {
  readonly due: Millis;
  readonly sequence: number;
  readonly outcome: ConfirmOutcome;
}

/** The confirms of a channel, from `confirm.select` on. */
export class Confirms {
  readonly #services: ConfirmServices;
  readonly #timer: Timer;
  readonly #delayed = new Heap<Delayed>((entry) => entry.due);
  /** Publishes without an answer, lowest first. */
  readonly #open = new Set<number>();
  #acked: number[] = [];
  #nacked: number[] = [];
  #next = 1;

  constructor(services: ConfirmServices) {
    this.#services = services;
    this.#timer = services.timers.create((now) => this.#release(now));
  }

  get options(): ConfirmOptions {
    return this.#services.options;
  }

  /** Publishes that were not answered yet. */
  get outstanding(): number {
    return this.#open.size;
  }

  /** Numbers a publish. */
  begin(): number {
    const sequence = this.#next++;
    this.#open.add(sequence);
    return sequence;
  }

  /** The fate of a publish is known; when it is told is up to the options. */
  settle(sequence: number, outcome: ConfirmOutcome): void {
    const { delay, jitter } = this.#services.options;
    if (delay === 0 && jitter === 0) {
      this.#settleNow(sequence, outcome);
      return;
    }
    const due = this.#services.now() + delay + Math.floor(this.#services.random() * (jitter + 1));
    this.#delayed.push({ due, sequence, outcome });
    this.#timer.set((this.#delayed.peek() as Delayed).due);
  }

  /** The answers that are due. */
  takeAnswers(): readonly Confirmation[] {
    if (this.#acked.length === 0 && this.#nacked.length === 0) return [];
    const smallestOpen = firstOf(this.#open);
    const answers =
      this.#services.options.grouping === "single"
        ? [...singly(this.#acked, "ack"), ...singly(this.#nacked, "nack")]
        : [
            ...coalesce(this.#acked, "ack", smallestOpen, this.#nacked),
            // The acks of this turn have gone before: a nack of many may cover their numbers.
            ...coalesce(this.#nacked, "nack", smallestOpen, []),
          ];
    this.#acked = [];
    this.#nacked = [];
    return answers;
  }

  /** The channel ends: nothing is answered any more. */
  end(): void {
    this.#timer.off();
    this.#delayed.clear();
  }

  #release(now: Millis): void {
    for (let first = this.#delayed.peek(); first !== undefined && first.due <= now; first = this.#delayed.peek()) {
      this.#delayed.take();
      this.#settleNow(first.sequence, first.outcome);
    }
    const next = this.#delayed.peek();
    if (next !== undefined) this.#timer.set(next.due);
  }

  #settleNow(sequence: number, outcome: ConfirmOutcome): void {
    this.#open.delete(sequence);
    if (outcome === "ack") this.#acked.push(sequence);
    else this.#nacked.push(sequence);
    this.#services.ready();
  }
}

/**
 * Puts answers of one kind together as RabbitMQ does: everything below the first publish that is still open, and below
 * the first of the other kind, goes as one `multiple`; the rest goes one by one.
 *
 * @param smallestOpen - The first publish without an outcome; `undefined` where there is none.
 * @param others - The publishes with the other outcome that will be answered later.
 */
export function coalesce(
  sequences: readonly number[],
  outcome: ConfirmOutcome,
  smallestOpen: number | undefined,
  others: readonly number[],
): readonly Confirmation[] {
  const [only, second] = sequences;
  if (only === undefined) return [];
  if (second === undefined && outcome === "ack") return [{ outcome, sequence: only, multiple: false }];
  const sorted = [...sequences].sort((left, right) => left - right);
  let cutoff = smallestOpen ?? Number.POSITIVE_INFINITY;
  for (const other of others) if (other < cutoff) cutoff = other;
  const firstSingle = sorted.findIndex((sequence) => sequence >= cutoff);
  const together = firstSingle < 0 ? sorted : sorted.slice(0, firstSingle);
  const singles = firstSingle < 0 ? [] : sorted.slice(firstSingle);
  const last = together.at(-1);
  return [...(last === undefined ? [] : [{ outcome, sequence: last, multiple: true }]), ...singly(singles, outcome)];
}

function singly(sequences: readonly number[], outcome: ConfirmOutcome): readonly Confirmation[] {
  return sequences.map((sequence) => ({ outcome, sequence, multiple: false }));
}

function firstOf(set: ReadonlySet<number>): number | undefined {
  for (const first of set) return first;
  return undefined;
}
