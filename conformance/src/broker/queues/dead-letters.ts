/** Dead letters: what a message becomes when a queue gives it up, and where it may not go. */

import { array, long, longstr, table, timestamp } from "../codec/field-builders.ts";
import { type Field, type Fields, integerValue, lookup, nestedFields, textValue } from "../codec/fields.ts";
import type { Millis } from "../lib/timers.ts";
import { keysOf, Message } from "../message.ts";
import type { Profile } from "../profile.ts";
import type { QueueType } from "../topology/queue-arguments.ts";
import type { DeathReason } from "./queue.ts";

/** A queue that gives messages up. */
export interface Grave {
  readonly name: string;
  readonly type: QueueType;
  readonly deadLetterExchange: string;
  /** `undefined`: messages keep their own keys. */
  readonly deadLetterRoutingKey: string | undefined;
}

/** The message that goes to the dead letter exchange. */
export function deadLetter(
  message: Message,
  grave: Grave,
  reason: DeathReason,
  now: Millis,
  profile: Profile,
): Message {
  const { deadLetterRoutingKey: key } = grave;
  const headers = message.headers ?? [];
  const kept = headers.filter(
    ({ name }) => !(name === "CC" && key !== undefined && !profile.deadLettersKeepCopies) && !isDeathHeader(name),
  );
  const counts = message.hasDied || profile.honoursPublishedDeaths;
  const earlier = counts ? deathsOf(headers) : [];
  const deaths = recordDeath(earlier, deathOf(message, grave.name, reason, now));
  const first = counts ? headers.filter(({ name }) => name.startsWith("x-first-death-")) : [];
  const properties = message.properties.with({
    expiration: undefined,
    headers: [
      ...kept,
      array(
        "x-death",
        deaths.map((death) => table("", death)),
      ),
      ...(earlier.length > 0 ? first : summary("x-first-death", message, grave.name, reason)),
      ...(profile.reportsLastDeath ? summary("x-last-death", message, grave.name, reason) : []),
    ],
  });
  return new Message(grave.deadLetterExchange, key ?? message.routingKey, properties, message.body, {
    hasDied: true,
    hasNewKey: message.hasNewKey || key !== undefined,
    rejections: message.rejections + (grave.type === "quorum" && reason === "rejected" ? 1 : 0),
  });
}

/**
 * True when a dead letter would come to a queue where it has died before, and nobody has rejected it on the way: it
 * would go round for ever.
 */
export function isCycle(letter: Message, reason: DeathReason, queue: string): boolean {
  if (reason === "rejected") return false;
  const deaths = deathsOf(letter.headers ?? []);
  const last = deaths.findIndex((death) => textValue(lookup(death, "queue")) === queue);
  if (last < 0) return false;
  return deaths.slice(0, last + 1).every((death) => textValue(lookup(death, "reason")) !== "rejected");
}

/** The deaths that a header tells, the latest first. */
export function deathsOf(headers: Fields): readonly Fields[] {
  const field = lookup(headers, "x-death");
  return field === undefined ? [] : nestedFields(field).map(nestedFields);
}

function isDeathHeader(name: string): boolean {
  return name === "x-death" || name.startsWith("x-first-death-") || name.startsWith("x-last-death-");
}

function deathOf(message: Message, queue: string, reason: DeathReason, now: Millis): Fields {
  const { expiration } = message.properties;
  const keys = [message.routingKey, ...(message.hasNewKey ? [] : keysOf(message.headers ?? [], "CC"))];
  return [
    long("count", 1),
    longstr("reason", reason),
    longstr("queue", queue),
    timestamp("time", Math.max(0, Math.floor(now / 1000))),
    longstr("exchange", message.exchange),
    array(
      "routing-keys",
      keys.map((key) => longstr("", key)),
    ),
    ...(expiration === undefined ? [] : [longstr("original-expiration", expiration)]),
  ];
}

/** Puts a death in front. A queue and a reason have one entry, which counts; it keeps what it said the first time. */
function recordDeath(deaths: readonly Fields[], death: Fields): readonly Fields[] {
  const same = (other: Fields): boolean =>
    ["queue", "reason"].every((name) => textValue(lookup(other, name)) === textValue(lookup(death, name)));
  const before = deaths.find(same);
  if (before === undefined) return [death, ...deaths];
  const counted = before.map((field) => (field.name === "count" ? increment(field) : field));
  return [counted, ...deaths.filter((other) => !same(other))];
}

function increment(count: Field): Field {
  return long(count.name, (integerValue(count) ?? 0n) + 1n);
}

function summary(prefix: string, message: Message, queue: string, reason: DeathReason): Fields {
  return [
    longstr(`${prefix}-reason`, reason),
    longstr(`${prefix}-queue`, queue),
    longstr(`${prefix}-exchange`, message.exchange),
  ];
}
