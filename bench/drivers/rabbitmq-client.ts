/** rabbitmq-client: promises for everything, a generous socket buffer for back-pressure. */

import { type AsyncMessage, type Channel, Connection, type Envelope } from "rabbitmq-client";
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
  nextTurn,
  present,
  publishesPerWait,
  receiving,
  windowed,
} from "./loops.ts";

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
  /** Closing the connection waits until all of them are closed. */
  readonly #channels: Channel[] = [];

  constructor(broker: Broker, connection: Connection) {
    this.#broker = broker;
    this.#connection = connection;
  }

  async publish({ shape, pace }: PublishLoad): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const envelope = shape.rich ? rich : bare;
    const channel = await this.#acquire();
    return async (count) => {
      for (let index = 0; index < count; index += 1) {
        const written = channel.basicPublish(envelope, bodies[index & (cycle - 1)]!);
        if (pace === "turn") await nextTurn();
        else if (index % publishesPerWait === publishesPerWait - 1) await written;
      }
      await this.#check(channel, count);
    };
  }

  async confirm({ shape, window }: ConfirmLoad, stopwatch: Stopwatch): Promise<Slice> {
    const bodies = bodiesOf(shape.size);
    const envelope = shape.rich ? rich : bare;
    const channel = await this.#acquire();
    await channel.confirmSelect();
    const publish = (index: number) => channel.basicPublish(envelope, bodies[index & (cycle - 1)]!);
    return async (count) => {
      await windowed(count, window, stopwatch, publish);
      await this.#check(channel, count);
    };
  }

  async consume({ shape }: ConsumeLoad): Promise<Slice> {
    const channel = await this.#acquire();
    return async (count) => {
      const queue = this.#broker.nextQueue(shape, count);
      const { take, done } = receiving(shape, count);
      const { consumerTag } = await channel.basicConsume({ queue, noAck: true }, (message) => take(bodyOf(message)));
      await done;
      await channel.basicCancel(consumerTag);
    };
  }

  async ack(load: AckLoad): Promise<Slice> {
    const channel = await this.#acquire();
    await channel.basicQos({ prefetchCount: load.prefetch });
    return async (count) => {
      const queue = this.#broker.nextQueue(load.shape, count);
      const { take, done } = acknowledging<AsyncMessage>(load, count, bodyOf, ({ deliveryTag }, multiple) =>
        channel.basicAck({ deliveryTag, multiple }),
      );
      const { consumerTag } = await channel.basicConsume({ queue }, (message) => void take(message));
      await done;
      await channel.basicCancel(consumerTag);
      checkAcknowledged((await channel.queueDeclare({ queue, passive: true })).messageCount);
    };
  }

  async get({ shape }: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#acquire();
    const get = (queue: string) => channel.basicGet({ queue, noAck: true });
    return getting(this.#broker, shape, stopwatch, get, (message) => present(message).body as Buffer);
  }

  async rpc(load: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const channel = await this.#acquire();
    const calls = new Calls(load, stopwatch, (body, correlationId) =>
      channel.basicPublish({ routingKey: echoKey, correlationId, replyTo: replyQueue }, body),
    );
    await channel.basicConsume({ queue: replyQueue, noAck: true }, (message) =>
      calls.answered(message.correlationId, bodyOf(message)),
    );
    return calls.slice;
  }

  async openChannel(): Promise<() => Promise<unknown>> {
    const channel = await this.#acquire();
    return () => channel.close();
  }

  async #check(channel: Channel, count: number): Promise<void> {
    const { messageCount } = await channel.queueDeclare({ queue: routingKey, passive: true });
    this.#broker.checkPublished(count, messageCount);
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

function bodyOf({ body }: AsyncMessage): Buffer {
  return body as Buffer;
}
