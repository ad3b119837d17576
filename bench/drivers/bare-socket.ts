/**
 * The limit of the runtime: frames that were encoded beforehand are written as large chunks, and what comes is counted by
 * hopping from one frame to the next. Nobody could use such a client.
 */

import { Output, writePublish } from "@leveret/core/wire";
import { encodable } from "../null-broker/deliveries.ts";
import { bodiesOf, cycle, exchange, routingKey, type Shape } from "../messages.ts";
import { BareConnection, channelNumber, type Dial, dialNode, encode, frameMax } from "./bare-connection.ts";
import type {
  AckLoad,
  Broker,
  ConfirmLoad,
  ConsumeLoad,
  Driver,
  PublishLoad,
  Session,
  Slice,
  Stopwatch,
} from "./driver.ts";
import { checkAcknowledged, nextTurn, oneByOne } from "./loops.ts";

const aboutChunk = 256 * 1024;

export const driver: Driver = bareSocket(dialNode);

/** The driver over sockets that are dialed like this. */
export function bareSocket(dial: Dial): Driver {
  return {
    connect: async (broker, shape) => new BareSession(broker, await BareConnection.open(dial, broker.port, shape)),
  };
}

/** Whole cycles of messages, and how many. */
function encodePublishes({ size, rich }: Shape, about: number): { bytes: Buffer; count: number } {
  const out = new Output();
  const bodies = bodiesOf(size);
  let count = 0;
  do {
    for (const body of bodies) {
      writePublish(
        out,
        channelNumber,
        { exchange, routingKey, properties: rich ? encodable : undefined, body },
        frameMax,
      );
    }
    count += cycle;
  } while (out.size < about);
  return { bytes: Buffer.concat(out.take()), count };
}

class BareSession implements Session {
  readonly #broker: Broker;
  readonly #connection: BareConnection;

  constructor(broker: Broker, connection: BareConnection) {
    this.#broker = broker;
    this.#connection = connection;
  }

  async publish({ shape, pace }: PublishLoad): Promise<Slice> {
    const many = encodePublishes(shape, aboutChunk);
    const few = encodePublishes(shape, 0);
    return async (count) => {
      if (pace === "turn") await this.#writeByTurns(few, count);
      else await this.#writeAll(many, few, count);
      this.#broker.checkPublished(count, await this.#connection.count(routingKey));
    };
  }

  async #writeAll(
    many: { bytes: Buffer; count: number },
    few: { bytes: Buffer; count: number },
    count: number,
  ): Promise<void> {
    const { socket } = this.#connection;
    for (let left = count; left > 0; ) {
      const next = left >= many.count ? many : few;
      left -= next.count;
      if (!socket.write(next.bytes)) await new Promise<void>((resolve) => socket.once("drain", resolve));
    }
  }

  async #writeByTurns({ bytes }: { bytes: Buffer }, count: number): Promise<void> {
    const size = bytes.length / cycle;
    for (let index = 0; index < count; index += 1) {
      const at = (index & (cycle - 1)) * size;
      this.#connection.socket.write(bytes.subarray(at, at + size));
      await nextTurn();
    }
  }

  async confirm({ shape, window }: ConfirmLoad, stopwatch: Stopwatch): Promise<Slice> {
    const connection = this.#connection;
    await connection.request("confirm.select", { noWait: false }, "confirm.select-ok");
    const few = encodePublishes(shape, 0);
    const size = few.bytes.length / cycle;
    const times = Math.max(1, Math.floor(window / 2 / cycle));
    const many = Buffer.concat(Array.from({ length: times }, () => few.bytes));
    let confirmed = 0;
    let wake = (): void => {};
    connection.onFrame = (_type, bytes, start) => {
      confirmed = bytes.readUInt32BE(start + 8);
      wake();
    };
    let sent = 0;
    const reach = async (count: number): Promise<void> => {
      while (confirmed < count) await new Promise<void>((resolve) => (wake = resolve));
    };
    return async (count) => {
      if (window === 1) {
        await oneByOne(count, stopwatch, async (index) => {
          const at = (index & (cycle - 1)) * size;
          connection.socket.write(few.bytes.subarray(at, at + size));
          await reach((sent += 1));
        });
      } else {
        const end = sent + count;
        while (sent < end) {
          const next = Math.min(times * cycle, end - sent);
          connection.socket.write(many.subarray(0, next * size));
          sent += next;
          await reach(sent - window / 2);
        }
        await reach(sent);
      }
      this.#broker.checkPublished(count, await connection.count(routingKey));
    };
  }

  async consume({ shape }: ConsumeLoad): Promise<Slice> {
    return (count) => this.#receive(shape, count, true);
  }

  async ack({ shape, prefetch }: AckLoad): Promise<Slice> {
    await this.#connection.limit(prefetch);
    return (count) => this.#receive(shape, count, false);
  }

  /** Counts what comes; what is to be acknowledged is, once for each chunk. */
  async #receive({ size, rich }: Shape, count: number, noAck: boolean): Promise<void> {
    const connection = this.#connection;
    const queue = this.#broker.nextQueue({ size, rich }, count);
    const ack = encode("basic.ack", { deliveryTag: 0, multiple: true });
    let bytesLeft = size * count;
    let tag = 0;
    let acked = 0;
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    connection.onFrame = (type, bytes, start, end) => {
      if (type === 3) bytesLeft -= end - start;
      // The tag stands behind the consumer's.
      else if (type === 1) tag = bytes.readUInt32BE(start + 5 + bytes[start + 4]! + 4);
    };
    connection.onChunk = () => {
      if (!noAck && tag > acked && bytesLeft % size === 0) {
        acked = tag;
        ack.writeUInt32BE(tag, 7 + 4 + 4);
        connection.socket.write(Buffer.from(ack));
      }
      if (bytesLeft <= 0) finish();
    };
    await connection.consume(queue, noAck);
    await finished;
    connection.onChunk = () => {};
    await connection.cancel();
    if (bytesLeft !== 0) throw new Error(`${-bytesLeft} bytes more than were asked for`);
    if (!noAck) checkAcknowledged(await connection.count(queue));
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
