/** Whether options of publishes, and properties, have names that mean something. */

import { EncodedProperties, propertyFlags } from "../wire/properties.ts";
import { checkNames, type Names } from "./option-checks.ts";
import type { PublishOptions } from "./publisher-options.ts";

/** Messages whose names are checked. A check of each would cost; and what is misspelled, mostly is so from the first on. */
export const checkedMessages = 64;

/** The options of one message of a publisher. */
export const messageNames: Names<PublishOptions> = {
  exchange: true,
  routingKey: true,
  mandatory: true,
  properties: true,
  timeout: true,
  signal: true,
};

/**
 * Checks the names of options, and those of the `properties` among them.
 *
 * @throws UsageError INVALID_ARGUMENT
 */
export function checkMessageNames(given: unknown, names: object): void {
  checkNames(given, names);
  const { properties } = given;
  if (properties !== undefined && !(properties instanceof EncodedProperties)) checkPropertyNames(properties);
}

/** @throws UsageError INVALID_ARGUMENT */
export function checkPropertyNames(properties: unknown): void {
  checkNames(properties, propertyFlags, "properties", "properties.");
}

/** Checks the first messages of a channel or publisher. */
export class MessageNames {
  readonly #names: object;
  #left = checkedMessages;

  constructor(names: object) {
    this.#names = names;
  }

  /** @throws UsageError INVALID_ARGUMENT */
  check(message: unknown): void {
    if (this.#left === 0) return;
    this.#left -= 1;
    checkMessageNames(message, this.#names);
  }
}
