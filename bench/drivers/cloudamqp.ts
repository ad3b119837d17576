/** @cloudamqp/amqp-client: promises for everything; awaiting one of many publishes is the back-pressure there is. */

import {
  type AMQPChannel,
  AMQPClient,
  type AMQPGeneratorConsumer,
  type AMQPMessage,
  type AMQPProperties,
} from "@cloudamqp/amqp-client";
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
  type PublishLoad,
  pipelined,
  publishesPerWait,
  routingKey,
  type RpcLoad,
  type Session,
  settler,
  type Slice,
  type Stopwatch,
} from "./driver.ts";

/** Bodies of this size and more do better with larger frames than this library asks for. */
const large = 65_536;
const largeFrames = "?frameMax=131072";
const bare: AMQPProperties = {};
const { contentType, headers, deliveryMode, correlationId, timestamp } = richProperties;
const rich: AMQPProperties = {
  contentType,
  headers,
  deliveryMode,
  correlationId,
  timestamp: new Date(timestamp * 1000),
};

export const driver: Driver = {
  connect: async (broker, { size }) => {
    const options = size >= large ? largeFrames : "";
    const client = new AMQPClient(`amqp://guest:guest@127.0.0.1:${broker.port}/${options}`);
    await client.connect();
    return new CloudamqpSession(broker, client);
  },
};

class CloudamqpSession implements Session {
  readonly #broker: Broker;
  readonly #client: AMQPClient;
  readonly #ledger: Ledger;

  constructor(broker: Broker, client: AMQPClient) {
    this.#broker = broker;
    this.#client = client;
    this.#ledger = new Ledger(broker);
  }

  async publish({ shape, pace, channels = 1 }: PublishLoad): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const properties = shape.rich ? rich : bare;
    const all: AMQPChannel[] = [];
    for (let index = 0; index < channels; index += 1) all.push(await this.#client.channel());
    return async (count) => {
      for (let index = 0; index < count; index += 1) {
        const body = bodies[Math.floor(index / channels) & (cycle - 1)]!;
        const written = all[index % channels]!.basicPublish(exchange, routingKey, body, properties);
        if (pace === "turn") await nextTurn();
        else if (index % publishesPerWait === publishesPerWait - 1) await written;
      }
      for (const each of all.slice(1)) await each.queueDeclare(routingKey, { passive: true });
      await this.#check(all[0]!, count);
    };
  }

  async confirm({ shape, window }: ConfirmLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const properties = shape.rich ? rich : bare;
    const channel = await this.#client.channel();
    await channel.confirmSelect();
    const publish = (index: number) =>
      channel.basicPublish(exchange, routingKey, bodies[index & (cycle - 1)]!, properties);
    return async (count) => {
      if (window === 1) await oneByOne(count, stopwatch, publish);
      else await pipelined(count, window, publish);
      await this.#check(channel, count);
    };
  }

  async consume({ shape, by, consumers = 1 }: ConsumeLoad): Promise<Slice> {
    const channels: AMQPChannel[] = [];
    for (let index = 0; index < consumers; index += 1) channels.push(await this.#client.channel());
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count, consumers);
      if (by === "iterator") return iterate(channels[0]!, queue, shape, count);
      const countdown = new Countdown(count);
      const started = channels.map((channel) => {
        const inspector = new Inspector(shape.size);
        return channel.basicConsume(queue, { noAck: true }, ({ body }) => {
          inspector.inspect(body as Uint8Array);
          countdown.tick();
        });
      });
      await countdown.done;
      for (const consumer of started) await (await consumer).cancel();
    };
  }

  async ack(load: AckLoad): Promise<Slice> {
    const { shape, prefetch, handler } = load;
    const channel = await this.#client.channel();
    await channel.basicQos(prefetch);
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count);
      const inspector = new Inspector(shape.size);
      const countdown = new Countdown(count);
      const settle = settler<AMQPMessage>(load, (message, multiple, each) => {
        void message.ack(multiple);
        countdown.tick(each);
      });
      const take = (message: AMQPMessage): void => {
        inspector.inspect(message.body as Uint8Array);
        settle(message);
      };
      const takeLater = async (message: AMQPMessage): Promise<void> => {
        inspector.inspect(message.body as Uint8Array);
        await done;
        settle(message);
      };
      const consumer = await channel.basicConsume(queue, { noAck: false }, handler === "sync" ? take : takeLater);
      await countdown.done;
      await consumer.cancel();
      const { messageCount } = await channel.queueDeclare(queue, { passive: true });
      if (messageCount > 0) throw new Error(`${messageCount} messages are not acknowledged`);
    };
  }

  async get({ shape }: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#client.channel();
    const inspector = new Inspector(shape.size);
    return (count) => {
      const queue = this.#broker.nextQueue(shape, 0);
      return oneByOne(count, stopwatch, async () => {
        const message = await channel.basicGet(queue, { noAck: true });
        if (message === null) throw new Error("the queue is empty");
        inspector.inspect(message.body as Uint8Array);
      });
    };
  }

  async rpc({ shape, inFlight }: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const channel = await this.#client.channel();
    const calls = new Calls(shape);
    await channel.basicConsume(replyQueue, { noAck: true }, ({ properties, body }) =>
      calls.answered(properties.correlationId, body as Uint8Array),
    );
    const call = (index: number): Promise<void> => {
      const body = bodies[index & (cycle - 1)]!;
      return calls.call(body, (id) => {
        void channel.basicPublish("", echoKey, body, { correlationId: id, replyTo: replyQueue });
      });
    };
    return (count) => (inFlight === 1 ? oneByOne(count, stopwatch, call) : pipelined(count, inFlight, call));
  }

  async openChannel(): Promise<() => Promise<unknown>> {
    const channel = await this.#client.channel();
    return () => channel.close();
  }

  async #check(channel: AMQPChannel, count: number): Promise<void> {
    const { messageCount } = await channel.queueDeclare(routingKey, { passive: true });
    this.#ledger.check(count, messageCount);
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

async function iterate(channel: AMQPChannel, queue: string, shape: Shape, count: number): Promise<void> {
  const inspector = new Inspector(shape.size);
  const consumer: AMQPGeneratorConsumer = await channel.basicConsume(queue, { noAck: true });
  for await (const { body } of consumer.messages) {
    inspector.inspect(body as Uint8Array);
    if (inspector.count === count) break;
  }
}
