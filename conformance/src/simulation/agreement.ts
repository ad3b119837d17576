/** What both sides have to agree on when all is quiet. */

import type { BindingSnapshot, Broker } from "../broker/index.ts";
import { invariant } from "./violation.ts";
import type { Exchanges } from "./exchanges.ts";
import type { Owned, Queues } from "./queues.ts";

/**
 * Both sides agree on which exchanges, queues and bindings there are.
 *
 * @param mayComeBack - What an operator deleted may have been declared again, by a client that recovered.
 * @param isDoubtful - Whether nobody can say if something is there.
 */
export function checkTopology(
  broker: Broker,
  queues: Queues,
  exchanges: Exchanges,
  mayComeBack = false,
  isDoubtful: (one: Owned) => boolean = () => false,
): void {
  const check = (one: Owned, exists: boolean): void => {
    const { name, state, busy } = one;
    const agrees = exists ? state === "present" || mayComeBack : state === "absent";
    invariant(
      state === "unknown" || busy || agrees || isDoubtful(one),
      "both sides agree on the topology",
      () => `${name}, ${state} for its owner`,
    );
  };
  for (const queue of queues.all) check(queue, broker.queue(queue.name) !== undefined);
  const known = new Set(broker.exchanges().map(({ name }) => name));
  const bound = broker.bindings();
  for (const exchange of exchanges.all) {
    check(exchange, known.has(exchange.name));
    for (const binding of exchange.bindings) {
      const isThis = (one: BindingSnapshot): boolean =>
        one.source === exchange.name &&
        one.destination === binding.queue.name &&
        one.routingKey === binding.routingKey &&
        JSON.stringify(one.arguments) === JSON.stringify(binding.arguments);
      check(binding, bound.some(isThis));
    }
  }
}
