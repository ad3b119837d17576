/**
 * Whose connections would declare what again: after the broker has lost everything, a thing is there again when the
 * connection that declared it has recovered.
 */

import type { Exchanges, OwnedBinding, OwnedExchange } from "../exchanges.ts";
import type { Owned, Queues } from "../queues.ts";
import { isPermanentName } from "./messages.ts";
import type { Session } from "./session.ts";

export class Keepers {
  readonly #keepers = new Map<Owned, Session>();
  /** What was lost, and is there again if its keeper has recovered. */
  readonly #lost = new Set<Owned>();
  /** Sessions that could not bring back everything. */
  readonly #failed = new Set<Session>();

  /** A session declared it, and was answered. */
  declared(one: Owned, session: Session): void {
    this.#keepers.set(one, session);
    this.#lost.delete(one);
  }

  /** A session told of something that it could not bring back, because the simulation kept it from that. */
  failed(session: Session): void {
    this.#failed.add(session);
  }

  /** The broker lost everything. */
  allLost(queues: Queues, exchanges: Exchanges): void {
    for (const queue of queues.all) this.#lose(queue);
    for (const exchange of exchanges.all) {
      this.#lose(exchange);
      for (const binding of exchange.bindings) this.#lose(binding, this.#holdsBoth(exchange, binding));
    }
  }

  /** Whether a queue was there since somebody declared it: it is of those that nobody deletes, and nothing was lost. */
  hasAlwaysBeen(queue: string): boolean {
    return isPermanentName(queue) && this.#lost.size === 0;
  }

  /** Whether nobody can say if it is there: it was lost, and its keeper is not back. */
  isDoubtful(one: Owned): boolean {
    if (!this.#lost.has(one)) return false;
    const keeper = this.#keepers.get(one);
    if (keeper === undefined || this.#failed.has(keeper)) return true;
    return !keeper.active || keeper.connection?.state !== "open";
  }

  #lose(one: Owned, comesBack = true): void {
    this.#lost.add(one);
    one.disturbed ||= one.busy;
    if (one.busy || !comesBack || this.#keepers.get(one)?.active !== true) one.state = "unknown";
  }

  /** A binding comes back if both of its ends do, and with the same connection. */
  #holdsBoth(exchange: OwnedExchange, binding: OwnedBinding): boolean {
    const keeper = this.#keepers.get(binding);
    const ends = [exchange, binding.queue];
    return ends.every((end) => end.state === "present" && this.#keepers.get(end) === keeper);
  }
}
