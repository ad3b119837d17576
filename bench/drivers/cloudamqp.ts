/** @cloudamqp/amqp-client: promises for everything; awaiting one of many publishes is the back-pressure there is. */

import {
  type AMQPChannel,
  AMQPClient,
  type AMQPGeneratorConsumer,
  type AMQPMessage,
  type AMQPProperties,
} from "@cloudamqp/amqp-client";
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
  getting,
  nextTurn,
  present,
  publishesPerWait,
  receiving,
  windowed,
} from "./loops.ts";

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

  constructor(broker: Broker, client: AMQPClient) {
    this.#broker = broker;
    this.#client = client;
  }

  async publish({ shape, pace }: PublishLoad): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const properties = shape.rich ? rich : bare;
    const channel = await this.#client.channel();
    return async (count) => {
      for (let index = 0; index < count; index += 1) {
        const written = channel.basicPublish(exchange, routingKey, bodies[index & (cycle - 1)]!, properties);
        if (pace === "turn") await nextTurn();
        else if (index % publishesPerWait === publishesPerWait - 1) await written;
      }
      await this.#check(channel, count);
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
      await windowed(count, window, stopwatch, publish);
      await this.#check(channel, count);
    };
  }

  async consume({ shape, by }: ConsumeLoad): Promise<Slice> {
    const channel = await this.#client.channel();
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count);
      if (by === "iterator") return iterate(channel, queue, shape, count);
      const { take, done } = receiving(shape, count);
      const consumer = await channel.basicConsume(queue, { noAck: true }, (message) => take(bodyOf(message)));
      await done;
      await consumer.cancel();
    };
  }

  async ack(load: AckLoad): Promise<Slice> {
    const channel = await this.#client.channel();
    await channel.basicQos(load.prefetch);
    return async (count) => {
      const queue = this.#broker.nextQueue(load.shape, count);
      const { take, done } = acknowledging(load, count, bodyOf, (message, multiple) => void message.ack(multiple));
      const consumer = await channel.basicConsume(queue, { noAck: false }, take);
      await done;
      await consumer.cancel();
      checkAcknowledged((await channel.queueDeclare(queue, { passive: true })).messageCount);
    };
  }

  async get({ shape }: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#client.channel();
    const get = (queue: string) => channel.basicGet(queue, { noAck: true });
    return getting(this.#broker, shape, stopwatch, get, (message) => bodyOf(present(message)));
  }

  async rpc(load: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#client.channel();
    const calls = new Calls(load, stopwatch, (body, id) =>
      channel.basicPublish("", echoKey, body, { correlationId: id, replyTo: replyQueue }),
    );
    await channel.basicConsume(replyQueue, { noAck: true }, (message) =>
      calls.answered(message.properties.correlationId, bodyOf(message)),
    );
    return calls.slice;
  }

  async openChannel(): Promise<() => Promise<unknown>> {
    const channel = await this.#client.channel();
    return () => channel.close();
  }

  async #check(channel: AMQPChannel, count: number): Promise<void> {
    const { messageCount } = await channel.queueDeclare(routingKey, { passive: true });
    this.#broker.checkPublished(count, messageCount);
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

function bodyOf({ body }: AMQPMessage): Uint8Array {
  return body as Uint8Array;
}

async function iterate(channel: AMQPChannel, queue: string, shape: Shape, count: number): Promise<void> {
  const inspector = new Inspector(shape.size);
  const consumer: AMQPGeneratorConsumer = await channel.basicConsume(queue, { noAck: true });
  for await (const message of consumer.messages) {
    inspector.inspect(bodyOf(message));
    if (inspector.count === count) break;
  }
}
