/** A transaction: publishes and settlements that wait for `tx.commit`. */

import { Refusal } from "../failures.ts";
import { overheadOf } from "../queues/entry.ts";
import type { Channel, Settlement } from "./channel.ts";
import { deliverPublish, type RoutedPublish } from "./routed-publish.ts";
import type { Delivery } from "./unsettled.ts";

interface HeldSettlement {
  readonly deliveries: readonly Delivery[];
  readonly settlement: Settlement;
}

/** The transaction of a channel. The next one begins where one ends. */
export class Transaction {
  readonly #channel: Channel;
  #publishes: RoutedPublish[] = [];
  #settlements: HeldSettlement[] = [];
  /** A commit waits for its messages to be safe. */
  #isCommitting = false;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** @throws Refusal CHANNEL_ERROR for a method before the answer to `tx.commit`, in the versions that mind. */
  checkIdle(): void {
    if (!this.#isCommitting) return;
    throw new Refusal("CHANNEL_ERROR", "unexpected command while processing 'tx.commit'");
  }

  publish(publish: RoutedPublish): void {
    this.#publishes.push(publish);
    this.#holds(publish, 1);
  }

  settle(deliveries: readonly Delivery[], settlement: Settlement): void {
    this.#settlements.push({ deliveries, settlement });
  }

  commit(): void {
    const publishes = this.#publishes;
    const settlements = this.#settlements;
    this.#publishes = [];
    this.#settlements = [];
    for (const publish of publishes) deliverPublish(this.#channel, publish);
    this.#letGoOf(publishes);
    for (const { deliveries, settlement } of settlements) this.#channel.settle(deliveries, settlement);
    const waits = publishes.some(({ queues }) => queues.size > 0);
    if (waits && this.#channel.owner.virtualHost.profile.pipelinedCommit === "CHANNEL_ERROR") {
      this.#isCommitting = true;
      this.#channel.owner.services.atEndOfTurn(this.#channel);
    } else {
      this.#channel.send("tx.commit-ok", {});
    }
  }

  rollBack(): void {
    this.#letGoOf(this.#publishes);
    this.#publishes = [];
    this.#channel.unsettled.restore(this.#settlements.flatMap(({ deliveries }) => deliveries));
    this.#settlements = [];
  }

  /** Messages are the queues' now, or nobody's. */
  #letGoOf(publishes: readonly RoutedPublish[]): void {
    for (const publish of publishes) this.#holds(publish, -1);
  }

  #holds({ message }: RoutedPublish, sign: 1 | -1): void {
    this.#channel.owner.services.heldBytes(sign * message.body.length, sign * overheadOf(message));
  }

  endTurn(): void {
    if (!this.#isCommitting) return;
    this.#isCommitting = false;
    this.#channel.send("tx.commit-ok", {});
  }
}
