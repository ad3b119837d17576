/** The books of a run: what was published, what was consumed, and whether one answers for the other. */

import type { PublishOutcome } from "./protocol.ts";

/** Counts over all publishers. */
export interface Totals {
  readonly published: number;
  readonly confirmed: number;
  readonly unknown: number;
  readonly notSent: number;
  readonly refused: number;
  /** Messages that were consumed, each counted once. */
  readonly consumed: number;
  /** Messages that were consumed again. */
  readonly duplicates: number;
}

const shownProblems = 10;

/** See the file's comment. Publishers are known by their queues. */
export class Ledger {
  readonly #accounts: ReadonlyMap<string, Account>;
  readonly #strangers: string[] = [];

  /** @param publishers - By name; `inOrder` where the queue has one consumer, with one handler at a time. */
  constructor(publishers: readonly { readonly name: string; readonly inOrder: boolean }[]) {
    this.#accounts = new Map(publishers.map(({ name, inOrder }) => [name, new Account(name, inOrder)]));
  }

  /** A publisher was told what became of a message. */
  settled(publisher: string, sequence: number, outcome: PublishOutcome): void {
    this.#account(publisher).settled(sequence, outcome);
  }

  /** A publisher is done; it handed over so many messages. */
  finished(publisher: string, published: number): void {
    this.#account(publisher).published = published;
  }

  /** A handler got a message out of a queue, which has its publisher's name. */
  consumed(queue: string, body: string): void {
    const [publisher, digits = ""] = body.split(":");
    const isNumber = /^\d+$/.test(digits);
    if (publisher === queue && isNumber) this.#account(queue).consumed(Number(digits));
    else this.#strangers.push(`${queue} had the message ${JSON.stringify(body)}`);
  }

  /** Whether all publishers are done, and everything that was confirmed was consumed. */
  get isBalanced(): boolean {
    return this.missing === 0 && [...this.#accounts.values()].every(({ published }) => published !== undefined);
  }

  /** Confirmed messages that were not consumed yet. */
  get missing(): number {
    return this.#sum(({ missing }) => missing.length);
  }

  get totals(): Totals {
    const count = (wanted: PublishOutcome): number => this.#sum(({ outcomes }) => outcomes.get(wanted)?.size ?? 0);
    return {
      published: this.#sum(({ published = 0 }) => published),
      confirmed: count("confirmed"),
      unknown: count("unknown"),
      notSent: count("not-sent"),
      refused: count("refused"),
      consumed: this.#sum(({ firsts }) => firsts.size),
      duplicates: this.#sum(({ duplicates }) => duplicates),
    };
  }

  /** What does not hold of a run that is over; empty when all is well. */
  get problems(): string[] {
    return [...this.#strangers.slice(0, shownProblems), ...[...this.#accounts.values()].flatMap((a) => a.problems)];
  }

  #account(name: string): Account {
    const account = this.#accounts.get(name);
    if (account === undefined) throw new Error(`there is no publisher ${name}`);
    return account;
  }

  #sum(of: (account: Account) => number): number {
    return [...this.#accounts.values()].reduce((sum, account) => sum + of(account), 0);
  }
}

/** What is known of one publisher's messages, by sequence number. */
class Account {
  readonly outcomes = new Map<PublishOutcome, Set<number>>();
  /** The messages that were consumed, in the order of their first time. */
  readonly firsts = new Set<number>();
  /** Messages that were handed over; known when the publisher has finished. */
  published: number | undefined;
  duplicates = 0;
  readonly #name: string;
  readonly #inOrder: boolean;
  readonly #settledTwice: number[] = [];

  constructor(name: string, inOrder: boolean) {
    this.#name = name;
    this.#inOrder = inOrder;
  }

  settled(sequence: number, outcome: PublishOutcome): void {
    if (this.#isSettled(sequence)) this.#settledTwice.push(sequence);
    const known = this.outcomes.get(outcome) ?? new Set<number>();
    this.outcomes.set(outcome, known.add(sequence));
  }

  consumed(sequence: number): void {
    if (this.firsts.has(sequence)) this.duplicates += 1;
    this.firsts.add(sequence);
  }

  get missing(): number[] {
    return [...this.#confirmed].filter((sequence) => !this.firsts.has(sequence));
  }

  get problems(): string[] {
    const { published = 0 } = this;
    const unsettled = Array.from({ length: published }, (_, sequence) => sequence).filter((s) => !this.#isSettled(s));
    const notSent = this.outcomes.get("not-sent") ?? new Set<number>();
    return [
      ...(this.published === undefined ? [`${this.#name} did not finish`] : []),
      ...this.#say("were confirmed, and never consumed", this.missing),
      ...this.#say("were published, and nobody was told what became of them", unsettled),
      ...this.#say("were settled twice", this.#settledTwice),
      ...this.#say(
        "were consumed, and never published",
        [...this.firsts].filter((sequence) => sequence >= published),
      ),
      ...this.#say(
        "were consumed, and said not to have been sent",
        [...this.firsts].filter((s) => notSent.has(s)),
      ),
      ...(this.#inOrder ? this.#say("came after a later one", this.#late()) : []),
    ];
  }

  /**
   * Confirmed messages whose first time came after that of a later one. What is not confirmed may have been on its way in
   * a connection that was given up, and come at any time.
   */
  #late(): string[] {
    const late: string[] = [];
    let highest = -1;
    for (const sequence of this.firsts) {
      if (!this.#confirmed.has(sequence)) continue;
      if (sequence < highest) late.push(`${sequence} (after ${highest})`);
      highest = Math.max(highest, sequence);
    }
    return late;
  }

  get #confirmed(): ReadonlySet<number> {
    return this.outcomes.get("confirmed") ?? new Set<number>();
  }

  #isSettled(sequence: number): boolean {
    return [...this.outcomes.values()].some((known) => known.has(sequence));
  }

  #say(what: string, sequences: readonly (number | string)[]): string[] {
    if (sequences.length === 0) return [];
    const shown = sequences.slice(0, shownProblems).join(", ");
    return [
      `${this.#name}: ${sequences.length} messages ${what}: ${shown}${sequences.length > shownProblems ? ", ..." : ""}`,
    ];
  }
}
