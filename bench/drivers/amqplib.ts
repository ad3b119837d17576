/** amqplib: back-pressure by `drain`, confirms by callback. */

import {
  type ChannelModel,
  type ConfirmChannel,
  type Channel,
  connect,
  type ConsumeMessage,
  type Options,
} from "amqplib";
import { once } from "node:events";
import { bodiesOf, cycle, echoKey, exchange, replyQueue, richProperties, routingKey, type Shape } from "../messages.ts";
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
  InFlight,
  nextTurn,
  present,
  receiving,
  windowed,
} from "./loops.ts";

const rich: Options.Publish = richProperties;
const bare: Options.Publish = {};

export const driver: Driver = {
  connect: async (broker) => new AmqplibSession(broker, await connect(`amqp://guest:guest@127.0.0.1:${broker.port}`)),
};

class AmqplibSession implements Session {
  readonly #broker: Broker;
  readonly #connection: ChannelModel;

  constructor(broker: Broker, connection: ChannelModel) {
    this.#broker = broker;
    this.#connection = connection;
  }

  async publish({ shape, pace }: PublishLoad): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const options = shape.rich ? rich : bare;
    const channel = await this.#connection.createChannel();
    return async (count) => {
      for (let index = 0; index < count; index += 1) {
        const hasRoom = channel.publish(exchange, routingKey, bodies[index & (cycle - 1)]!, options);
        if (pace === "turn") await nextTurn();
        else if (!hasRoom) await once(channel, "drain");
      }
      await this.#check(channel, count);
    };
  }

  async confirm({ shape, window, promises = window === 1 }: ConfirmLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const options = shape.rich ? rich : bare;
    const channel = await this.#connection.createConfirmChannel();
    const publishOne = (index: number) => publish(channel, bodies[index & (cycle - 1)]!, options);
    return async (count) => {
      if (promises) await windowed(count, window, stopwatch, publishOne);
      else await publishWindow(channel, bodies, options, count, window);
      await this.#check(channel, count);
    };
  }

  async consume({ shape }: ConsumeLoad): Promise<Slice> {
    const channel = await this.#connection.createChannel();
    return async (count) => {
      const { take, done } = receiving(shape, count);
      const { consumerTag } = await channel.consume(
        this.#broker.nextQueue(shape, count),
        (message) => take(contentOf(message)),
        { noAck: true },
      );
      await done;
      await channel.cancel(consumerTag);
    };
  }

  async ack(load: AckLoad): Promise<Slice> {
    const channel = await this.#connection.createChannel();
    await channel.prefetch(load.prefetch);
    return async (count) => {
      const queue = this.#broker.nextQueue(load.shape, count);
      const { take, done } = acknowledging<ConsumeMessage>(load, count, contentOf, (message, multiple) =>
        channel.ack(message, multiple),
      );
      const { consumerTag } = await channel.consume(queue, (message) => void take(present(message)));
      await done;
      await channel.cancel(consumerTag);
      checkAcknowledged((await channel.checkQueue(queue)).messageCount);
    };
  }

  async get({ shape }: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#connection.createChannel();
    const get = (queue: string) => channel.get(queue, { noAck: true });
    return getting(this.#broker, shape, stopwatch, get, (message) => present(message).content);
  }

  async rpc(load: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#connection.createChannel();
    const calls = new Calls(load, stopwatch, (body, correlationId) =>
      channel.publish("", echoKey, body, { correlationId, replyTo: replyQueue }),
    );
    const take = (message: ConsumeMessage | null): void =>
      calls.answered(present(message).properties.correlationId, contentOf(message));
    await channel.consume(replyQueue, take, { noAck: true });
    return calls.slice;
  }

  async openChannel(): Promise<() => Promise<unknown>> {
    const channel = await this.#connection.createChannel();
    return () => channel.close();
  }

  async #check(channel: Channel, count: number): Promise<void> {
    this.#broker.checkPublished(count, (await channel.checkQueue(routingKey)).messageCount);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** A consumer that the broker cancelled is told so by `null`. */
function contentOf(message: ConsumeMessage | null): Buffer {
  return present(message).content;
}

function publish(channel: ConfirmChannel, body: Buffer, options: Options.Publish): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.publish(exchange, routingKey, body, options, (error) => (error ? reject(error as Error) : resolve()));
  });
}

async function publishWindow(
  channel: ConfirmChannel,
  bodies: readonly Buffer[],
  options: Options.Publish,
  count: number,
  window: number,
): Promise<void> {
  const inFlight = new InFlight(window);
  const settled = (error: unknown): void => {
    if (error) throw error as Error;
    inFlight.end();
  };
  for (let index = 0; index < count; index += 1) {
    inFlight.begin();
    channel.publish(exchange, routingKey, bodies[index & (cycle - 1)]!, options, settled);
    if (inFlight.isFull) await inFlight.room();
  }
  await inFlight.drained();
}
