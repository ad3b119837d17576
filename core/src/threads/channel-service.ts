/** A channel at the disposal of another thread: its calls are made here, and what they bring goes back. */

import { type Channel, coreOf } from "../client/channel.ts";
import type { BasicGetOptions, BasicPublishOptions, CallerOptions } from "../client/channel-options.ts";
import type { Consumer } from "../client/consumer.ts";
import type { ConsumeOptions, ConsumerEnd } from "../client/consumer-options.ts";
import type { ConsumerDelivery } from "../client/delivery.ts";
import { Future, onAbort } from "../client/futures.ts";
import type { SettleResult } from "../client/settlement.ts";
import type { Millis } from "../engine/config.ts";
import { Deque } from "../engine/deque.ts";
import { UsageError } from "../wire/errors.ts";
import { EncodedProperties } from "../wire/properties.ts";
import { Calls } from "./calls.ts";
import { Credit, Lending, type LendingWindow, packEnd, requeue } from "./lending.ts";
import type { Outbox } from "./outbox.ts";
import { pack, unpack } from "./pack.ts";
import { packError, packReturn, unpackError } from "./pack-errors.ts";
import type { CallItem, GuestItem, HostItem, PublishItem, SettleItem } from "./protocol.ts";

/** The methods of a channel that are called as they are: options in, a plain value out. */
const plainCalls = [
  "exchangeDeclare",
  "exchangeDelete",
  "exchangeBind",
  "exchangeUnbind",
  "queueDeclare",
  "queueBind",
  "queueUnbind",
  "queuePurge",
  "queueDelete",
  "confirmSelect",
  "basicQos",
  "txSelect",
  "txCommit",
  "txRollback",
  "flow",
] as const;

/** The name of one of them. */
export type PlainCall = (typeof plainCalls)[number];

/** A consumer that another thread started. */
interface LentConsumer {
  /** `undefined` until the server has answered; deliveries may come with its answer. */
  consumer: Consumer | undefined;
  readonly credit: Credit;
  readonly noAck: boolean;
  /** Deliveries that found no room in the window before the consumer could be paused. */
  readonly backlog: Deque<ConsumerDelivery>;
  /** How it ended, while there is still something to hand over. */
  end?: ConsumerEnd;
}

/** What a service is told. */
export interface ServiceOptions {
  readonly window: LendingWindow;
  /** Takes what a handler of the other thread threw. */
  readonly report: (error: Error) => void;
}

/** One lane's end in the thread that has the connection. */
export class ChannelService {
  readonly channel: Channel;
  readonly #lane: number;
  readonly #outbox: Outbox<HostItem>;
  readonly #options: ServiceOptions;
  readonly #calls: Calls;
  readonly #lending: Lending;
  /** By the call that started them. */
  readonly #consumers = new Map<number, LentConsumer>();
  readonly #stops: (() => void)[];
  #released = false;

  constructor(channel: Channel, lane: number, outbox: Outbox<HostItem>, options: ServiceOptions) {
    this.channel = channel;
    this.#lane = lane;
    this.#outbox = outbox;
    this.#options = options;
    this.#calls = new Calls(lane, outbox);
    this.#lending = new Lending(lane, outbox);
    this.#stops = [
      channel.on("return", (message) => this.#event("return", { returned: packReturn(message) })),
      channel.on("cancel", (value) => this.#event("cancel", { value: pack(value, "event") })),
      channel.on("flow", (value) => this.#event("flow", { value: pack(value, "event") })),
      channel.on("lost", () => {
        this.#lending.forget();
        this.#outbox.post({ type: "lost", lane });
      }),
      channel.on("closed", ({ error }) => {
        this.#lending.forget();
        this.#event("closed", { error: error && packError(error) });
      }),
    ];
  }

  /** How many deliveries are outstanding with the other thread. */
  get outstanding(): number {
    return this.#lending.count;
  }

  /** What the other thread has to know of the channel. */
  get facts(): Readonly<Record<string, unknown>> {
    const { number, mode, state } = this.channel;
    return { number, mode, state };
  }

  handle(item: GuestItem): void {
    switch (item.type) {
      case "call":
        return this.#call(item);
      case "publish":
        return this.#publish(item);
      case "settle":
        return this.#settle(item);
      case "taken":
        return this.#taken(item);
      case "abort":
        return this.#calls.abort(item);
      case "report":
        return this.#options.report(unpackError(item.error));
      case "done":
        return;
    }
  }

  /**
   * The other thread is gone. Its consumers are cancelled, what was outstanding with it goes back, and its calls are
   * given up.
   *
   * @returns how many messages went back from the other thread.
   */
  async release(): Promise<number> {
    this.#released = true;
    for (const stop of this.#stops) stop();
    this.#calls.end();
    const consumers = [...this.#consumers.values()];
    this.#consumers.clear();
    // Only when the server has stopped sending: what goes back sooner might come again at once.
    await Promise.all(consumers.map(async ({ consumer }) => consumer?.cancel()));
    for (const lent of consumers) this.#giveBackBacklog(lent);
    return this.#lending.giveBack();
  }

  #event(name: string, value: Extract<HostItem, { type: "event" }>["value"]): void {
    this.#outbox.post({ type: "event", lane: this.#lane, name, value });
  }

  #call(item: CallItem): void {
    const { id, method, options } = item;
    const given = unpack(options) as never;
    if ((plainCalls as readonly string[]).includes(method)) {
      const { channel } = this;
      return this.#calls.answer(item, (signal) =>
        (channel[method as PlainCall] as (options: object) => Promise<unknown>).call(channel, {
          ...(given as object),
          signal,
        }),
      );
    }
    switch (method) {
      case "basicGet":
        return this.#get(item, given);
      case "basicConsume":
        return this.#calls.answer(item, (signal) => this.#consume(id, { ...(given as ConsumeOptions), signal }));
      case "cancelConsumer":
        return this.#calls.answer(item, () => this.#cancel(given));
      case "basicRecover":
        return this.#calls.answer(item, (signal) => this.#recover({ ...(given as CallerOptions), signal }));
      case "request":
        return this.#calls.answer(item, (signal) => {
          const { method: name, fields } = given as { method: never; fields: never };
          return this.channel.request(name, fields, { signal });
        });
      case "wait":
        return this.#calls.answer(item, (signal) => this.#wait(given, signal));
      case "flush":
        // Whatever was said before has been done.
        return this.#calls.answerNow(id, () => undefined);
      case "close":
        return this.#calls.answer(item, () => this.channel.close(given));
      default:
        return this.#calls.answer(item, () => {
          throw new UsageError("NOT_SUPPORTED", `A channel of another thread has no ${method}`);
        });
    }
  }

  /** Lets time pass for the other thread, which has no clock; when it does not want that any more, none. */
  async #wait({ time }: { readonly time: Millis }, signal: AbortSignal | undefined): Promise<void> {
    const passed = new Future<void>();
    const deadline = coreOf(this.channel).deadlines.start(time, { expire: () => passed.resolve() });
    const stopListening = onAbort(signal, () => passed.resolve());
    await passed.promise;
    deadline.cancel();
    stopListening();
  }

  #get(item: CallItem, options: BasicGetOptions): void {
    const { id } = item;
    this.#calls.run(
      item,
      (signal) => this.channel.basicGet({ ...options, signal }),
      (message) => {
        if (message === undefined) return this.#outbox.post({ type: "reply", lane: this.#lane, id, value: undefined });
        // Nobody is there to take it any more.
        if (this.#released) return void (message.outstanding && message.nack());
        this.#lending.got(message, id, options.noAck === true);
      },
    );
  }

  async #consume(id: number, options: ConsumeOptions & CallerOptions): Promise<unknown> {
    const noAck = options.noAck === true;
    const credit = new Credit(this.#options.window);
    const lent: LentConsumer = { consumer: undefined, credit, noAck, backlog: new Deque<ConsumerDelivery>() };
    const handler = (delivery: ConsumerDelivery): void => {
      lent.backlog.push(delivery);
      this.#forward(id, lent);
    };
    // Before its answer: deliveries that come ahead of that are taken, too.
    this.#consumers.set(id, lent);
    let consumer: Consumer;
    try {
      consumer = await this.channel.basicConsume({ ...options, settle: "manual", concurrency: Infinity }, handler);
    } catch (error) {
      this.#consumers.delete(id);
      this.#giveBackBacklog(lent);
      throw error;
    }
    lent.consumer = consumer;
    if (this.#released) {
      await consumer.cancel();
      this.#giveBackBacklog(lent);
      this.#lending.giveBack();
      return undefined;
    }
    if (lent.backlog.size > 0) consumer.pause();
    void consumer.ended.then((end) => this.#ended(id, lent, end));
    const { consumerTag, queue } = consumer;
    return { consumerTag, queue };
  }

  /** Resolves with the last delivery that is taken back: those behind it may be there before the answer is. */
  async #recover(options: CallerOptions): Promise<number> {
    const recovering = this.channel.basicRecover(options);
    const last = this.#lending.forgetTakenBack();
    await recovering;
    return last;
  }

  /** Sends on what there is room for; the rest makes the consumer pause. */
  #forward(id: number, { consumer, credit, noAck, backlog }: LentConsumer): void {
    while (backlog.size > 0 && credit.isOpen) {
      const delivery = backlog.shift() as ConsumerDelivery;
      // What was lost with its connection comes again.
      if (!noAck && !delivery.outstanding) continue;
      credit.spend(delivery.body.length);
      this.#lending.deliver(delivery, id, noAck);
    }
    if (consumer === undefined) return;
    if (!credit.isOpen) consumer.pause();
    else if (consumer.paused) consumer.resume();
  }

  /** The server sends nothing more. What needs no acknowledgement is still handed over, as there is room for it. */
  #ended(id: number, lent: LentConsumer, end: ConsumerEnd): void {
    if (lent.noAck && (lent.backlog.size > 0 || (lent.consumer?.buffered ?? 0) > 0)) lent.end = end;
    else this.#tellEnd(id, end);
  }

  #tellEnd(id: number, end: ConsumerEnd): void {
    this.#consumers.delete(id);
    this.#outbox.post({ type: "consumer-ended", lane: this.#lane, consumer: id, end: packEnd(end) });
  }

  /** Cancels a consumer; what it had here goes back, what the other thread has is given back from there. */
  async #cancel({ consumer: id }: { readonly consumer: number }): Promise<number> {
    const lent = this.#consumers.get(id);
    if (lent === undefined) return 0;
    const requeued = (await lent.consumer?.cancel()) ?? 0;
    return requeued + this.#giveBackBacklog(lent);
  }

  #giveBackBacklog({ noAck, backlog }: LentConsumer): number {
    return noAck ? 0 : backlog.drain().filter(requeue).length;
  }

  #taken({ consumer: id, count, bytes }: Extract<GuestItem, { type: "taken" }>): void {
    const lent = this.#consumers.get(id);
    if (lent === undefined) return;
    lent.credit.regain(count, bytes);
    this.#forward(id, lent);
    if (lent.end !== undefined && lent.backlog.size === 0 && lent.consumer?.buffered === 0) this.#tellEnd(id, lent.end);
  }

  #publish(item: PublishItem): void {
    const { exchange, routingKey, mandatory, properties, body, timeout } = item;
    const message: BasicPublishOptions = {
      exchange,
      routingKey,
      mandatory,
      body: body as Uint8Array,
      properties: properties && new EncodedProperties(properties),
      timeout,
    };
    this.#calls.answer(item, (signal) => this.channel.basicPublish({ ...message, signal }));
  }

  #settle({ id, verb, tag, multiple, requeue }: SettleItem): void {
    this.#calls.answerNow(id, () => {
      const result = this.#settleHere(verb, { deliveryTag: tag, multiple, requeue });
      this.#lending.settled(tag, multiple);
      return result;
    });
  }

  #settleHere(
    verb: SettleItem["verb"],
    options: { readonly deliveryTag: number; readonly multiple: boolean; readonly requeue: boolean },
  ): SettleResult {
    const { deliveryTag, multiple, requeue } = options;
    switch (verb) {
      case "ack":
        return this.channel.basicAck({ deliveryTag, multiple });
      case "nack":
        return this.channel.basicNack(options);
      case "reject":
        return this.channel.basicReject({ deliveryTag, requeue });
    }
  }
}
