/** The fanout exchange: every binding matches. */

import type { Binding, Routable, RoutingTable } from "./binding.ts";

export class FanoutTable<Destination> implements RoutingTable<Destination> {
  readonly #bindings = new Set<Binding<Destination>>();

  add(binding: Binding<Destination>): void {
    this.#bindings.add(binding);
  }

  remove(binding: Binding<Destination>): void {
    this.#bindings.delete(binding);
  }

  match(_routingKey: string, _message: Routable, found: (destination: Destination) => void): void {
    for (const binding of this.#bindings) found(binding.destination);
  }
}
