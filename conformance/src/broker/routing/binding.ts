/** Bindings: what leads from an exchange to a queue or to another exchange. */

import type { Fields } from "../codec/fields.ts";
import { encodeFields } from "../codec/fields.ts";
import { binaryString } from "../codec/octets.ts";

/** A binding of an exchange to a destination. */
export interface Binding<Destination> {
  readonly destination: Destination;
  readonly routingKey: string;
  readonly arguments: Fields;
}

/** What routing looks at. */
export interface Routable {
  readonly headers: Fields | undefined;
}

/**
 * The bindings of one exchange, kept in the way that its type finds them fastest. A destination may be found more than
 * once: whoever asks keeps each once.
 */
export interface RoutingTable<Destination> {
  add(binding: Binding<Destination>): void;
  /** Takes away a binding that was added: the same object. */
  remove(binding: Binding<Destination>): void;
  match(routingKey: string, message: Routable, found: (destination: Destination) => void): void;
}

/** What makes two bindings of the same exchange to the same destination one: the key, and the arguments in any order. */
export function bindingIdentity(routingKey: string, bindingArguments: Fields): string {
  const sorted = [...bindingArguments].sort((left, right) => (left.name < right.name ? -1 : 1));
  return `${routingKey}\0${binaryString(encodeFields(sorted))}`;
}
