/** The direct exchange: the routing key is the binding's. */

import type { Binding, Routable, RoutingTable } from "./binding.ts";

export class DirectTable<Destination> implements RoutingTable<Destination> {
  readonly #byKey = new Map<string, Set<Binding<Destination>>>();

  add(binding: Binding<Destination>): void {
    const bindings = this.#byKey.get(binding.routingKey);
    if (bindings === undefined) this.#byKey.set(binding.routingKey, new Set([binding]));
    else bindings.add(binding);
  }

  remove(binding: Binding<Destination>): void {
    const bindings = this.#byKey.get(binding.routingKey);
    bindings?.delete(binding);
    if (bindings?.size === 0) this.#byKey.delete(binding.routingKey);
  }

  match(routingKey: string, _message: Routable, found: (destination: Destination) => void): void {
    const bindings = this.#byKey.get(routingKey);
    if (bindings !== undefined) for (const binding of bindings) found(binding.destination);
  }
}
