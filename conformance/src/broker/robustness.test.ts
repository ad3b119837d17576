import { Output, protocolHeader, writeMethod } from "@leveret/core/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Broker } from "./broker.ts";
import { World } from "./testing/client.ts";

/** Frames that make sense each for itself, in an order that need not. */
function frames(): fc.Arbitrary<Uint8Array> {
  const channel = fc.nat(3);
  const queue = fc.constantFrom("", "q", "other", "amq.gen-x", "amq.rabbitmq.reply-to");
  const exchange = fc.constantFrom("", "amq.direct", "amq.topic", "x");
  const tag = fc.constantFrom("", "t", "u");
  const bit = fc.boolean();
  const method = (write: (output: Output) => void): Uint8Array => {
    const output = new Output();
    write(output);
    return output.take()[0] ?? new Uint8Array(0);
  };
  const goodbye = { replyCode: 200, replyText: "", classId: 0, methodId: 0 };
  return fc.oneof(
    channel.map((number) => method((out) => writeMethod(out, number, "channel.open", {}, 0))),
    channel.map((number) => method((out) => writeMethod(out, number, "channel.close", goodbye, 0))),
    channel.map((number) => method((out) => writeMethod(out, number, "channel.close-ok", {}, 0))),
    fc
      .tuple(channel, queue, bit, bit, bit, bit)
      .map(([number, name, passive, durable, exclusive, autoDelete]) =>
        method((out) =>
          writeMethod(out, number, "queue.declare", { queue: name, passive, durable, exclusive, autoDelete }, 0),
        ),
      ),
    fc
      .tuple(channel, queue, exchange)
      .map(([number, name, source]) =>
        method((out) =>
          writeMethod(out, number, "queue.bind", { queue: name, exchange: source, routingKey: "k.#" }, 0),
        ),
      ),
    fc
      .tuple(channel, queue)
      .map(([number, name]) => method((out) => writeMethod(out, number, "queue.delete", { queue: name }, 0))),
    fc
      .tuple(channel, queue, tag, bit, bit)
      .map(([number, name, consumerTag, noAck, exclusive]) =>
        method((out) => writeMethod(out, number, "basic.consume", { queue: name, consumerTag, noAck, exclusive }, 0)),
      ),
    fc
      .tuple(channel, tag)
      .map(([number, consumerTag]) => method((out) => writeMethod(out, number, "basic.cancel", { consumerTag }, 0))),
    fc
      .tuple(channel, fc.nat(6), bit, bit)
      .map(([number, deliveryTag, multiple, requeue]) =>
        method((out) => writeMethod(out, number, "basic.nack", { deliveryTag, multiple, requeue }, 0)),
      ),
    fc
      .tuple(channel, fc.nat(2), bit)
      .map(([number, prefetchCount, global]) =>
        method((out) => writeMethod(out, number, "basic.qos", { prefetchSize: 0, prefetchCount, global }, 0)),
      ),
    channel.map((number) => method((out) => writeMethod(out, number, "confirm.select", {}, 0))),
    channel.map((number) => method((out) => writeMethod(out, number, "tx.select", {}, 0))),
    channel.map((number) => method((out) => writeMethod(out, number, "tx.commit", {}, 0))),
    channel.map((number) => method((out) => writeMethod(out, number, "tx.rollback", {}, 0))),
    channel.map((number) => method((out) => writeMethod(out, number, "basic.recover", { requeue: true }, 0))),
    fc.tuple(channel, queue).map(([number, name]) =>
      method((out) => {
        writeMethod(out, number, "basic.publish", { exchange: "", routingKey: name, mandatory: true }, 0);
        // A header that announces one octet, and the octet.
        out.bytes(Uint8Array.of(...[2, 0, number, 0, 0, 0, 14], ...[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], 0xce));
        out.bytes(Uint8Array.of(3, 0, number, 0, 0, 0, 1, 0x78, 0xce));
      }),
    ),
    fc.uint8Array({ maxLength: 20 }),
  );
}

describe("a broker", () => {
  it("survives any frames in any order, with any damage, and holds nothing when everybody is gone", () => {
    const step = fc.tuple(
      fc.nat(1),
      frames(),
      fc.option(fc.tuple(fc.nat(40), fc.nat(255)), { freq: 20, nil: undefined }),
    );
    fc.assert(
      fc.property(fc.constantFrom("3.10", "4.0", "4.3"), fc.array(step, { maxLength: 60 }), (profile, steps) => {
        const world = new World(new Broker({ profile }));
        const clients = [world.client(), world.client()];
        for (const [who, bytes, damage] of steps) {
          const client = clients[who];
          if (client === undefined) continue;
          const copy = bytes.slice();
          if (damage !== undefined && damage[0] < copy.length) copy[damage[0]] = damage[1];
          client.bytes(copy);
          client.connection.takeOutput();
          world.pass(10);
        }
        for (const client of clients) client.connection.transportClosed(world.now);
        expect(world.broker.connections).toEqual([]);
        const left = world.broker.queues();
        expect(
          left.every(
            ({ exclusive, consumers, unsettledCount }) => !exclusive && consumers.length + unsettledCount === 0,
          ),
        ).toBe(true);
        for (const { name } of left) world.broker.deleteQueue(name);
        expect(world.broker.heldBytes).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it("survives any bytes instead of a handshake", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, isGreeted) => {
        const world = new World(new Broker());
        const client = world.stranger();
        if (isGreeted) client.bytes(protocolHeader);
        client.bytes(bytes);
        client.connection.takeOutput();
        world.pass(60_000);
        expect(client.connection.transport).not.toBe("keep");
      }),
    );
  });
});
