/** What becomes of a transaction when its channel is lost: the server undoes it, and the application has to know. */

import type { EndError } from "./errors.ts";
import { TransactionError } from "./errors.ts";

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
    if (this.#done > this.#finished) this.#cause = cause;
    this.#finished = this.#done;
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
}
