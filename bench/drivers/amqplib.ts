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
  InFlight,
  Inspector,
  Ledger,
  nextTurn,
  oneByOne,
  type PublishLoad,
  pipelined,
  routingKey,
  type RpcLoad,
  type Session,
  settler,
  type Slice,
  type Stopwatch,
} from "./driver.ts";

const rich: Options.Publish = richProperties;
const bare: Options.Publish = {};

export const driver: Driver = {
  connect: async (broker) => new AmqplibSession(broker, await connect(`amqp://guest:guest@127.0.0.1:${broker.port}`)),
};

class AmqplibSession implements Session {
  readonly #broker: Broker;
  readonly #connection: ChannelModel;
  readonly #ledger: Ledger;

  constructor(broker: Broker, connection: ChannelModel) {
    this.#broker = broker;
    this.#connection = connection;
    this.#ledger = new Ledger(broker);
  }

  async publish({ shape, pace, channels = 1 }: PublishLoad): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const options = shape.rich ? rich : bare;
    const all = await Promise.all(Array.from({ length: channels }, () => this.#connection.createChannel()));
    const channel = all[0]!;
    return async (count) => {
      if (channels > 1) {
        for (let index = 0; index < count; index += 1) {
          const next = all[index % channels]!;
          const body = bodies[Math.floor(index / channels) & (cycle - 1)]!;
          if (!next.publish(exchange, routingKey, body, options)) await once(next, "drain");
        }
        for (const each of all.slice(1)) await each.checkQueue(routingKey);
      } else if (pace === "burst") {
        for (let index = 0; index < count; index += 1) {
          const hasRoom = channel.publish(exchange, routingKey, bodies[index & (cycle - 1)]!, options);
          if (!hasRoom) await once(channel, "drain");
        }
      } else {
        for (let index = 0; index < count; index += 1) {
          channel.publish(exchange, routingKey, bodies[index & (cycle - 1)]!, options);
          await nextTurn();
        }
      }
      await this.#check(channel, count);
    };
  }

  async confirm({ shape, window, promises = window === 1 }: ConfirmLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const options = shape.rich ? rich : bare;
    const channel = await this.#connection.createConfirmChannel();
    return async (count) => {
      const publishOne = (index: number) => publish(channel, bodies[index & (cycle - 1)]!, options);
      if (window === 1) await oneByOne(count, stopwatch, publishOne);
      else if (promises) await pipelined(count, window, publishOne);
      else await publishWindow(channel, bodies, options, count, window);
      await this.#check(channel, count);
    };
  }

  async consume({ shape, consumers = 1 }: ConsumeLoad): Promise<Slice> {
    const channels = await Promise.all(Array.from({ length: consumers }, () => this.#connection.createChannel()));
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count, consumers);
      const countdown = new Countdown(count);
      const started = channels.map((channel) => {
        const inspector = new Inspector(shape.size);
        const take = (message: ConsumeMessage | null): void => {
          if (message === null) throw new Error("the consumer was cancelled");
          inspector.inspect(message.content);
          countdown.tick();
        };
        return channel.consume(queue, take, { noAck: true });
      });
      await countdown.done;
      for (const [index, reply] of started.entries()) await channels[index]!.cancel((await reply).consumerTag);
    };
  }

  async ack(load: AckLoad): Promise<Slice> {
    const { shape, prefetch, handler } = load;
    const channel = await this.#connection.createChannel();
    await channel.prefetch(prefetch);
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count);
      const inspector = new Inspector(shape.size);
      const countdown = new Countdown(count);
      const settle = settler<ConsumeMessage>(load, (message, multiple, each) => {
        channel.ack(message, multiple);
        countdown.tick(each);
      });
      const take = (message: ConsumeMessage | null): void => {
        if (message === null) throw new Error("the consumer was cancelled");
        inspector.inspect(message.content);
        settle(message);
      };
      const takeLater = async (message: ConsumeMessage | null): Promise<void> => {
        if (message === null) throw new Error("the consumer was cancelled");
        inspector.inspect(message.content);
        await done;
        settle(message);
      };
      const { consumerTag } = await channel.consume(
        queue,
        handler === "sync" ? take : (message) => void takeLater(message),
      );
      await countdown.done;
      await channel.cancel(consumerTag);
      const { messageCount } = await channel.checkQueue(queue);
      if (messageCount > 0) throw new Error(`${messageCount} messages are not acknowledged`);
    };
  }

  async get({ shape }: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#connection.createChannel();
    const inspector = new Inspector(shape.size);
    return (count) => {
      const queue = this.#broker.nextQueue(shape, 0);
      return oneByOne(count, stopwatch, async () => {
        const message = await channel.get(queue, { noAck: true });
        if (message === false) throw new Error("the queue is empty");
        inspector.inspect(message.content);
      });
    };
  }

  async rpc({ shape, inFlight }: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const channel = await this.#connection.createChannel();
    const calls = new Calls(shape);
    const take = (message: ConsumeMessage | null): void =>
      calls.answered(message?.properties.correlationId, message?.content ?? Buffer.alloc(0));
    await channel.consume(replyQueue, take, { noAck: true });
    const call = (index: number): Promise<void> => {
      const body = bodies[index & (cycle - 1)]!;
      return calls.call(body, (correlationId) =>
        channel.publish("", echoKey, body, { correlationId, replyTo: replyQueue }),
      );
    };
    return (count) => (inFlight === 1 ? oneByOne(count, stopwatch, call) : pipelined(count, inFlight, call));
  }

  async openChannel(): Promise<() => Promise<unknown>> {
    const channel = await this.#connection.createChannel();
    return () => channel.close();
  }

  async #check(channel: Channel, count: number): Promise<void> {
    const { messageCount } = await channel.checkQueue(routingKey);
    this.#ledger.check(count, messageCount);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
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
