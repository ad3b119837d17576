/**
 * What became of every message, as its sender was told. The ledger knows what happened; this book adds what the promises
 * said: `"not-sent"` never arrives, `"refused"` is nowhere, and a message is unroutable when it came back.
 */

import type { AmqpError } from "@leveret/core/client";
import type { QueueSnapshot } from "../../broker/index.ts";
import { type Arrival, Ledger, type SeenInOrder } from "../ledger.ts";
import { invariant } from "../violation.ts";

/** Where a message was acknowledged. */
export interface Acknowledger {
  /** Whether nothing can have happened to the acknowledgement since. */
  readonly isIntact: boolean;
}

/** A message that somebody has from a queue. */
export interface HeldCopy {
  readonly id: number;
  readonly queue: string;
}

export class MessageBook {
  readonly ledger: Ledger = new Ledger();
  /** Messages that cannot be anywhere, by what their senders were told. */
  readonly #never = new Map<number, string>();
  readonly #arrived = new Set<number>();
  readonly #returned = new Set<number>();
  readonly #settled = new Set<number>();
  /** By message and queue: an exchange may have copied it to several. */
  readonly #acknowledged = new Map<string, Acknowledger>();

  /** The server has it. */
  confirmed(id: number): void {
    invariant(!this.#returned.has(id), "a message that came back is not confirmed", () => `message ${id}`);
    this.#settle(id);
    this.ledger.settle(id, "ack");
  }

  /** Its sender was told that it failed. */
  failed(id: number, error: AmqpError): void {
    this.#settle(id);
    const isUnroutable = error.code === "UNROUTABLE";
    invariant(
      !isUnroutable || this.#returned.has(id),
      "a message is unroutable when it came back",
      () => `message ${id}: ${error.message}`,
    );
    if (error.code === "NACKED") this.ledger.settle(id, "nack");
    if (error.outcome !== "not-sent" && error.outcome !== "refused") {
      invariant(error.outcome === "unknown", "a failed publish has an outcome", () => `${error.code} of message ${id}`);
      return;
    }
    this.#never.set(id, error.outcome);
    invariant(
      !this.#arrived.has(id),
      "a message that was not sent, or refused, is nowhere",
      () => `message ${id}, ${error.outcome} (${error.code}), was delivered`,
    );
    invariant(
      isUnroutable || error.outcome !== "not-sent" || !this.#returned.has(id),
      "a message that was not sent does not come back",
      () => `message ${id}`,
    );
  }

  returned(id: number): void {
    invariant(!this.#returned.has(id), "a message comes back once", () => `message ${id}`);
    this.#returned.add(id);
    // Its sender may be told of something else first, such as a timeout; the ledger wants to hear of it all the same.
    this.ledger.returned(id);
  }

  /** Somebody has acknowledged it. */
  acknowledged({ id, queue }: HeldCopy, where: Acknowledger): void {
    this.#acknowledged.set(`${id} ${queue}`, where);
  }

  #checkGone(id: number, queue: string): void {
    invariant(
      this.#acknowledged.get(`${id} ${queue}`)?.isIntact !== true,
      "what was acknowledged does not come again",
      () => `message ${id} of ${queue}`,
    );
  }

  /** A consumer, or a `basic.get`, has it. */
  delivered(id: number, arrival: Arrival, seen: SeenInOrder): void {
    this.ledger.delivered(id, arrival, seen);
    this.#arrived.add(id);
    this.#checkGone(id, arrival.queue);
    const told = this.#never.get(id);
    invariant(
      told === undefined,
      "a message that was not sent, or refused, is nowhere",
      () => `message ${id}, ${told}, was delivered`,
    );
  }

  /** Before anybody leaves: what leaves may have acknowledged in vain. */
  checkAcknowledged(queues: readonly QueueSnapshot[]): void {
    for (const { name, messages } of queues) {
      for (const { properties } of messages) this.#checkGone(Number(properties.messageId), name);
    }
  }

  checkAtRest(queues: readonly QueueSnapshot[]): void {
    this.ledger.checkAtRest(queues);
    for (const { name, messages } of queues) {
      for (const { properties } of messages) {
        const told = this.#never.get(Number(properties.messageId));
        invariant(
          told === undefined,
          "a message that was not sent, or refused, is nowhere",
          () => `message ${properties.messageId}, ${told}, is in queue ${name}`,
        );
      }
    }
  }

  #settle(id: number): void {
    invariant(!this.#settled.has(id), "a publish ends once", () => `message ${id}`);
    this.#settled.add(id);
  }
}
