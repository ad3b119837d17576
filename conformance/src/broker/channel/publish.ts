/** `basic.publish`: the checks in RabbitMQ's order, then the way into the queues. */

import { type Field, type Fields, lookup, MalformedTable, normalised } from "../codec/fields.ts";
import { MalformedProperties, Properties } from "../codec/properties.ts";
import { describe, Refusal } from "../failures.ts";
import { Message, routingKeys } from "../message.ts";
import type { Profile } from "../profile.ts";
import { expiryReason } from "../topology/queue-arguments.ts";
import type { Channel } from "./channel.ts";
import type { ReceivedPublish } from "./content-assembler.ts";
import { addressOf, isReplyName, replyQueue } from "./direct-reply.ts";
import { deliverPublish, type RoutedPublish } from "./routed-publish.ts";

/**
 * Handles a publish whose content is complete.
 *
 * @throws Refusal
 */
export function publish(channel: Channel, received: ReceivedPublish): void {
  const { fields } = received;
  const { owner } = channel;
  const { virtualHost } = owner;
  if (fields.immediate) throw new Refusal("NOT_IMPLEMENTED", "immediate=true");
  checkSize(received.bodySize, owner.services.maxMessageSize);
  owner.user.check("write", "exchange", fields.exchange, virtualHost.name);
  const exchange = virtualHost.exchange(fields.exchange);
  if (exchange.internal) {
    const what = describe("exchange", exchange.name, virtualHost.name);
    throw new Refusal("ACCESS_REFUSED", `cannot publish to internal ${what}`);
  }
  const { properties, headers } = readProperties(received.properties);
  const addressed = withReplyAddress(properties, channel);
  checkUserId(properties, channel);
  checkExpiration(properties);
  checkDeliveryMode(properties, virtualHost.profile);
  checkCopies(headers);
  const message = new Message(
    fields.exchange,
    fields.routingKey,
    cleaned(addressed, headers, virtualHost.profile),
    received.body,
  );
  // The blind copies are taken from the message as it came; the message that leaves does not show them.
  const keys = routingKeys(fields.routingKey, headers);
  const replies = exchange.name === "" ? keys.filter(isReplyName) : [];
  const queues = virtualHost.route(exchange, message, keys);
  confirmed(channel, { message, queues, replies, mandatory: fields.mandatory });
}

/** Delivers now or at commit, and numbers the publish where it is confirmed. */
function confirmed(channel: Channel, routed: RoutedPublish): void {
  const { mode } = channel;
  switch (mode.kind) {
    case "plain":
      deliverPublish(channel, routed);
      return;
    case "transaction":
      mode.transaction.publish(routed);
      return;
    case "confirm": {
      const { options } = mode.confirms;
      const sequence = mode.confirms.begin();
      const isLost = options.nackRate > 0 && channel.owner.services.random() < options.nackRate;
      mode.confirms.settle(sequence, isLost ? "nack" : deliverPublish(channel, routed));
    }
  }
}

function checkSize(size: number, limit: number): void {
  if (size <= limit) return;
  throw new Refusal("PRECONDITION_FAILED", `message size ${size} is larger than configured max size ${limit}`);
}

/** What does not parse crashes RabbitMQ's channel. */
function readProperties(octets: Uint8Array): { readonly properties: Properties; readonly headers: Fields | undefined } {
  try {
    const properties = new Properties(octets);
    return { properties, headers: properties.headers };
  } catch (error) {
    if (error instanceof MalformedProperties || error instanceof MalformedTable) {
      throw new Refusal("INTERNAL_ERROR", "", { blames: "none" });
    }
    throw error;
  }
}

/** The requester says `amq.rabbitmq.reply-to`; the responder gets an address. */
function withReplyAddress(properties: Properties, channel: Channel): Properties {
  if (properties.replyTo !== replyQueue) return properties;
  if (channel.replyConsumer === undefined) {
    throw new Refusal("PRECONDITION_FAILED", "fast reply consumer does not exist");
  }
  return properties.with({ replyTo: addressOf(channel.replyConsumer) });
}

function checkUserId(properties: Properties, { owner }: Channel): void {
  const { userId } = properties;
  if (userId === undefined || userId === owner.user.name || owner.user.impersonator) return;
  throw new Refusal(
    "PRECONDITION_FAILED",
    `user_id property set to '${userId}' but authenticated user was '${owner.user.name}'`,
  );
}

/** A time to live is a decimal integer, nothing before or behind it but a sign. */
function checkExpiration(properties: Properties): void {
  const { expiration } = properties;
  if (expiration === undefined) return;
  const [, digits, rest] = /^([+-]?\d+)(.*)$/s.exec(expiration) ?? [];
  let reason: string | undefined;
  if (digits === undefined) reason = "no_integer";
  else if (rest !== "") reason = `{leftover_string,"${rest}"}`;
  else reason = expiryReason(BigInt(digits.replace("+", "")));
  if (reason !== undefined) throw new Refusal("PRECONDITION_FAILED", `invalid expiration '${expiration}': ${reason}`);
}

function checkDeliveryMode({ deliveryMode }: Properties, profile: Profile): void {
  if (!profile.strictDeliveryMode || deliveryMode === undefined || deliveryMode === 1 || deliveryMode === 2) return;
  throw new Refusal("PRECONDITION_FAILED", `invalid message: {delivery_mode_unknown,${deliveryMode}}`);
}

function checkCopies(headers: Fields | undefined): void {
  for (const name of ["CC", "BCC"]) {
    const field: Field | undefined = lookup(headers ?? [], name);
    if (field === undefined || field.type === "array") continue;
    const reason = `{unacceptable_type_in_header,"${name}",${field.type}}`;
    throw new Refusal("PRECONDITION_FAILED", `invalid message: ${reason}`);
  }
}

/** What leaves: without blind copies, and with headers in the version's order. */
function cleaned(properties: Properties, headers: Fields | undefined, profile: Profile): Properties {
  if (profile.normalisesExpiration && properties.expiration?.startsWith("+") === true) {
    const expiration = properties.expiration.slice(1);
    return cleaned(properties.with({ expiration }), headers, profile);
  }
  if (headers === undefined) return properties;
  const visible = lookup(headers, "BCC") === undefined ? headers : headers.filter(({ name }) => name !== "BCC");
  const ordered = profile.normalisesHeaders ? normalised(visible) : visible;
  return ordered === headers ? properties : properties.with({ headers: ordered });
}
