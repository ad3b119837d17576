/** What the applications of a run have told, and what was wrong. */

import { poll } from "../../rabbitmq/poll.ts";
import { Ledger, type Totals } from "./ledger.ts";
import type { Notice } from "./protocol.ts";
import { Timeline } from "./timeline.ts";
import type { QueuePlan } from "./topology.ts";

/** How long it may take in the end until everything has arrived. */
const arrivesWithin = 120_000;

/** What is counted of every run. */
type Counted = "lost" | "failures" | "replaced" | "redelivered";

export class RunRecord {
  readonly timeline: Timeline = new Timeline();
  readonly problems: string[] = [];
  readonly #ledger: Ledger;
  readonly #counts = new Map<Counted, number>();

  constructor(queues: readonly QueuePlan[]) {
    this.#ledger = new Ledger(queues.map(({ queue, inOrder }) => ({ name: queue, inOrder })));
  }

  /** Takes a notice of an application. Those that only some runs have are left to them. */
  hear(notice: Notice): void {
    switch (notice.type) {
      case "published": {
        for (const [sequence, outcome] of notice.outcomes) this.#ledger.settled(notice.queue, sequence, outcome);
        const confirmed = notice.outcomes.filter(([, outcome]) => outcome === "confirmed");
        const times = confirmed.map(([, , at]) => at);
        return this.timeline.confirmed(notice.queue, times);
      }
      case "finished":
        return this.#ledger.finished(notice.queue, notice.published);
      case "consumed":
        this.#count("redelivered", notice.redelivered);
        for (const body of notice.bodies) this.#ledger.consumed(notice.queue, body);
        return;
      case "lost":
        return this.#count("lost", 1);
      case "recovered":
        this.timeline.outages.push(notice.took);
        for (const failure of notice.failures) say(`${notice.role}, not recovered: ${failure}`);
        return this.#count("failures", notice.failures.length);
      case "replaced":
        say(`${notice.role}, consumer ended: ${notice.why}`);
        return this.#count("replaced", 1);
      case "ready":
      case "churned":
      case "weight":
        return;
    }
  }

  get totals(): Totals {
    return this.#ledger.totals;
  }

  /** How often something was told. */
  countOf(what: Counted): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Waits until everything that was confirmed was consumed. That it was not is a problem. */
  async everythingArrived(): Promise<void> {
    await poll(() => (this.#ledger.isBalanced ? true : undefined), {
      within: arrivesWithin,
      every: 500,
      late: () =>
        new Error(`${this.#ledger.missing} confirmed messages did not arrive within ${arrivesWithin / 1000} s`),
    }).catch((error: unknown) => this.problems.push(String(error)));
  }

  /** Adds what is wrong with the applications' ends, and with what was published and consumed. */
  close(ends: readonly (string | undefined)[]): void {
    this.problems.push(...ends.filter((end) => end !== undefined), ...this.#ledger.problems);
  }

  /** Says what was wrong, or that all is `well`; returns the exit code. */
  conclude(well: string): number {
    for (const problem of this.problems) console.log(`PROBLEM: ${problem}`);
    console.log(this.problems.length === 0 ? well : "FAILED");
    return this.problems.length === 0 ? 0 : 1;
  }

  #count(what: Counted, by: number): void {
    this.#counts.set(what, this.countOf(what) + by);
  }
}

/** Prints a line with the time of day. */
export function say(text: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);
}
