/** What becomes of a transaction when its channel is lost: the server undoes it, and the application has to know. */

import type { Outcome } from "../wire/errors.ts";
import { type EndError, endedWith, TransactionError } from "./errors.ts";

/** The transactions of one channel, one after the other. */
export class Transaction {
  /** How often something was published or settled. */
  #done = 0;
  /** How much of that is committed, rolled back or lost. */
  #finished = 0;
  #cause: EndError | undefined;

  /** The work up to now, for {@link finished}. */
  get done(): number {
    return this.#done;
  }

  /** Whether the server has work of it. */
  get isOpen(): boolean {
    return this.#done > this.#finished;
  }

  /** Something is settled. To a transaction whose work was lost nothing can be added. */
  settled(): void {
    if (this.aborted) throw this.problem();
    this.worked();
  }

  /** Something was published or settled. */
  worked(): void {
    this.#done += 1;
  }

  /** The server answered a commit or a rollback. What was done since it was asked belongs to the next transaction. */
  finished(done: number): void {
    this.#finished = Math.max(this.#finished, done);
  }

  /** The channel was lost. A transaction without work cannot be missed. */
  lost(cause: EndError): void {
    if (this.isOpen) this.missed(cause);
    this.#finished = this.#done;
  }

  /** Something was lost that would have been part of it. */
  missed(cause: EndError | undefined): void {
    this.#cause = cause;
  }

  /** Whether work was lost, and nobody has rolled it back yet. */
  get aborted(): boolean {
    return this.#cause !== undefined;
  }

  /** The application gives up the work up to `done`. What it did after that, and was lost as well, it still has to miss. */
  rolledBack(done: number): void {
    if (done >= this.#finished) this.#cause = undefined;
  }

  /** Why nothing can be added to the transaction, and nothing of it committed. */
  problem(): TransactionError {
    return new TransactionError("TRANSACTION_ABORTED", this.#cause);
  }

  /** What is said of a commit that was not answered. Where the channel comes back, the application may ask again. */
  commitError(end: EndError, outcome: Outcome, comesBack: boolean): Error {
    return outcome === "unknown" && comesBack ? new TransactionError("COMMIT_UNKNOWN", end) : endedWith(end, outcome);
  }
}
