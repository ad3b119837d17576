/** Messages of the simulation: they say in their properties who they are, and in every octet of their bodies. */

import type { Delivery, ReturnedMessage } from "@leveret/core/client";
import type { OwnedQueue } from "../queues.ts";
import type { FieldTable } from "@leveret/core/wire";
import { type Arrival, type Route, routeTo } from "../ledger.ts";
import { bodyOf, checkBody, idOf } from "../message-marks.ts";
import type { Session } from "./session.ts";

const largestBody = 12_000;
const smallBody = 40;
const persistent = 2;
/** Publishes to a queue that there never is. */
const missShare = 0.04;
const optionalShare = 0.3;
/** Publishes to an exchange, where there is one. */
const exchangeShare = 0.4;

/** A message that is to be published, and is in the book. */
export interface Letter {
  readonly id: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly mandatory: boolean;
  readonly properties: {
    readonly messageId: string;
    readonly deliveryMode: number;
    readonly headers: FieldTable | undefined;
  };
  readonly body: Uint8Array;
}

/** Queues that are never deleted or purged, nor consumed without acknowledgements: whatever they got is there. */
export function isPermanent({ name }: OwnedQueue): boolean {
  return isPermanentName(name);
}

export function isPermanentName(name: string): boolean {
  return name.endsWith("-0");
}

/** A way for a message: to an exchange or a queue that is there, or to none; `undefined` when no queue is there. */
function pickRoute({ random, surroundings: { queues, exchanges } }: Session): Route | undefined {
  const queue = random.pick(queues.all.filter(({ state }) => state === "present"));
  if (queue === undefined) return undefined;
  if (random.chance(missShare)) return routeTo("nowhere", false);
  const route = random.chance(exchangeShare) ? exchanges.pickRoute(random) : undefined;
  return route ?? routeTo(queue.name);
}

/** Writes a message; `undefined` when no queue is there. */
export function writeLetter(session: Session, publisher: number, number: number): Letter | undefined {
  const {
    random,
    surroundings: { book, keepsOrder, nextPublisher },
  } = session;
  const route = pickRoute(session);
  if (route === undefined) return undefined;
  const size = random.int(0, random.chance(0.1) ? largestBody : smallBody);
  const mandatory = !random.chance(optionalShare);
  const id = book.ledger.publish({
    route,
    publisher: keepsOrder ? publisher : nextPublisher(),
    number,
    bodySize: size,
    mandatory,
  });
  // Without `mandatory`, a message for a queue that is not there is confirmed, and gone.
  if (!mandatory && !route.homes.every(isPermanentName)) book.ledger.mayBeGone(id);
  return {
    id,
    exchange: route.exchange,
    routingKey: route.routingKey,
    mandatory,
    properties: { messageId: String(id), deliveryMode: persistent, headers: route.headers },
    body: bodyOf(id, size),
  };
}

/** The id of a message that arrived, whose body is whole. */
export function readLetter({ properties: { messageId }, body }: Delivery | ReturnedMessage): number {
  const id = idOf(messageId);
  checkBody(id, body);
  return id;
}

/** A message that came from a queue, for the ledger. */
export function arrivalOf({ exchange, routingKey, properties, body, redelivered }: Delivery, queue: string): Arrival {
  return { queue, exchange, routingKey, properties, bodySize: body.length, redelivered };
}
