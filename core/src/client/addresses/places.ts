/** Places: where to connect to and what to say there, from a URI, from options or from a list; files are not read yet. */

import { checkProposals } from "../../engine/tuning.ts";
import type { Address, Addresses } from "./addresses.ts";
import { illegal, illegalSecret, isRecord, named } from "../option-checks.ts";
import type { ConnectOptions } from "../parameters.ts";
import type { ParsedUri } from "./uri-parts.ts";

/** One place, checked. */
export interface Place {
  readonly address: Address;
  readonly parameters: PlaceParameters;
}

/** The options that may differ from place to place: what is said in the handshake. Others may be beside them. */
export type PlaceParameters = Pick<ConnectOptions, (typeof placeParameterNames)[number]>;

export const placeParameterNames = [
  "credentials",
  "virtualHost",
  "connectionName",
  "clientProperties",
  "locale",
  "channelMax",
  "frameMax",
  "heartbeat",
] as const;

const mostEndpoints = 1024;

/** The place that options say, or the URI among them; `options` has the parameters of the URI already, and wins. */
export function placeOf(uri: ParsedUri | undefined, options: ConnectOptions, addresses: Addresses): Place {
  const address = uri === undefined ? addresses.ofOptions(options) : addresses.ofUri(uri, options, "options");
  return checked({ address, parameters: options }, options, addresses, "");
}

/**
 * The places of a list. What an element says wins over the options.
 *
 * @param name The list's own, for errors.
 * @throws UsageError when the list or an element of it is not legal.
 */
export function listedPlaces(
  list: unknown,
  options: ConnectOptions,
  addresses: Addresses,
  name: string,
): readonly Place[] {
  if (!Array.isArray(list)) throw illegal(name, "an array of endpoints", list);
  if (list.length === 0 || list.length > mostEndpoints) {
    throw illegalSecret(name, `an array of 1 to ${mostEndpoints} endpoints, not of ${list.length}`);
  }
  return list.map((element: unknown, index) => listedPlace(element, options, addresses, `${name}[${index}]`));
}

function listedPlace(element: unknown, options: ConnectOptions, addresses: Addresses, name: string): Place {
  const prefix = `${name}: `;
  if (typeof element === "string") {
    const uri = named(prefix, () => addresses.parse(element));
    addresses.checkListed(uri, name);
    const address = addresses.ofUri(uri, options, "uri");
    return checked({ address, parameters: { ...options, ...uri.parameters } }, options, addresses, prefix);
  }
  if (!isRecord(element)) throw illegal(name, "a URI or an object", element);
  return checked(
    { address: addresses.ofParts(element, options, name), parameters: options },
    options,
    addresses,
    prefix,
  );
}

/** What can only be checked when everything that is said of a place is together. */
function checked(place: Place, options: ConnectOptions, addresses: Addresses, prefix: string): Place {
  named(prefix, () => checkProposals({ mechanisms: [], ...place.parameters }));
  addresses.check(place.address, options, prefix);
  return place;
}
