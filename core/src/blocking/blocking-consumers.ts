/** The consumers of a channel that blocks: those with a handler, and the one that is looped over. */

import { UsageError } from "../wire/errors.ts";
import { unpackError } from "../threads/pack-errors.ts";
import type { DeliverItem, PackedEnd } from "../threads/protocol.ts";
import { BlockingConsumerDelivery } from "./blocking-delivery.ts";
import type { BlockingLane } from "./blocking-lane.ts";
import type { BlockingConsumeOptions } from "./blocking-options.ts";
import { Intake } from "./intake.ts";

/** What is the same for two loops over one consumer. */
interface Loop {
  readonly intake: Intake;
  readonly queue: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
}

export class BlockingConsumers {
  readonly #lane: BlockingLane;
  /** By the call that started them. */
  readonly #intakes = new Map<number, Intake>();
  #loop: Loop | undefined;

  constructor(lane: BlockingLane) {
    this.#lane = lane;
  }

  /** Of those that are not over. */
  get tags(): string[] {
    return [...this.#intakes.values()].filter(({ isOver }) => !isOver).map(({ consumerTag }) => consumerTag);
  }

  /** Messages that wait for the loop. */
  get waiting(): number {
    return this.#loop?.intake.waiting ?? 0;
  }

  /** Starts a consumer. */
  start({ timeout, ...options }: BlockingConsumeOptions, isLoop: boolean): Intake {
    let number = 0;
    let intake: Intake | undefined;
    const cancelThere = (): void => {
      this.#lane.host.port.outbox.post({
        ...{ type: "call", lane: this.#lane.number, id: 0, method: "cancelConsumer", abortable: false },
        options: new Map([["consumer", number]]),
      });
    };
    const numbered = (id: number): void => {
      number = id;
      intake = new Intake(options.queue, isLoop, (count, bytes) => this.#taken(id, count, bytes));
      this.#intakes.set(id, intake);
    };
    try {
      const more = { timeout, numbered, undo: cancelThere };
      const made = this.#lane.ask((port) => port.call(this.#lane.number, "basicConsume", options, more));
      const { consumerTag, queue } = made as { consumerTag: string; queue: string };
      const started = intake as unknown as Intake;
      started.begun(consumerTag, queue);
      return started;
    } catch (error) {
      this.#intakes.delete(number);
      throw error;
    }
  }

  /** Cancels the consumer of a tag; returns how many messages went back. */
  cancel(consumerTag: string, timeout: number | undefined): number {
    for (const [id, intake] of this.#intakes) {
      if (intake.consumerTag === consumerTag && !intake.isOver) return this.#end(id, intake, timeout);
    }
    return 0;
  }

  /** Cancels those with a handler, or the one of them with that tag. */
  cancelHandlers(consumerTag: string | undefined, timeout: number | undefined): number {
    let requeued = 0;
    for (const [id, intake] of [...this.#intakes]) {
      if (intake.handler === undefined || intake.isOver) continue;
      if (consumerTag !== undefined && consumerTag !== intake.consumerTag) continue;
      requeued += this.#end(id, intake, timeout);
    }
    return requeued;
  }

  cancelLoop(timeout: number | undefined): number {
    const loop = this.#loop;
    if (loop === undefined) return 0;
    this.#loop = undefined;
    for (const [id, intake] of this.#intakes) if (intake === loop.intake) return this.#end(id, intake, timeout);
    return 0;
  }

  // Looping

  /** The messages of a queue, whose consumer is started now, or goes on. */
  loop(
    options: BlockingConsumeOptions,
    inactivityTimeout: number,
  ): Generator<BlockingConsumerDelivery | undefined, void, undefined> {
    return this.#messagesOf(this.#loopOf(options).intake, inactivityTimeout);
  }

  *#messagesOf(
    intake: Intake,
    inactivityTimeout: number,
  ): Generator<BlockingConsumerDelivery | undefined, void, undefined> {
    const { port } = this.#lane.host;
    for (;;) {
      const limit = port.now() + inactivityTimeout;
      this.#lane.host.pumpUntil(() => intake.waiting > 0 || intake.isOver || this.#lane.isClosed, limit);
      const delivery = intake.shift();
      if (delivery !== undefined) {
        yield delivery;
        continue;
      }
      this.#lane.throwEnd();
      if (intake.isOver || this.#lane.isClosed) return;
      yield undefined;
    }
  }

  /** The loop that there is, or a new one. */
  #loopOf(options: BlockingConsumeOptions): Loop {
    const { queue, noAck = false, exclusive = false } = options;
    const loop = this.#loop;
    if (loop !== undefined && !(loop.intake.isOver && loop.intake.waiting === 0)) {
      if (loop.queue === queue && loop.noAck === noAck && loop.exclusive === exclusive) return loop;
      throw new UsageError(
        "ILLEGAL_STATE",
        "The channel has a loop over another queue, or of another kind: cancel() it",
      );
    }
    this.#loop = { intake: this.start(options, true), queue, noAck, exclusive };
    return this.#loop;
  }

  #end(id: number, intake: Intake, timeout: number | undefined): number {
    const there = this.#lane.ask((port) =>
      port.call(this.#lane.number, "cancelConsumer", { consumer: id }, { timeout }),
    ) as number;
    intake.isOver = true;
    let here = 0;
    for (const delivery of intake.drainUnsettled()) {
      here += 1;
      this.#lane.giveBack(delivery.deliveryTag);
    }
    this.#lane.host.port.outbox.flush();
    if (intake.waiting === 0) this.#intakes.delete(id);
    return there + here;
  }

  #taken(consumer: number, count: number, bytes: number): void {
    const { outbox } = this.#lane.host.port;
    outbox.post({ type: "taken", lane: this.#lane.number, consumer, count, bytes });
    outbox.flush();
  }

  // What arrives

  deliver(item: DeliverItem): void {
    const intake = this.#intakes.get(item.consumer);
    // Whoever asked for the consumer has given up waiting for it, or has cancelled it.
    if (intake === undefined || (intake.isOver && !item.noAck)) {
      if (!item.noAck) this.#lane.giveBack(item.tag);
      return;
    }
    this.#lane.outstanding.add(item.tag, item.noAck);
    intake.push(new BlockingConsumerDelivery(item, this.#lane));
    // Which message it is, is decided when it is its turn: those before it may have gone back.
    if (!intake.isLoop) this.#lane.host.dispatcher.push(() => this.#dispatch(intake));
  }

  #dispatch(intake: Intake): void {
    const { handler } = intake;
    if (handler === undefined) return;
    const delivery = intake.shift();
    if (delivery !== undefined) handler(delivery);
  }

  /** The server, or the client, has ended a consumer. */
  ended(id: number, { type, error }: PackedEnd): void {
    const intake = this.#intakes.get(id);
    if (intake === undefined) return;
    intake.isOver = true;
    if (type === "not-recovered" && error !== undefined) this.#lane.end ??= unpackError(error);
    if (intake.waiting === 0) this.#intakes.delete(id);
  }

  /** The channel was lost, and comes back. */
  lost(): void {
    for (const intake of this.#intakes.values()) intake.lost();
  }

  channelClosed(): void {
    for (const intake of this.#intakes.values()) intake.channelClosed();
    this.#intakes.clear();
  }
}
