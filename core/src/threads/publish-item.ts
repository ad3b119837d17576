/** A message on its way to the thread that publishes it. */

import type { BasicPublishOptions } from "../client/channel-options.ts";
import { patience } from "../client/option-checks.ts";
import { encodeProperties } from "../client/outgoing-properties.ts";
import { isBytes } from "../wire/bytes.ts";
import { UsageError } from "../wire/errors.ts";
import { EncodedProperties } from "../wire/properties.ts";
import { ownBytes } from "./pack.ts";
import type { PublishItem } from "./protocol.ts";

/** A message that is published from another thread. */
export interface ThreadPublishOptions extends BasicPublishOptions {
  /**
   * The body need not stay here: a large one that has its buffer to itself may be handed over, not copied, and is empty
   * afterwards. Default false.
   */
  readonly transfer?: boolean | undefined;
}

/**
 * The item without its number and body.
 *
 * @throws UsageError INVALID_ARGUMENT for what cannot be sent.
 */
export function publishItem(message: ThreadPublishOptions, lane: number, abortable: boolean): PublishItem {
  checkPublishItem(message);
  const { exchange, routingKey, mandatory = false, properties, timeout } = message;
  return {
    type: "publish",
    lane,
    id: 0,
    exchange,
    routingKey,
    mandatory,
    properties: properties && ownBytes(encoded(properties).bytes),
    timeout,
    abortable,
    body: 0,
  };
}

/** @throws UsageError INVALID_ARGUMENT for what cannot be sent, but for its properties. */
export function checkPublishItem(message: ThreadPublishOptions): void {
  if (typeof message !== "object" || message === null) {
    throw new UsageError("INVALID_ARGUMENT", "basicPublish takes an object");
  }
  const { exchange, routingKey, body, timeout } = message;
  if (!isBytes(body)) throw new UsageError("INVALID_ARGUMENT", "A body is a Uint8Array");
  requireText(exchange, "exchange");
  requireText(routingKey, "routingKey");
  if (timeout !== undefined) patience(timeout, "timeout");
}

function encoded(properties: NonNullable<BasicPublishOptions["properties"]>): EncodedProperties {
  return properties instanceof EncodedProperties ? properties : encodeProperties(properties);
}

/** Lengths and characters are checked where the message is sent. */
function requireText(value: unknown, what: string): void {
  if (typeof value !== "string") throw new UsageError("INVALID_ARGUMENT", `${what} is a string`);
}
