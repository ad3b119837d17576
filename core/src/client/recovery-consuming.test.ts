/** What becomes of consumers and of what they were given, whatever they were at when the connection was lost. */

import { describe, expect, it } from "vitest";
import type { ConsumerDelivery } from "./delivery.ts";
import { bytes, errorOf, settled, stateOf } from "./testing/fixture.ts";
import { firstDelay, lostUnknown, recoveringChannel } from "./testing/recovering.ts";

describe("a consumer", () => {
  it("that waits in next() goes on waiting", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
    const next = consumer[Symbol.asyncIterator]().next();
    await cut();
    await comeBack();
    expect(await stateOf(next)).toBe("pending");
    server().deliver(1, "c", ["m"]);
    await io.settle();
    expect((await next).value?.deliveryTag).toBe(1);
  });

  it("drops what is buffered and comes again, and keeps what needs no acknowledgement", async () => {
    for (const noAck of [false, true]) {
      const { io, channel, cut, comeBack, server } = await recoveringChannel();
      const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c", noAck }));
      server().deliver(1, "c", ["a", "b"]);
      await io.settle();
      expect(consumer.buffered).toBe(2);
      await cut();
      expect(consumer.buffered).toBe(noAck ? 2 : 0);
      await comeBack();
      expect(consumer.state).toBe("consuming");
    }
  });

  it("that the server cannot start again is told, and its iterator throws", async () => {
    const { io, channel, cut, comeBack, events } = await recoveringChannel({}, (server, number) => {
      if (number === 1) server.on("basic.consume", () => server.closeChannel(1, 404, "NOT_FOUND - no queue 'q'"));
    });
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
    const next = errorOf(consumer.take());
    await cut();
    await comeBack();
    expect(await next).toMatchObject({ code: "CONSUMER_NOT_RECOVERED", consumerTag: "c", cause: { replyCode: 404 } });
    expect(await consumer.ended).toMatchObject({ type: "not-recovered" });
    expect(events).toContain("topology-error consumer skip");
    expect(events.at(-1)).toBe("recovered but 1");
    expect(channel.state).toBe("open");
  });

  it("whose handler runs lets it run, counts it, and does not acknowledge for it", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    const ends: (() => void)[] = [];
    const options = { queue: "q", consumerTag: "c", prefetch: 2, concurrency: 2 };
    const handler = () => new Promise<void>((end) => ends.push(end));
    const consumer = await settled(io, channel.basicConsume(options, handler));
    server().deliver(1, "c", ["a", "b"]);
    await io.settle();
    await cut();
    await comeBack();
    server().deliver(1, "c", ["a", "b"]);
    await io.settle();
    expect(consumer.running).toBe(2);
    expect(ends).toHaveLength(2);
    ends[0]?.();
    await io.settle();
    expect(ends).toHaveLength(3);
    expect(server().sentOf("basic.ack")).toEqual([]);
    ends[2]?.();
    await io.settle();
    expect(server().log.at(-1)).toBe("1 basic.ack 1");
  });

  it("that the server cancelled is not started again", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    server().method(1, "basic.cancel", { consumerTag: "c", noWait: true });
    await io.settle();
    expect(await consumer.ended).toEqual({ type: "cancelled-by-server" });
    expect(connection.recordedCount).toBe(0);
    await cut();
    await comeBack();
    expect(server().sentOf("basic.consume")).toEqual([]);
  });

  it("of a stream goes on behind what was handed out last", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    const options = { queue: "s", consumerTag: "c", arguments: { "x-stream-offset": "first" } };
    const consumer = await settled(io, channel.basicConsume(options));
    server().deliver(1, "c", ["a"], { headers: { "x-stream-offset": 41 } });
    server().deliver(1, "c", ["b"], { headers: { "x-stream-offset": 42 } });
    await io.settle();
    await consumer.take();
    await cut();
    await comeBack();
    expect(server().sentOf("basic.consume")[0]?.fields["arguments"]).toEqual({ "x-stream-offset": 42 });
  });

  it("for direct replies is started first", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    const replies = { queue: "amq.rabbitmq.reply-to", consumerTag: "replies", noAck: true };
    await settled(
      io,
      channel.basicConsume(replies, () => {}),
    );
    await cut();
    await comeBack();
    expect(server().log).toEqual(["1 channel.open", "1 basic.consume replies", "1 basic.qos 256", "1 basic.consume c"]);
  });
});

describe("settling", () => {
  it("what was delivered before the loss is stale: while down, and afterwards, by delivery and by number", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    const got: ConsumerDelivery[] = [];
    const take = (delivery: ConsumerDelivery) => void got.push(delivery);
    await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c", noAck: false }, take));
    await settled(io, channel.basicCancel({ consumerTag: "c" }));
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c", prefetch: 9 }, async (d) => take(d)),
    );
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "i", prefetch: 9 }));
    server().deliver(1, "i", ["one", "two", "three"]);
    await io.settle();
    const one = (await consumer.take()) as ConsumerDelivery;
    await cut();
    expect(one.outstanding).toBe(false);
    expect(one.ack()).toBe("stale");
    expect(channel.basicAck({ deliveryTag: 1 })).toBe("stale");
    await comeBack();
    expect(one.nack()).toBe("stale");
    expect(one.reject()).toBe("stale");
    expect(channel.basicAck({ deliveryTag: 3, multiple: true })).toBe("stale");
    expect(channel.basicNack({ deliveryTag: 2 })).toBe("stale");
    expect(channel.basicReject({ deliveryTag: 1 })).toBe("stale");
    await io.settle();
    expect(server().log.filter((line) => /ack|reject/.test(line))).toEqual([]);
  });

  it("numbers go on where they were, and the server hears its own", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
    server().deliver(1, "c", ["one", "two"]);
    server().on("basic.get", ({ channel: number }, s) => s.gotMessage(number, "got"));
    await io.settle();
    await settled(io, channel.basicGet({ queue: "q" }));
    await cut();
    await comeBack();
    server().deliver(1, "c", ["one again", "two again"]);
    await io.settle();
    const delivery = (await consumer.take()) as ConsumerDelivery;
    expect(delivery.deliveryTag).toBeGreaterThan(3);
    const before = delivery.deliveryTag - 1;
    expect(channel.basicAck({ deliveryTag: delivery.deliveryTag })).toBe("settled");
    expect(() => channel.basicAck({ deliveryTag: before + 3 })).toThrow(
      expect.objectContaining({ code: "UNKNOWN_DELIVERY", deliveryTag: before + 3 }),
    );
    await io.settle();
    expect(server().log).toContain("1 basic.ack 1");
    expect(channel.basicAck({ deliveryTag: 0, multiple: true })).toBe("settled");
    await io.settle();
    expect(server().log.at(-1)).toBe("1 basic.ack 2");
  });
});

describe("cancel", () => {
  it("while down resolves at once, and the consumer does not come back", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: "q" }, () => {}),
    );
    await cut();
    expect(await settled(io, consumer.cancel())).toBe(0);
    expect(consumer.state).toBe("ended");
    expect(connection.recordedCount).toBe(0);
    await comeBack();
    expect(server().sentOf("basic.consume")).toEqual([]);
  });

  it("that is unanswered resolves when the connection is lost", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on("basic.cancel");
    });
    const consumer = await settled(
      io,
      channel.basicConsume({ queue: "q" }, () => {}),
    );
    const cancelling = consumer.cancel();
    await io.settle();
    await cut();
    await settled(io, cancelling);
    expect(await consumer.ended).toEqual({ type: "cancelled" });
    await comeBack();
    expect(server().sentOf("basic.consume")).toEqual([]);
  });
});

describe("a consumer that is cancelled before its start is known", () => {
  it("by its first delivery, which came with the answer, is not started again", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    server().on("basic.consume", ({ channel: on }) =>
      server().together((answer) => {
        const fields = { consumerTag: "c", deliveryTag: 1, redelivered: false, exchange: "", routingKey: "q" };
        answer.method(on, "basic.consume-ok", { consumerTag: "c" });
        answer.method(on, "basic.deliver", fields).content(on, bytes("m"));
      }),
    );
    const cancelling: Promise<number>[] = [];
    const handler = (): void => void cancelling.push(channel.basicCancel({ consumerTag: "c" }));
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }, handler));
    expect(consumer.state).toBe("ended");
    expect(cancelling).toHaveLength(1);
    expect(connection.recordedCount).toBe(0);
    await cut();
    await comeBack();
    expect(server().sentOf("basic.consume")).toEqual([]);
  });

  it.each([{ noWait: false }, { noWait: true }])(
    "while it waits for the connection, is not started: %o",
    async (how) => {
      const { io, channel, cut, comeBack, server } = await recoveringChannel();
      await cut();
      const consuming = channel.basicConsume({ queue: "q", consumerTag: "c", ...how }, () => {});
      await settled(io, channel.basicCancel({ consumerTag: "c" }));
      const other = channel.basicConsume({ queue: "other", consumerTag: "c", ...how }, () => {});
      await comeBack();
      expect((await consuming).state).toBe("ended");
      expect((await other).state).toBe("consuming");
      expect(
        server()
          .sentOf("basic.consume")
          .map(({ fields }) => fields["queue"]),
      ).toEqual(["other"]);
    },
  );
});

describe("a consumer that waits for its prefetch to be set when the channel is lost", () => {
  it("is started after recovery, once and with its prefetch", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    server().on("basic.qos");
    const starting = channel.basicConsume({ queue: "q", consumerTag: "c", prefetch: 7 });
    await io.settle();
    expect(server().log).toContain("1 basic.qos 7");
    expect(server().sentOf("basic.consume")).toEqual([]);
    await cut();
    await comeBack();
    const consumer = await settled(io, starting);
    expect(server().log).toEqual(["1 channel.open", "1 basic.qos 7", "1 basic.consume c"]);
    server().deliver(1, "c", ["a"]);
    await io.settle();
    expect((await consumer.take())?.ack()).toBe("settled");
    await io.settle();
    expect(server().log.slice(3)).toEqual(["1 basic.ack 1"]);
    await cut();
    await io.advance(2 * firstDelay);
    expect(server().log).toEqual(["1 channel.open", "1 basic.qos 7", "1 basic.consume c"]);
  });
});

describe("consumers that wait to be started when the channel is lost", () => {
  const started = ["1 channel.open", "1 basic.consume a", "1 basic.qos 2", "1 basic.consume b"];

  it("are started with a prefetch of their own each", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    server().on("queue.declare");
    const declared = errorOf(channel.queueDeclare({ queue: "q" }));
    const first = channel.basicConsume({ queue: "q", consumerTag: "a", prefetch: 0 });
    const second = channel.basicConsume({ queue: "q", consumerTag: "b", prefetch: 2 });
    await io.settle();
    await cut();
    await comeBack();
    await settled(io, Promise.all([first, second]));
    expect(await declared).toMatchObject({ outcome: "unknown" });
    expect(server().log).toEqual(started);
  });

  it("are, whether asked for before the loss or after it, and whoever gives up", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    server().on("basic.qos");
    const aborting = new AbortController();
    const { signal } = aborting;
    const unwanted = errorOf(channel.basicConsume({ queue: "q", consumerTag: "c", prefetch: 7, signal }));
    await io.settle();
    await cut();
    const first = channel.basicConsume({ queue: "q", consumerTag: "a", prefetch: 0 });
    const second = channel.basicConsume({ queue: "q", consumerTag: "b", prefetch: 2 });
    aborting.abort();
    expect(await unwanted).toMatchObject({ code: "ABORTED" });
    await comeBack();
    await settled(io, Promise.all([first, second]));
    expect(server().log).toEqual(started);
  });
});

it("a consumer whose start was lost gets nothing of what is for another one of its name", async () => {
  const { io, channel, cut, comeBack, server } = await recoveringChannel();
  server().on("basic.consume");
  const handled: string[] = [];
  const consume = (name: string): Promise<unknown> =>
    channel.basicConsume({ queue: "q", consumerTag: "c" }, () => void handled.push(name));
  const lost = errorOf(consume("lost"));
  await io.settle();
  server().deliver(1, "c", ["ahead of the answer"]);
  await io.settle();
  await cut();
  expect(await lost).toMatchObject(lostUnknown);
  await comeBack();
  await settled(io, consume("there"));
  server().deliver(1, "c", ["m"]);
  await io.settle();
  expect(handled).toEqual(["lost", "there"]);
});

describe("basic.recover", () => {
  it("voids what arrives before its answer, also when it waited for the connection to come back", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number > 0) prepared.on("basic.recover");
    });
    const deliveries: ConsumerDelivery[] = [];
    const options = { queue: "q", consumerTag: "c", settle: "manual" } as const;
    await settled(
      io,
      channel.basicConsume(options, (delivery) => void deliveries.push(delivery)),
    );
    await cut();
    const recovered = channel.basicRecover();
    await comeBack();
    server().deliver(1, "c", ["a"]);
    await io.settle();
    const [delivery] = deliveries;
    expect(() => delivery?.ack()).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
    await io.settle();
    expect(server().log.filter((line) => /ack|recover/.test(line))).toEqual(["1 basic.recover"]);
    server().method(1, "basic.recover-ok", {});
    await settled(io, recovered);
  });

  it("that is not sent leaves what is outstanding as it is", async () => {
    const { io, channel, server } = await recoveringChannel();
    const deliveries: ConsumerDelivery[] = [];
    const options = { queue: "q", consumerTag: "c", settle: "manual" } as const;
    await settled(
      io,
      channel.basicConsume(options, (delivery) => void deliveries.push(delivery)),
    );
    server().deliver(1, "c", ["a"]);
    await io.settle();
    expect(await errorOf(channel.basicRecover({ signal: AbortSignal.abort() }))).toMatchObject({ outcome: "not-sent" });
    expect(deliveries[0]?.outstanding).toBe(true);
  });
});
