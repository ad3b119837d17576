/** Leveret, whatever the runtime. */

import {
  type Channel,
  type Connection,
  type ConnectOptions,
  type ConsumerDelivery,
  openRpcClient,
} from "@leveret/core/client";
import {
  bodiesOf,
  cycle,
  echoKey,
  exchange,
  Inspector,
  replyQueue,
  richProperties,
  routingKey,
  type Shape,
} from "../messages.ts";
import type {
  AckLoad,
  Broker,
  ConfirmLoad,
  ConsumeLoad,
  Driver,
  PublishLoad,
  RpcLoad,
  Session,
  Slice,
  Stopwatch,
} from "./driver.ts";
import {
  acknowledging,
  Calls,
  checkAcknowledged,
  Countdown,
  getting,
  nextTurn,
  present,
  receiving,
  windowed,
} from "./loops.ts";

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

  constructor(broker: Broker, connection: Connection) {
    this.#broker = broker;
    this.#connection = connection;
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
      await windowed(count, window, stopwatch, publish);
      await this.#check(counter, count);
    };
  }

  async consume({ shape, by, lent = false, consumers }: ConsumeLoad): Promise<Slice> {
    if (consumers !== undefined) return this.#consumeInTurn(shape, consumers);
    const channel = await this.#connection.openChannel();
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count);
      if (by === "iterator") return iterate(channel, queue, shape, count);
      const { take, done } = receiving(shape, count);
      const consumer = await channel.basicConsume({ queue, noAck: true, lendBody: lent }, ({ body }) => take(body));
      await done;
      await consumer.cancel();
    };
  }

  async #consumeInTurn(shape: Shape, consumers: number): Promise<Slice> {
    const channels = await Promise.all(Array.from({ length: consumers }, () => this.#connection.openChannel()));
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count, consumers);
      const countdown = new Countdown(count);
      const started = channels.map((channel) => {
        const inspector = new Inspector(shape.size);
        return channel.basicConsume({ queue, noAck: true }, ({ body }) => {
          inspector.inspect(body);
          countdown.tick();
        });
      });
      await countdown.done;
      for (const consumer of started) await (await consumer).cancel();
    };
  }

  async ack(load: AckLoad): Promise<Slice> {
    const { shape, prefetch } = load;
    const channel = await this.#connection.openChannel();
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count);
      const { take, done } = acknowledging<ConsumerDelivery>(load, count, bodyOf, (delivery, multiple) => {
        if (multiple) delivery.ack({ multiple });
        else delivery.ack();
      });
      const consumer = await channel.basicConsume({ queue, prefetch, settle: "manual" }, take);
      await done;
      await consumer.cancel();
      checkAcknowledged((await channel.queueDeclare({ queue, passive: true })).messageCount);
    };
  }

  async get({ shape }: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#connection.openChannel();
    const get = (queue: string) => channel.basicGet({ queue, noAck: true });
    return getting(this.#broker, shape, stopwatch, get, (message) => present(message).body);
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
    return (count) => windowed(count, inFlight, stopwatch, call);
  }

  async #callByHand(load: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#connection.openChannel();
    const calls = new Calls(load, stopwatch, (body, correlationId) => {
      const properties = { correlationId, replyTo: replyQueue };
      return channel.basicPublish({ exchange: "", routingKey: echoKey, properties, body });
    });
    await channel.basicConsume({ queue: replyQueue, noAck: true }, ({ properties, body }) =>
      calls.answered(properties.correlationId, body),
    );
    return calls.slice;
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
    this.#broker.checkPublished(count, messageCount);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

function bodyOf({ body }: ConsumerDelivery): Uint8Array {
  return body;
}

async function iterate(channel: Channel, queue: string, shape: Shape, count: number): Promise<void> {
  const inspector = new Inspector(shape.size);
  for await (const { body } of await channel.basicConsume({ queue, noAck: true })) {
    inspector.inspect(body);
    if (inspector.count === count) break;
  }
}
