/** What could be reached: the workloads by a client that is written for them alone. */

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
import { BareConnection, type Dial, dialNode, encode } from "./bare-connection.ts";
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
import { HandWrittenClient, type Message } from "./hand-written-client.ts";
import { acknowledging, Calls, checkAcknowledged, nextTurn, oneByOne, receiving, windowed } from "./loops.ts";

export const driver: Driver = handWritten(dialNode);

/** The driver over sockets that are dialed like this. */
export function handWritten(dial: Dial): Driver {
  return {
    connect: async (broker, shape) =>
      new HandWrittenSession(broker, new HandWrittenClient(await BareConnection.open(dial, broker.port, shape))),
  };
}

class HandWrittenSession implements Session {
  readonly #broker: Broker;
  readonly #client: HandWrittenClient;

  constructor(broker: Broker, client: HandWrittenClient) {
    this.#broker = broker;
    this.#client = client;
  }

  async publish({ shape, pace }: PublishLoad): Promise<Slice> {
    const client = this.#client;
    const bodies = bodiesOf(shape.size);
    const properties = shape.rich ? richProperties : undefined;
    return async (count) => {
      for (let index = 0; index < count; index += 1) {
        client.publish(exchange, routingKey, properties, bodies[index & (cycle - 1)]!);
        if (pace === "turn") await nextTurn();
        else if (client.congested !== undefined) await client.congested;
      }
      await nextTurn();
      await this.#check(count);
    };
  }

  async confirm({ shape, window }: ConfirmLoad, stopwatch: Stopwatch): Promise<Slice> {
    const client = this.#client;
    const bodies = bodiesOf(shape.size);
    const properties = shape.rich ? richProperties : undefined;
    await client.connection.request("confirm.select", { noWait: false }, "confirm.select-ok");
    const publish = (index: number) =>
      client.publishConfirmed(exchange, routingKey, properties, bodies[index & (cycle - 1)]!);
    return async (count) => {
      await windowed(count, window, stopwatch, publish);
      await this.#check(count);
    };
  }

  async consume({ shape, lent = false }: ConsumeLoad): Promise<Slice> {
    const client = this.#client;
    client.lends = lent;
    return async (count) => {
      const { take, done } = receiving(shape, count);
      client.onMessage = ({ body }) => take(body);
      await client.connection.consume(this.#broker.nextQueue(shape, count), true);
      await done;
      await client.connection.cancel();
    };
  }

  async ack(load: AckLoad): Promise<Slice> {
    const client = this.#client;
    await client.connection.limit(load.prefetch);
    return async (count) => {
      const queue = this.#broker.nextQueue(load.shape, count);
      const { take, done } = acknowledging<Message>(load, count, bodyOf, ({ deliveryTag }) => client.ack(deliveryTag));
      client.onMessage = take;
      await client.connection.consume(queue, false);
      await done;
      await nextTurn();
      await client.connection.cancel();
      checkAcknowledged(await client.connection.count(queue));
    };
  }

  async get({ shape }: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice> {
    const client = this.#client;
    const inspector = new Inspector(shape.size);
    return (count) => {
      const get = encode("basic.get", { queue: this.#broker.nextQueue(shape, 0), noAck: true });
      return oneByOne(count, stopwatch, () => {
        return new Promise<void>((resolve) => {
          client.onMessage = ({ body }) => {
            inspector.inspect(body);
            resolve();
          };
          client.connection.socket.write(get);
        });
      });
    };
  }

  async rpc(load: RpcLoad, stopwatch: Stopwatch): Promise<Slice> {
    const client = this.#client;
    // What a client promises that asks for more than the answer: it hears of each request as well.
    if (load.own === true) await client.connection.request("confirm.select", { noWait: false }, "confirm.select-ok");
    const calls = new Calls(load, stopwatch, (body, correlationId) => {
      const properties = { correlationId, replyTo: replyQueue };
      if (load.own === true) void client.publishConfirmed("", echoKey, properties, body, true);
      else client.publish("", echoKey, properties, body);
    });
    // The correlation id is the first property of the answer.
    client.onMessage = ({ properties, body }) =>
      calls.answered(Buffer.from(properties).toString("latin1", 3, 3 + properties[2]!), body);
    await client.connection.consume(replyQueue, true);
    return calls.slice;
  }

  async #check(count: number): Promise<void> {
    this.#broker.checkPublished(count, await this.#client.connection.count(routingKey));
  }

  close(): Promise<void> {
    return this.#client.connection.close();
  }
}

function bodyOf({ body }: Message): Uint8Array {
  return body;
}
