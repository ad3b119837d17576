/** What a message that is tried again carries: how often it was tried, and where it came from first. */

import { type FieldTable, type FieldValue, TypedValue } from "../../wire/field-values.ts";
import type { BasicProperties } from "../../wire/properties.ts";
import type { Delivery } from "../delivery.ts";
import type { WithProperties } from "../message-headers.ts";

/** Failed attempts so far. */
const countHeader = "x-retry-count";
/** The exchange and the routing key that the message was published with, and its further routing keys. */
const exchangeHeader = "x-retry-exchange";
const routingKeyHeader = "x-retry-routing-key";
const ccHeader = "x-retry-cc";
/** The queue that it was taken from. */
const queueHeader = "x-retry-queue";
/** Its own headers are gone: with those of the retry they did not fit into a frame. */
const bareHeader = "x-retry-without-headers";

/** Where a message stands. */
export interface RetryState {
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** The exchange that the message was published to at first; `delivery.exchange` is that of its retry. */
  readonly exchange: string;
  /** The routing key that it was published with at first. */
  readonly routingKey: string;
}

/** Where a message stands that `openRetryingConsumer` consumes, or has put aside. */
export function retryStateOf({
  properties: { headers },
  exchange,
  routingKey,
}: WithProperties & Pick<Delivery, "exchange" | "routingKey">): RetryState {
  const count = headers?.[countHeader];
  const failed = typeof count === "number" && Number.isInteger(count) && count > 0 ? count : 0;
  const firstExchange = headers?.[exchangeHeader];
  const firstRoutingKey = headers?.[routingKeyHeader];
  return {
    attempt: failed + 1,
    exchange: typeof firstExchange === "string" ? firstExchange : exchange,
    routingKey: typeof firstRoutingKey === "string" ? firstRoutingKey : routingKey,
  };
}

/**
 * The properties of a message's copy that is tried again, or put aside.
 *
 * Left out is what the broker would act upon once more: CC would send the copy elsewhere as well, an expiration would cut
 * its delay short, and a user id that is not ours would be refused. `x-death` would, before RabbitMQ 4.0, make the broker
 * take the way back for a cycle, and drop the message.
 */
export function retryProperties(delivery: Delivery, queue: string, failed: number): BasicProperties {
  const { headers: given = {}, ...properties } = delivery.properties;
  const { exchange, routingKey } = retryStateOf(delivery);
  const { CC, BCC: _, "x-death": __, "x-delivery-count": ___, "x-acquired-count": ____, ...kept } = given;
  const headers: FieldTable = {
    ...asReceived(kept),
    ...(CC !== undefined && { [ccHeader]: CC }),
    [countHeader]: failed,
    [exchangeHeader]: exchange,
    [routingKeyHeader]: routingKey,
    [queueHeader]: queue,
  };
  return { ...properties, headers, expiration: undefined, userId: undefined };
}

/** As {@link retryProperties}, without the headers that the message came with, which may be more than a frame holds. */
export function bareRetryProperties(delivery: Delivery, queue: string, failed: number): BasicProperties {
  const { exchange, routingKey } = retryStateOf(delivery);
  const headers: FieldTable = {
    [countHeader]: failed,
    [exchangeHeader]: exchange,
    [routingKeyHeader]: routingKey,
    [queueHeader]: queue,
    [bareHeader]: true,
  };
  return { ...delivery.properties, headers, expiration: undefined, userId: undefined };
}

/** Doubles beyond 64 bits look like integers, and would be refused as such. */
function asReceived(table: FieldTable): FieldTable {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name, value && sendable(value)]));
}

function sendable(value: FieldValue): FieldValue {
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return new TypedValue("double", value);
  }
  if (Array.isArray(value)) return value.map(sendable);
  const isTable = typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return isTable ? asReceived(value as FieldTable) : value;
}
