/** The calls that begin and end transactions: each in its turn, behind what was called before it. */

import type { ChannelEngine } from "../engine/channel-engine.ts";
import type { Outcome } from "../wire/errors.ts";
import type { ChannelCore } from "./channel-core.ts";
import { AbortError, type EndError } from "./errors.ts";
import { inTurn } from "./in-turn.ts";
import type { Transaction } from "./transaction.ts";

/** Sends a settlement. */
export type Settle = (engine: ChannelEngine) => void;

/**
 * The transactions of one channel. While a call that begins or ends one waits, behind messages that wait for room,
 * settlements wait behind it.
 */
export class Transactions {
  readonly #channel: ChannelCore;
  /** What is in them; `undefined` before `tx.select`, and where a channel that is lost does not come back. */
  #work: Transaction | undefined;
  /** Calls and settlements that wait for their turn. */
  #waiting = 0;
  /** The server has agreed to have transactions. */
  #isSelected = false;

  constructor(channel: ChannelCore) {
    this.#channel = channel;
    channel.settlement.transactions = this;
  }

  /** What publishes and settlements are part of. */
  get work(): Transaction | undefined {
    return this.#work;
  }

  /** Whether what is settled has to wait. */
  get waits(): boolean {
    return this.#waiting > 0;
  }

  /** Settles behind everything that was called before. No more of that waits than there are deliveries to be settled. */
  settle(settle: Settle): void {
    const { engine, link, settlement } = this.#channel;
    const { generation } = settlement;
    this.behind(() => {
      // It was lost with its channel, or is about to be.
      if (settlement.isStale) return this.#work?.missed(settlement.lostBy);
      // The server has taken back what it is about.
      if (settlement.generation !== generation) return;
      this.#work?.worked();
      settle(engine);
      link.touch();
    });
  }

  // Calls

  /** Begins to have transactions. What was published before is part of none. */
  async select(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#inTurn(signal, () => {
        // What is published or settled from now on may belong to one.
        this.#work ??= this.#channel.recorder?.newTransaction();
        return this.#channel.ask("tx.select", {}, { signal, value: () => (this.#isSelected = true) });
      });
    } catch (error) {
      // Who does not wait for the answer any more may have transactions all the same.
      if (!this.#isSelected && !(error instanceof AbortError)) this.#work = undefined;
      throw error;
    }
  }

  /** Commits, or says why that cannot be. */
  commit(signal: AbortSignal | undefined): Promise<unknown> {
    return this.#inTurn(signal, async () => {
      const work = this.#work;
      if (work?.aborted === true) throw work.problem();
      const done = work?.done ?? 0;
      return this.#channel.ask(
        "tx.commit",
        {},
        {
          signal,
          value: () => work?.finished(done),
          errorOf: work && ((end: EndError, outcome: Outcome) => work.commitError(end, outcome, !this.#channel.live)),
          // What would be committed after a loss is another transaction.
          again: () => this.commit(signal),
        },
      );
    });
  }

  /** Rolls back. What was lost with a connection is rolled back already; there may be more since. */
  rollback(signal: AbortSignal | undefined, upTo?: number): Promise<unknown> {
    return this.#inTurn(signal, async (): Promise<unknown> => {
      const work = this.#work;
      const done = upTo ?? work?.done ?? 0;
      if (work?.aborted === true) {
        work.rolledBack(done);
        if (!work.isOpen) return;
      }
      return this.#channel.ask(
        "tx.rollback",
        {},
        {
          signal,
          value: () => work?.finished(done),
          again: () => this.rollback(signal, done),
        },
      );
    });
  }

  /** Makes a call behind everything that was called before, and ahead of everything that comes later. */
  #inTurn(signal: AbortSignal | undefined, call: () => Promise<unknown>): Promise<unknown> {
    const { publishing, settlement, engine } = this.#channel;
    // With confirms there are no transactions, as the server will say.
    if (publishing.isIdle || engine.mode === "confirm") return call();
    settlement.flush();
    return inTurn((go) => this.behind(go), signal, call);
  }

  /** Does something behind everything that was called before. What is returned gives it up. */
  behind(go: () => void): () => void {
    this.#waiting += 1;
    const leave = this.#channel.publishing.behind(() => {
      this.#waiting -= 1;
      go();
    });
    return () => {
      if (leave()) this.#waiting -= 1;
    };
  }
}
