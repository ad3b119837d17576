/** rabbitmq-client: promises for everything, a generous socket buffer for back-pressure. */

import { type AsyncMessage, type Channel, Connection, type Envelope } from "rabbitmq-client";
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

const bare: Envelope = { exchange, routingKey };
const rich: Envelope = { exchange, routingKey, ...richProperties };

export const driver: Driver = {
  connect: async (broker) => {
    const connection = new Connection(`amqp://guest:guest@127.0.0.1:${broker.port}`);
    const failed = new Promise<never>((_, reject) => connection.once("error", reject));
    await Promise.race([connection.onConnect(), failed]);
    // From now on an error ends the run.
    failed.catch((error: unknown) => {
      throw error;
    });
    return new RabbitmqClientSession(broker, connection);
  },
};

class RabbitmqClientSession implements Session {
  readonly #broker: Broker;
  readonly #connection: Connection;
  readonly #ledger: Ledger;
  /** Closing the connection waits until all of them are closed. */
  readonly #channels: Channel[] = [];

  constructor(broker: Broker, connection: Connection) {
    this.#broker = broker;
    this.#connection = connection;
    this.#ledger = new Ledger(broker);
  }

  async publish({ shape, pace, channels = 1 }: PublishLoad): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const envelope = shape.rich ? rich : bare;
    const all = await Promise.all(Array.from({ length: channels }, () => this.#acquire()));
    return async (count) => {
      for (let index = 0; index < count; index += 1) {
        const body = bodies[Math.floor(index / channels) & (cycle - 1)]!;
        const written = all[index % channels]!.basicPublish(envelope, body);
        if (pace === "turn") await nextTurn();
        else if (index % publishesPerWait === publishesPerWait - 1) await written;
      }
      for (const each of all.slice(1)) await each.queueDeclare({ queue: routingKey, passive: true });
      await this.#check(all[0]!, count);
    };
  }

  async confirm({ shape, window }: ConfirmLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const envelope = shape.rich ? rich : bare;
    const channel = await this.#acquire();
    await channel.confirmSelect();
    const publish = (index: number) => channel.basicPublish(envelope, bodies[index & (cycle - 1)]!);
    return async (count) => {
      if (window === 1) await oneByOne(count, stopwatch, publish);
      else await pipelined(count, window, publish);
      await this.#check(channel, count);
    };
  }

  async consume({ shape, consumers = 1 }: ConsumeLoad): Promise<Slice> {
    const channels = await Promise.all(Array.from({ length: consumers }, () => this.#acquire()));
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count, consumers);
      const countdown = new Countdown(count);
      const started = channels.map((channel) => {
        const inspector = new Inspector(shape.size);
        return channel.basicConsume({ queue, noAck: true }, ({ body }: AsyncMessage) => {
          inspector.inspect(body as Buffer);
          countdown.tick();
        });
      });
      await countdown.done;
      for (const [index, reply] of started.entries()) await channels[index]!.basicCancel((await reply).consumerTag);
    };
  }

  async ack(load: AckLoad): Promise<Slice> {
    const { shape, prefetch, handler } = load;
    const channel = await this.#acquire();
    await channel.basicQos({ prefetchCount: prefetch });
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count);
      const inspector = new Inspector(shape.size);
      const countdown = new Countdown(count);
      const settle = settler<AsyncMessage>(load, ({ deliveryTag }, multiple, each) => {
        channel.basicAck({ deliveryTag, multiple });
        countdown.tick(each);
      });
      const take = (message: AsyncMessage): void => {
        inspector.inspect(message.body as Buffer);
        settle(message);
      };
      const takeLater = async (message: AsyncMessage): Promise<void> => {
        inspector.inspect(message.body as Buffer);
        await done;
        settle(message);
      };
      const consumer = handler === "sync" ? take : (message: AsyncMessage) => void takeLater(message);
      const { consumerTag } = await channel.basicConsume({ queue }, consumer);
      await countdown.done;
      await channel.basicCancel(consumerTag);
      const { messageCount } = await channel.queueDeclare({ queue, passive: true });
      if (messageCount > 0) throw new Error(`${messageCount} messages are not acknowledged`);
    };
  }

  async get({ shape }: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#acquire();
    const inspector = new Inspector(shape.size);
    return (count) => {
      const queue = this.#broker.nextQueue(shape, 0);
      return oneByOne(count, stopwatch, async () => {
        const message = await channel.basicGet({ queue, noAck: true });
        if (message === undefined) throw new Error("the queue is empty");
        inspector.inspect(message.body as Buffer);
      });
    };
  }

  async rpc({ shape, inFlight }: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const channel = await this.#acquire();
    const calls = new Calls(shape);
    await channel.basicConsume({ queue: replyQueue, noAck: true }, ({ correlationId, body }: AsyncMessage) =>
      calls.answered(correlationId, body as Buffer),
    );
    const call = (index: number): Promise<void> => {
      const body = bodies[index & (cycle - 1)]!;
      return calls.call(body, (correlationId) => {
        void channel.basicPublish({ routingKey: echoKey, correlationId, replyTo: replyQueue }, body);
      });
    };
    return (count) => (inFlight === 1 ? oneByOne(count, stopwatch, call) : pipelined(count, inFlight, call));
  }

  async openChannel(): Promise<() => Promise<unknown>> {
    const channel = await this.#acquire();
    return () => channel.close();
  }

  async #check(channel: Channel, count: number): Promise<void> {
    const { messageCount } = await channel.queueDeclare({ queue: routingKey, passive: true });
    this.#ledger.check(count, messageCount);
  }

  async #acquire(): Promise<Channel> {
    const channel = await this.#connection.acquire();
    this.#channels.push(channel);
    return channel;
  }

  async close(): Promise<void> {
    await Promise.all(this.#channels.map((channel) => channel.close()));
    await this.#connection.close();
  }
}
