/** A consumer with a handler: how it settles, how many run at once, what they may do, bodies that are lent. */

import { describe, expect, it, vi } from "vitest";
import { coreOf } from "./channel.ts";
import type { HandlerOptions } from "./consumer-options.ts";
import type { ConsumerDelivery } from "./delivery.ts";
import { consuming, text } from "./testing/consuming.ts";
import { failure, settled, withChannel } from "./testing/fixture.ts";
import { recoveringChannel } from "./testing/recovering.ts";

describe("a handler", () => {
  it("gets messages, and acknowledges them by returning: all of a turn as one", async () => {
    const { io, server, got, consumer } = await consuming({}, () => undefined);
    server.deliver(1, "t", ["a", "b", "c"], { contentType: "text/plain" });
    await io.settle();
    expect(got.map(text)).toEqual(["a", "b", "c"]);
    expect(got[0]).toMatchObject({ consumerTag: "t", deliveryTag: 1, redelivered: false, exchange: "", channel: 1 });
    expect(got[0]?.properties).toEqual({ contentType: "text/plain" });
    expect(server.log).toEqual(["1 basic.ack 3 multiple"]);
    expect(consumer).toMatchObject({ consumerTag: "t", queue: "q", noAck: false, state: "consuming", running: 0 });
  });

  it("acknowledges when its promise is fulfilled, in whatever order", async () => {
    const { server, io, got, consumer, finish } = await consuming();
    server.deliver(1, "t", ["a", "b", "c"]);
    await io.settle();
    expect(got.map(text)).toEqual(["a", "b", "c"]);
    expect(consumer.running).toBe(3);
    await finish(1);
    expect(server.log).toEqual(["1 basic.ack 2"]);
    await finish(0);
    await finish(2);
    expect(server.log).toEqual(["1 basic.ack 2", "1 basic.ack 1", "1 basic.ack 3"]);
    expect(consumer.running).toBe(0);
  });

  it("sends a message back by throwing, and hurts nobody", async () => {
    const { io, server, connection, reports } = await consuming({}, (delivery) => {
      if (delivery.deliveryTag === 1) throw new Error("sync");
      return delivery.deliveryTag === 2 ? Promise.reject(new Error("async")) : undefined;
    });
    server.deliver(1, "t", ["a", "b", "c"]);
    await io.settle();
    expect(server.log).toEqual(["1 basic.nack 1 requeue", "1 basic.ack 3", "1 basic.nack 2 requeue"]);
    expect(reports).toMatchObject([{ message: "sync" }, { message: "async" }]);
    expect(connection.state).toBe("open");
  });

  it("sends a message back by returning what fails to be looked at", async () => {
    const hidden = new Proxy(
      {},
      {
        has: () => {
          throw new Error("nobody may look");
        },
      },
    );
    const { io, server, connection, reports } = await consuming({}, () => hidden);
    server.deliver(1, "t", ["a"]);
    await io.settle();
    expect(server.log).toEqual(["1 basic.nack 1 requeue"]);
    expect(reports).toMatchObject([{ message: "nobody may look" }]);
    expect(connection.state).toBe("open");
  });

  it.each<[string, HandlerOptions["requeue"], string]>([
    ["never", false, "1 basic.nack 1"],
    ["by a policy", (error, { redelivered }) => !redelivered && error instanceof RangeError, "1 basic.nack 1 requeue"],
    [
      "always, when the policy fails",
      () => {
        throw new Error("policy");
      },
      "1 basic.nack 1 requeue",
    ],
  ])("requeues %s", async (_, requeue, sent) => {
    const { io, server } = await consuming({ requeue }, () => {
      throw new RangeError("too far");
    });
    server.deliver(1, "t", ["a"]);
    await io.settle();
    expect(server.log).toEqual([sent]);
  });

  it("may settle by itself, and only once", async () => {
    const { io, server } = await consuming({}, (delivery) => {
      if (delivery.deliveryTag === 1) delivery.reject({ requeue: false });
      else {
        delivery.ack();
        throw new Error("after the acknowledgement");
      }
    });
    server.deliver(1, "t", ["a", "b"]);
    await io.settle();
    expect(server.log).toEqual(["1 basic.reject 1", "1 basic.ack 2"]);
  });

  it("settles by itself alone with settle: manual", async () => {
    const { io, server, got } = await consuming({ settle: "manual" }, () => undefined);
    server.deliver(1, "t", ["a", "b", "c"]);
    await io.settle();
    expect(server.log).toEqual([]);
    got[1]?.ack({ multiple: true });
    got[2]?.nack({ requeue: false, multiple: true });
    await io.settle();
    expect(server.log).toEqual(["1 basic.ack 2 multiple", "1 basic.nack 3 multiple"]);
    expect(got.every(({ outstanding }) => !outstanding)).toBe(true);
  });

  it("settles nothing while the channel closes: it is stale, whatever the way", async () => {
    const { io, server, got, connection } = await consuming({ settle: "manual" }, () => undefined);
    server.deliver(1, "t", ["a", "b", "c"]);
    await io.settle();
    void connection.close();
    for (const one of got) expect(one.outstanding).toBe(false);
    expect([got[0]?.ack(), got[1]?.nack({ multiple: true }), got[2]?.reject()]).toEqual(["stale", "stale", "stale"]);
    await io.settle();
    expect(server.log.filter((line) => line.includes("basic."))).toEqual([]);
  });

  it("cannot settle when the channel is gone, and sends nothing", async () => {
    const { io, server, got, finish, connection } = await consuming();
    server.deliver(1, "t", ["a"]);
    await io.settle();
    server.closeChannel(1, 406, "timed out");
    await io.settle();
    expect(got[0]?.outstanding).toBe(false);
    expect(() => got[0]?.ack()).toThrow(expect.objectContaining({ code: "STALE_DELIVERY" }));
    await finish(0);
    const other = await settled(io, connection.openChannel());
    expect(other.number).toBe(1);
    expect(server.log).toEqual(["1 channel.close-ok", "1 channel.open"]);
  });

  it("has nothing to settle with noAck", async () => {
    const { io, server, got } = await consuming({ noAck: true }, () => undefined);
    server.deliver(1, "t", ["a"]);
    await io.settle();
    expect(() => got[0]?.ack()).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
    expect(server.log).toEqual([]);
  });

  it("runs so many times at once", async () => {
    const { io, server, got, consumer, finish } = await consuming({ concurrency: 2 });
    server.deliver(1, "t", ["a", "b", "c", "d"]);
    await io.settle();
    expect(got.map(text)).toEqual(["a", "b"]);
    expect(consumer.buffered).toBe(2);
    await finish(1);
    expect(got.map(text)).toEqual(["a", "b", "c"]);
    await finish(0, new Error("x"));
    expect(got.map(text)).toEqual(["a", "b", "c", "d"]);
  });

  it("may call whatever it likes", async () => {
    const { io, server, channel, consumer } = await consuming({}, (delivery) => {
      void channel.basicPublish({ exchange: "", routingKey: "r", body: delivery.body });
      void channel.queueDeclare({ queue: "from a handler" });
      if (delivery.deliveryTag === 2) void consumer.cancel();
    });
    server.deliver(1, "t", ["a", "b", "c"]);
    await io.settle();
    expect(await consumer.ended).toEqual({ type: "cancelled" });
    expect(server.log).toContain("1 basic.nack 3 requeue");
  });

  it("may close the channel, or the connection", async () => {
    const first = await consuming({}, () => void first.channel.close());
    first.server.deliver(1, "t", ["a", "b"]);
    await first.io.settle();
    expect(first.channel.state).toBe("closed");
    expect(first.got).toHaveLength(1);
    const second = await consuming({}, () => void second.connection.close());
    second.server.deliver(1, "t", ["a", "b"]);
    await second.io.settle();
    expect(second.connection.state).toBe("closed");
    expect(await second.consumer.ended).toEqual({ type: "closed" });
  });
});

describe("a handler that borrows bodies", () => {
  const lent = expect.objectContaining({ code: "ILLEGAL_STATE" }) as Error;
  /** A copy of it would have memory of its own. */
  const large = "x".repeat(20_000);

  it("has them for the length of its call, and no longer", async () => {
    const during: string[] = [];
    const { io, server, got } = await consuming({ lendBody: true }, (delivery) => {
      during.push(text(delivery));
    });
    server.deliver(1, "t", ["first", "other"]);
    await io.settle();
    expect(during).toEqual(["first", "other"]);
    for (const delivery of got) expect(() => delivery.body).toThrow(lent);
    expect(server.log).toEqual(["1 basic.ack 2 multiple"]);
  });

  it("gets what had to wait as it was sent", async () => {
    const during: string[] = [];
    const { io, server, got, consumer } = await consuming({ lendBody: true }, (delivery) => {
      during.push(text(delivery));
    });
    consumer.pause();
    server.deliver(1, "t", ["first", "other"]);
    await io.settle();
    server.deliver(1, "t", ["third"]);
    await io.settle();
    consumer.resume();
    expect(during).toEqual(["first", "other", "third"]);
    expect(() => got[0]?.body).toThrow(lent);
  });

  it("borrows them where they arrived", async () => {
    const { io, server, channel } = await withChannel();
    const seen: unknown[] = [];
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "t", lendBody: true }, (delivery) =>
        seen.push(delivery.body.buffer),
      ),
    );
    server.deliver(1, "t", [large, large]);
    await io.settle();
    expect(seen[0]).toBe(seen[1]);
  });

  it("borrows them after a recovery, too", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    const seen: unknown[] = [];
    let last: ConsumerDelivery | undefined;
    const handler = (delivery: ConsumerDelivery): void => {
      last = delivery;
      seen.push(delivery.body.buffer);
    };
    await settled(io, channel.basicConsume({ queue: "q", consumerTag: "t", lendBody: true }, handler));
    await cut();
    await comeBack();
    server().deliver(1, "t", [large, large]);
    await io.settle();
    expect(seen).toHaveLength(2);
    expect(seen[0]).toBe(seen[1]);
    expect(() => last?.body).toThrow(lent);
  });

  it("borrows nothing when it could not be started", async () => {
    const { io, channel } = await withChannel();
    const lendBodies = vi.spyOn(coreOf(channel).engine, "lendBodies");
    const options = { queue: "q".repeat(256), consumerTag: "t", lendBody: true };
    expect(
      await failure(
        io,
        channel.basicConsume(options, () => {}),
      ),
    ).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(lendBodies.mock.calls).toEqual([
      ["t", true],
      ["t", false],
    ]);
  });

  it("is not an iterator", async () => {
    const { io, channel } = await withChannel();
    const options = { queue: "q", lendBody: true };
    expect(await failure(io, channel.basicConsume(options))).toMatchObject({ code: "NOT_SUPPORTED" });
  });
});
