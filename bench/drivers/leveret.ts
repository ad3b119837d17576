/** Leveret, whatever the runtime. */

import {
  type Channel,
  type Connection,
  type ConnectOptions,
  type ConsumerDelivery,
  openRpcClient,
} from "@leveret/core/client";
import { replyQueue, richProperties, type Shape } from "../messages.ts";
import {
  type AckLoad,
  bodiesOf,
  type Broker,
  Calls,
  type ConfirmLoad,
  type ConsumeLoad,
  Countdown,
  cycle,
  done,
  type Driver,
  echoKey,
  exchange,
  Inspector,
  Ledger,
  nextTurn,
  oneByOne,
  pipelined,
  type PublishLoad,
  routingKey,
  type RpcLoad,
  type Session,
  settler,
  type Slice,
  type Stopwatch,
} from "./driver.ts";

const bare = { exchange, routingKey, persistent: false };
const richOptions = { properties: { ...richProperties, timestamp: new Date(richProperties.timestamp * 1000) } };

/** The driver for the `connect` of an adapter. */
export function leveret(connect: (options: ConnectOptions) => Promise<Connection>): Driver {
  return {
    connect: async (broker) => new LeveretSession(broker, await connect({ host: "127.0.0.1", port: broker.port })),
  };
}

class LeveretSession implements Session {
  readonly #broker: Broker;
  readonly #connection: Connection;
  readonly #ledger: Ledger;

  constructor(broker: Broker, connection: Connection) {
    this.#broker = broker;
    this.#connection = connection;
    this.#ledger = new Ledger(broker);
  }

  async publish({ shape, pace, channels }: PublishLoad): Promise<Slice> {
    if (channels !== undefined) return this.#publishInTurn(shape, channels);
    const bodies = bodiesOf(shape.size);
    const options = shape.rich ? richOptions : undefined;
    const counter = await this.#connection.openChannel();
    return async (count) => {
      const publisher = await this.#connection.openPublisher({ ...bare, confirm: false });
      for (let index = 0; index < count; index += 1) {
        const hasRoom = publisher.send(bodies[index & (cycle - 1)]!, options);
        if (pace === "turn") await nextTurn();
        else if (!hasRoom) await publisher.ready();
      }
      // The answer to the closing of the channel comes when everything on it has arrived.
      await publisher.close();
      await this.#check(counter, count);
    };
  }

  async #publishInTurn({ size }: Shape, channels: number): Promise<Slice> {
    const bodies = bodiesOf(size);
    const counter = await this.#connection.openChannel();
    const publishers = await Promise.all(
      Array.from({ length: channels }, () => this.#connection.openPublisher({ ...bare, confirm: false })),
    );
    return async (count) => {
      for (let index = 0; index < count; index += 1) {
        const publisher = publishers[index % channels]!;
        if (!publisher.send(bodies[Math.floor(index / channels) & (cycle - 1)]!)) await publisher.ready();
      }
      await this.#check(counter, count);
    };
  }

  async confirm({ shape, window }: ConfirmLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const options = shape.rich ? richOptions : undefined;
    const counter = await this.#connection.openChannel();
    const publisher = await this.#connection.openPublisher({ ...bare, maxUnconfirmed: window });
    const publish = (index: number) => publisher.publish(bodies[index & (cycle - 1)]!, options);
    return async (count) => {
      if (window === 1) await oneByOne(count, stopwatch, publish);
      else await pipelined(count, window, publish);
      await this.#check(counter, count);
    };
  }

  async consume({ shape, by, lent = false, consumers = 1 }: ConsumeLoad): Promise<Slice> {
    const channels = await Promise.all(Array.from({ length: consumers }, () => this.#connection.openChannel()));
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count, consumers);
      if (by === "iterator") return this.#iterate(channels[0]!, queue, shape, count);
      const countdown = new Countdown(count);
      const started = channels.map((channel) => {
        const inspector = new Inspector(shape.size);
        return channel.basicConsume({ queue, noAck: true, lendBody: lent }, ({ body }) => {
          inspector.inspect(body);
          countdown.tick();
        });
      });
      await countdown.done;
      for (const consumer of started) await (await consumer).cancel();
    };
  }

  async #iterate(channel: Channel, queue: string, shape: Shape, count: number): Promise<void> {
    const inspector = new Inspector(shape.size);
    for await (const { body } of await channel.basicConsume({ queue, noAck: true })) {
      inspector.inspect(body);
      if (inspector.count === count) break;
    }
  }

  async ack(load: AckLoad): Promise<Slice> {
    const { shape, prefetch, handler } = load;
    const channel = await this.#connection.openChannel();
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count);
      const inspector = new Inspector(shape.size);
      const countdown = new Countdown(count);
      const settle = settler<ConsumerDelivery>(load, (delivery, multiple, each) => {
        if (multiple) delivery.ack({ multiple });
        else delivery.ack();
        countdown.tick(each);
      });
      const take = (delivery: ConsumerDelivery): void => {
        inspector.inspect(delivery.body);
        settle(delivery);
      };
      const takeLater = async (delivery: ConsumerDelivery): Promise<void> => {
        inspector.inspect(delivery.body);
        await done;
        settle(delivery);
      };
      const consumer = await channel.basicConsume(
        { queue, prefetch, settle: "manual" },
        handler === "sync" ? take : takeLater,
      );
      await countdown.done;
      await consumer.cancel();
      const { messageCount } = await channel.queueDeclare({ queue, passive: true });
      if (messageCount > 0) throw new Error(`${messageCount} messages are not acknowledged`);
    };
  }

  async get({ shape }: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#connection.openChannel();
    const inspector = new Inspector(shape.size);
    return (count) => {
      const queue = this.#broker.nextQueue(shape, 0);
      return oneByOne(count, stopwatch, async () => {
        const message = await channel.basicGet({ queue, noAck: true });
        if (message === undefined) throw new Error("the queue is empty");
        inspector.inspect(message.body);
      });
    };
  }

  async rpc(load: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    return load.own === true ? this.#callByClient(load, stopwatch) : this.#callByHand(load, stopwatch);
  }

  async #callByClient({ shape, inFlight }: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const client = await openRpcClient(this.#connection, { routingKey: echoKey });
    const call = async (index: number): Promise<void> => {
      const body = bodies[index & (cycle - 1)]!;
      const { value } = await client.call(body);
      if (value.length !== shape.size || value[0] !== body[0]) throw new Error("the answer belongs to another call");
    };
    return (count) => (inFlight === 1 ? oneByOne(count, stopwatch, call) : pipelined(count, inFlight, call));
  }

  async #callByHand({ shape, inFlight }: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const channel = await this.#connection.openChannel();
    const calls = new Calls(shape);
    await channel.basicConsume({ queue: replyQueue, noAck: true }, ({ properties, body }) =>
      calls.answered(properties.correlationId, body),
    );
    const call = (index: number): Promise<void> => {
      const body = bodies[index & (cycle - 1)]!;
      return calls.call(body, (correlationId) => {
        const properties = { correlationId, replyTo: replyQueue };
        void channel.basicPublish({ exchange: "", routingKey: echoKey, properties, body });
      });
    };
    return (count) => (inFlight === 1 ? oneByOne(count, stopwatch, call) : pipelined(count, inFlight, call));
  }

  async topology({ recorded }: { readonly recorded: number }): Promise<Slice> {
    const channel = await this.#connection.openChannel();
    const before = this.#connection.recordedCount;
    for (let index = 0; index < recorded; index += 1) {
      await channel.queueDeclare({ queue: `recorded.${index}`, exclusive: true, noWait: true });
    }
    if (this.#connection.recordedCount !== before + recorded) throw new Error("not all queues are recorded");
    return async (count) => {
      for (let index = 0; index < count; index += 1) {
        await channel.queueDeclare({ queue: "one.more", exclusive: true });
        await channel.queueDelete({ queue: "one.more" });
      }
    };
  }

  async openChannel(): Promise<() => Promise<unknown>> {
    const channel = await this.#connection.openChannel();
    return () => channel.close();
  }

  async #check(channel: Channel, count: number): Promise<void> {
    const { messageCount } = await channel.queueDeclare({ queue: routingKey, passive: true });
    this.#ledger.check(count, messageCount);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
