/** What becomes of a transaction when its channel is lost: the server undoes it, and the application has to know. */

import type { EndError } from "./errors.ts";
import { TransactionError } from "./errors.ts";

/** The transactions of one channel, one after the other. */
export class Transaction {
  #hasWork = false;
  #cause: EndError | undefined;

  /** Something was published or settled. */
  worked(): void {
    this.#hasWork = true;
  }

  /** The server answered a commit or a rollback. */
  finished(): void {
    this.#hasWork = false;
  }

  /** The channel was lost. A transaction without work cannot be missed. */
  lost(cause: EndError): void {
    if (this.#hasWork) this.#cause = cause;
    this.#hasWork = false;
  }

  /** Whether work was lost, and nobody has rolled it back yet. */
  get aborted(): boolean {
    return this.#cause !== undefined;
  }

  /** The application knows. */
  rolledBack(): void {
    this.#cause = undefined;
  }

  /** Why nothing can be added to the transaction, and nothing of it committed. */
  problem(): TransactionError {
    return new TransactionError("TRANSACTION_ABORTED", this.#cause);
  }
}
