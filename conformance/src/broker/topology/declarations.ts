/** Declaring exchanges and queues: what is new, what is the same, and what is refused. */

import { type Fields, lookup } from "../codec/fields.ts";
import { longstr } from "../codec/field-builders.ts";
import { describe, Refusal } from "../failures.ts";
import type { Profile } from "../profile.ts";
import type { Queue } from "../queues/queue.ts";
import { Equivalence } from "./equivalence.ts";
import { type Exchange, type ExchangeDeclaration, isExchangeType } from "./exchange.ts";
import { checkQueueArguments, comparedArguments, moduleNameOf, queueTypeOf, readSettings } from "./queue-arguments.ts";
import type { VirtualHost } from "./virtual-host.ts";

const reservedPrefix = "amq.";

/** The properties of a queue declaration, as the client gave them. */
export interface QueueWish {
  readonly name: string;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Fields;
}

/** The declaration of an exchange, as the client gave it. */
export type ExchangeWish = Omit<ExchangeDeclaration, "type"> & { readonly type: string };

/** @throws Refusal COMMAND_INVALID or PRECONDITION_FAILED, by version */
export function checkExchangeType(type: string, virtualHost: VirtualHost): void {
  if (isExchangeType(type)) return;
  throw new Refusal(
    virtualHost.profile.unknownExchangeType,
    `${type === "" ? "invalid" : "unknown"} exchange type '${type}'`,
  );
}

/** @throws Refusal ACCESS_REFUSED */
export function checkNotDefaultExchange(name: string): void {
  if (name === "") throw new Refusal("ACCESS_REFUSED", "operation not permitted on the default exchange");
}

/** @throws Refusal ACCESS_REFUSED */
export function checkNotReserved(kind: "queue" | "exchange", name: string): void {
  if (!name.startsWith(reservedPrefix)) return;
  throw new Refusal("ACCESS_REFUSED", `${kind} name '${name}' contains reserved prefix '${reservedPrefix}*'`);
}

/** @throws Refusal ACCESS_REFUSED */
export function checkExchangeMayGo(name: string, virtualHost: VirtualHost): void {
  if (!name.startsWith(reservedPrefix)) return;
  const what = describe("exchange", name, virtualHost.name);
  throw new Refusal("ACCESS_REFUSED", `deletion of system ${what} not allowed`);
}

/**
 * Declares an exchange of a known type. The caller has checked permissions.
 *
 * @param mayUseAlternate - Checks the permissions that an alternate exchange needs.
 * @throws Refusal
 */
export function declareExchange(virtualHost: VirtualHost, wish: ExchangeWish, mayUseAlternate: () => void): Exchange {
  const { type } = wish;
  if (!isExchangeType(type)) throw new Error(`The type ${type} was not checked`);
  const existing = virtualHost.exchanges.get(wish.name);
  if (existing === undefined) {
    checkNotReserved("exchange", wish.name);
    checkNameArgument(wish.arguments, "alternate-exchange", describe("exchange", wish.name, virtualHost.name));
    if (lookup(wish.arguments, "alternate-exchange") !== undefined) mayUseAlternate();
    return virtualHost.addExchange({ ...wish, type });
  }
  const same = new Equivalence("exchange", wish.name, virtualHost.name);
  same.property("type", existing.type, type);
  same.property("durable", existing.durable, wish.durable);
  same.property("auto_delete", existing.autoDelete, wish.autoDelete);
  same.property("internal", existing.internal, wish.internal);
  same.argument("alternate-exchange", existing.arguments, wish.arguments);
  return existing;
}

/**
 * Declares a queue. The caller has checked permissions, and given it a name.
 *
 * @param client - The connection that will own it, if it is exclusive.
 * @param mayUseDeadLetters - Checks the permissions that a dead letter exchange needs.
 * @throws Refusal
 */
export function declareQueue(
  virtualHost: VirtualHost,
  wish: QueueWish,
  client: object,
  mayUseDeadLetters: () => void,
): Queue {
  const { name, exclusive, autoDelete } = wish;
  // An exclusive queue ends with its connection: that it shall survive the broker means nothing.
  const durable = wish.durable && !exclusive;
  const queueArguments = withType(wish.arguments, virtualHost);
  const existing = virtualHost.queues.get(name);
  if (existing !== undefined) {
    checkSameQueue(
      existing,
      { durable, exclusive, autoDelete, arguments: queueArguments },
      client,
      virtualHost.profile,
    );
    existing.touch();
    return existing;
  }
  const what = describe("queue", name, virtualHost.name);
  checkNameArgument(queueArguments, "x-dead-letter-exchange", what);
  if (lookup(queueArguments, "x-dead-letter-exchange") !== undefined) mayUseDeadLetters();
  checkQueueArguments(queueArguments, name, virtualHost.name, virtualHost.profile);
  checkLasting(virtualHost, queueArguments, { durable, exclusive, autoDelete }, what);
  return virtualHost.addQueue({
    name,
    durable,
    autoDelete,
    owner: exclusive ? client : undefined,
    arguments: queueArguments,
    settings: readSettings(queueArguments, virtualHost.profile),
  });
}

/** @throws Refusal PRECONDITION_FAILED for types of queue that want a name of the client's. */
export function checkServerNamed(queueArguments: Fields): void {
  const type = queueTypeOf(queueArguments);
  if (type === "classic") return;
  throw new Refusal("PRECONDITION_FAILED", `Cannot declare a server-named queue for type ${moduleNameOf(type)}`);
}

interface QueueProperties {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
}

function checkSameQueue(
  queue: Queue,
  wish: QueueProperties & { readonly arguments: Fields },
  client: object,
  profile: Profile,
): void {
  if (queue.owner !== (wish.exclusive ? client : undefined)) throw queue.locked();
  const same = new Equivalence("queue", queue.name, queue.virtualHost);
  same.property("durable", queue.durable, wish.durable);
  same.property("auto_delete", queue.autoDelete, wish.autoDelete);
  for (const name of comparedArguments(queue.type, profile)) {
    // Whether a classic queue says that it is one makes no difference.
    const isSaidTwice =
      name === "x-queue-type" && queue.type === queueTypeOf(wish.arguments) && queue.type === "classic";
    if (!isSaidTwice) same.argument(name, queue.arguments, wish.arguments);
  }
}

/** Replicated types live for ever, and transient queues that outlive their connection went out of use. */
function checkLasting(virtualHost: VirtualHost, queueArguments: Fields, wish: QueueProperties, what: string): void {
  if (queueTypeOf(queueArguments) !== "classic") {
    const wrong = wish.autoDelete
      ? "auto-delete"
      : wish.exclusive
        ? "exclusive-owner"
        : wish.durable
          ? undefined
          : "non-durable";
    if (wrong !== undefined) throw new Refusal("PRECONDITION_FAILED", `invalid property '${wrong}' for ${what}`);
  }
  if (virtualHost.profile.transientNonExclusive === "denied" && !wish.durable && !wish.exclusive) {
    throw new Refusal(
      "INTERNAL_ERROR",
      "Feature `transient_nonexcl_queues` is deprecated.\nIts use is not permitted per the configuration (overriding " +
        "the default, which is permitted):\n    deprecated_features.permit.transient_nonexcl_queues = false",
    );
  }
}

/** An argument that names an exchange is a string. */
function checkNameArgument(given: Fields, name: string, what: string): void {
  const field = lookup(given, name);
  if (field === undefined || field.type === "longstr") return;
  throw new Refusal("PRECONDITION_FAILED", `invalid type '${field.type}' for arg '${name}' in ${what}`);
}

function withType(given: Fields, virtualHost: VirtualHost): Fields {
  if (!virtualHost.profile.fillsQueueType || lookup(given, "x-queue-type") !== undefined) return given;
  return [...given, longstr("x-queue-type", "classic")];
}
