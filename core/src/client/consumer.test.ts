/** A consumer from its start to its end: prefetch, tags, pause, cancel, close. */

import { describe, expect, it } from "vitest";
import { consuming, text } from "./testing/consuming.ts";
import { connected, failure, settled, stateOf, withChannel } from "./testing/fixture.ts";

it("a message that waited while its consumer was paused goes to who waits for it, also when it was the last", async () => {
  for (const noAck of [false, true]) {
    const { io, server, channel } = await withChannel();
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "t", noAck }));
    const taking = consumer.take();
    consumer.pause();
    server.deliver(1, "t", ["last"]);
    server.method(1, "basic.cancel", { consumerTag: "t", noWait: true });
    await io.settle();
    expect([await stateOf(taking), consumer.state]).toEqual(["pending", "ended"]);
    consumer.resume();
    const delivery = await settled(io, taking);
    expect(delivery?.outstanding).toBe(!noAck);
    if (!noAck) expect(delivery?.ack()).toBe("settled");
    expect(await failure(io, consumer.take())).toMatchObject({ code: "CONSUMER_CANCELLED" });
  }
});

describe("prefetch", () => {
  it("is the consumer's own though a basicQos is not answered yet", async () => {
    const { io, server, channel } = await withChannel();
    server.on("basic.qos");
    void channel.basicQos({ prefetchCount: 5 }).catch(() => {});
    void channel.basicConsume({ queue: "q", consumerTag: "all", prefetch: 0 }).catch(() => {});
    await io.settle();
    server.on("basic.qos", ({ channel: on }) => server.method(on, "basic.qos-ok", {}));
    server.method(1, "basic.qos-ok", {});
    await io.settle();
    expect(server.log).toEqual(["1 basic.qos 5", "1 basic.qos 0", "1 basic.consume all"]);
  });

  it("is 256 unless told, is told to the server once, and is what basicQos said", async () => {
    const { io, server, channel } = await withChannel();
    const start = (options = {}): Promise<unknown> =>
      settled(
        io,
        channel.basicConsume({ queue: "q", ...options }, () => {}),
      );
    await start();
    await start();
    await start({ prefetch: 10 });
    await start({ noAck: true });
    await settled(io, channel.basicQos({ prefetchCount: 7 }));
    await start();
    await start({ prefetch: 0 });
    expect(server.log.filter((line) => line.includes("qos") || line.includes("consume"))).toEqual([
      "1 basic.qos 256",
      "1 basic.consume ctag1.1",
      "1 basic.consume ctag1.2",
      "1 basic.qos 10",
      "1 basic.consume ctag1.3",
      "1 basic.consume ctag1.4",
      "1 basic.qos 7",
      "1 basic.consume ctag1.5",
      "1 basic.qos 0",
      "1 basic.consume ctag1.6",
    ]);
    expect(channel.consumerTags).toHaveLength(6);
  });
});

describe("the prefetch that all consumers of a channel share", () => {
  it("is all there is for consumers that say none, and is lifted, as by RabbitMQ, by one that says its own", async () => {
    const { io, server, channel } = await withChannel();
    const start = (options = {}): Promise<unknown> =>
      settled(
        io,
        channel.basicConsume({ queue: "q", ...options }, () => {}),
      );
    await settled(io, channel.basicQos({ prefetchCount: 5, global: true }));
    await start();
    await start({ prefetch: 0 });
    await start({ prefetch: 3 });
    await start();
    const told = server.sentOf("basic.qos").map(({ fields }) => [fields.prefetchCount, fields.global]);
    expect(told).toEqual([
      [5, true],
      [3, false],
      [256, false],
    ]);
  });

  it("stands beside what each has been told before, which is not told again", async () => {
    const { io, server, channel } = await withChannel();
    const start = (options = {}): Promise<unknown> =>
      settled(
        io,
        channel.basicConsume({ queue: "q", ...options }, () => {}),
      );
    await settled(io, channel.basicQos({ prefetchCount: 10 }));
    await start({ prefetch: 2 });
    await settled(io, channel.basicQos({ prefetchCount: 15, global: true }));
    await start();
    await settled(io, channel.basicQos({ prefetchCount: 0, global: true }));
    await start();
    const told = server.sentOf("basic.qos").map(({ fields }) => [fields.prefetchCount, fields.global]);
    expect(told).toEqual([
      [10, false],
      [2, false],
      [15, true],
      [0, true],
      [10, false],
    ]);
  });
});

describe("tags", () => {
  it("are unique on their channel, or the call is refused", async () => {
    const { io, server, channel } = await consuming();
    expect(await failure(io, channel.basicConsume({ queue: "q", consumerTag: "t" }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(server.log).toEqual([]);
    expect(await settled(io, channel.basicCancel({ consumerTag: "t" }))).toBe(0);
    await settled(io, channel.basicConsume({ queue: "q", consumerTag: "t" }));
    expect(await settled(io, channel.basicCancel({ consumerTag: "nobody" }))).toBe(0);
  });

  it("tell consumers of one channel apart", async () => {
    const { io, server, channel } = await withChannel();
    const got: string[] = [];
    for (const tag of ["a", "b"]) {
      await settled(
        io,
        channel.basicConsume({ queue: "q", consumerTag: tag }, (delivery) => got.push(`${tag} ${text(delivery)}`)),
      );
    }
    server.deliver(1, "b", ["1"]);
    server.deliver(1, "a", ["2"]);
    server.deliver(1, "b", ["3"]);
    await io.settle();
    expect(got).toEqual(["b 1", "a 2", "b 3"]);
  });

  it("are known before the server answers", async () => {
    const { io, server, channel } = await withChannel();
    server.on("basic.consume", (_, self) => self.deliver(1, "t", ["early"]));
    const got: string[] = [];
    const starting = channel.basicConsume({ queue: "q", consumerTag: "t" }, (delivery) => got.push(text(delivery)));
    await io.settle();
    expect(got).toEqual(["early"]);
    server.method(1, "basic.consume-ok", { consumerTag: "t" });
    await settled(io, starting);
  });
});

describe("cancel", () => {
  it("gives back what nobody has taken, once the server has stopped, and counts it", async () => {
    const { io, server, consumer, got, finish } = await consuming({ concurrency: 1 });
    server.on("basic.cancel");
    server.deliver(1, "t", ["a", "b", "c"]);
    await io.settle();
    const cancelling = consumer.cancel();
    server.deliver(1, "t", ["d"]);
    await io.settle();
    expect(server.log).toEqual(["1 basic.cancel t"]);
    expect(consumer.state).toBe("cancelling");
    await finish(0);
    expect(got.map(text)).toEqual(["a"]);
    server.method(1, "basic.cancel-ok", { consumerTag: "t" });
    expect(await settled(io, cancelling)).toBe(3);
    expect(await settled(io, consumer.cancel())).toBe(3);
    expect(server.log).toEqual([
      "1 basic.cancel t",
      "1 basic.ack 1",
      "1 basic.nack 2 requeue",
      "1 basic.nack 3 requeue",
      "1 basic.nack 4 requeue",
    ]);
    expect(await consumer.ended).toEqual({ type: "cancelled" });
  });

  it("gives back what comes too late", async () => {
    const { io, server, channel, consumer } = await consuming();
    expect(await settled(io, channel.basicCancel({ consumerTag: "t", noWait: true }))).toBe(0);
    server.deliver(1, "t", ["late"]);
    await io.settle();
    expect(server.log).toEqual(["1 basic.cancel t", "1 basic.nack 1 requeue"]);
    expect(consumer.state).toBe("ended");
  });

  it("hands out what cannot go back", async () => {
    const { io, server, consumer, got, finish } = await consuming({ noAck: true, concurrency: 1 });
    server.deliver(1, "t", ["a", "b"]);
    await io.settle();
    expect(await settled(io, consumer.cancel())).toBe(0);
    await finish(0);
    expect(got.map(text)).toEqual(["a", "b"]);
    expect(server.log).toEqual(["1 basic.cancel t"]);
  });

  it("never rejects: a channel that is lost gives everything back", async () => {
    const { io, server, consumer } = await consuming({ concurrency: 1 });
    server.on("basic.cancel");
    server.deliver(1, "t", ["a", "b", "c"]);
    await io.settle();
    const cancelling = consumer.cancel();
    server.stream.hangUp();
    expect(await settled(io, cancelling)).toBe(2);
    expect(await consumer.ended).toMatchObject({ type: "lost", error: { code: "CONNECTION_LOST" } });
  });

  it("answered late, when the server had cancelled it itself, is not taken for one of its successor", async () => {
    const { io, server, channel, consumer } = await consuming({});
    server.on("basic.cancel");
    const cancelling = consumer.cancel();
    await io.settle();
    server.method(1, "basic.cancel", { consumerTag: "t", noWait: true });
    await io.settle();
    const got: string[] = [];
    const starting = channel.basicConsume(
      { queue: "q", consumerTag: "t" },
      (delivery) => void got.push(text(delivery)),
    );
    await io.settle();
    server.method(1, "basic.cancel-ok", { consumerTag: "t" });
    await settled(io, cancelling);
    const successor = await settled(io, starting);
    server.deliver(1, "t", ["a"]);
    await io.settle();
    expect(got).toEqual(["a"]);
    expect(channel.consumerTags).toEqual(["t"]);
    expect([consumer.state, successor.state]).toEqual(["ended", "consuming"]);
  });

  it("by the server ends the consumer, with what it has", async () => {
    const { io, server, channel, consumer, got, finish } = await consuming({ concurrency: 1 });
    const heard: unknown[] = [];
    channel.on("cancel", (event) => heard.push(event));
    server.deliver(1, "t", ["a", "b"]);
    server.method(1, "basic.cancel", { consumerTag: "t", noWait: true });
    await io.settle();
    expect(await consumer.ended).toEqual({ type: "cancelled-by-server" });
    expect(heard).toEqual([{ consumerTag: "t" }]);
    await finish(0);
    await finish(1);
    expect(got.map(text)).toEqual(["a", "b"]);
    expect(await settled(io, consumer.cancel())).toBe(0);
    expect(server.log).toEqual(["1 basic.ack 1", "1 basic.ack 2"]);
  });
});

describe("pause", () => {
  it("hands out nothing until resume", async () => {
    const { io, server, consumer, got } = await consuming({}, () => undefined);
    consumer.pause();
    expect(consumer.paused).toBe(true);
    server.deliver(1, "t", ["a", "b"]);
    await io.settle();
    expect(got).toEqual([]);
    expect(consumer.buffered).toBe(2);
    consumer.resume();
    await io.settle();
    expect(got.map(text)).toEqual(["a", "b"]);
    expect(server.log).toEqual(["1 basic.ack 2 multiple"]);
  });

  it("does not end the reading of a consumer that the prefetch bounds", async () => {
    const { io, server, consumer } = await consuming({ prefetch: 10_000 });
    consumer.pause();
    for (let i = 0; i < 10; i += 1) server.deliver(1, "t", new Array<string>(1000).fill("x"));
    await io.settle();
    expect(consumer.buffered).toBe(10_000);
    expect(server.stream.paused).toBe(false);
  });

  it("ends the reading of one without a bound, by count and by bytes, until there is room", async () => {
    for (const [count, size] of [
      [5000, 1],
      [10, 1024 * 1024],
    ] as const) {
      const { io, server, consumer } = await consuming({ noAck: true }, () => undefined);
      consumer.pause();
      for (let sent = 0; sent < count; sent += 10) {
        server.deliver(1, "t", new Array<string>(10).fill("x".repeat(size)));
        await io.settle();
        if (server.stream.paused) break;
      }
      expect(server.stream.paused).toBe(true);
      consumer.resume();
      await io.settle();
      expect(server.stream.paused).toBe(false);
    }
  });

  it("lets an answer through that a handler waits for", async () => {
    const { io, server, channel, consumer } = await consuming({ noAck: true }, () => undefined);
    consumer.pause();
    for (let i = 0; i < 50; i += 1) server.deliver(1, "t", new Array<string>(100).fill("x"));
    await io.settle();
    expect(server.stream.paused).toBe(true);
    const declared = channel.queueDeclare({ queue: "q" });
    await io.advance(1000);
    expect(await settled(io, declared)).toMatchObject({ queue: "q" });
    expect(server.stream.paused).toBe(true);
    consumer.resume();
    await io.settle();
    expect(server.stream.paused).toBe(false);
  });

  it("does not keep a connection from being closed", async () => {
    const { io, server, connection, consumer } = await consuming({ noAck: true });
    consumer.pause();
    for (let i = 0; i < 50; i += 1) server.deliver(1, "t", new Array<string>(100).fill("x"));
    await io.settle();
    expect(server.stream.paused).toBe(true);
    await settled(io, connection.close());
    expect(connection.state).toBe("closed");
  });
});

describe("close", () => {
  it("waits for the handlers that run, and what they settle", async () => {
    const { io, server, connection, consumer, finish } = await consuming({ concurrency: 2 });
    server.deliver(1, "t", ["a", "b", "c"]);
    await io.settle();
    const closing = consumer.close();
    await io.settle();
    expect(await stateOf(closing)).toBe("pending");
    await finish(1);
    await finish(0);
    expect(await settled(io, closing)).toEqual({ requeued: 1, unfinished: 0 });
    expect(server.log).toEqual(["1 basic.cancel t", "1 basic.nack 3 requeue", "1 basic.ack 2", "1 basic.ack 1"]);
    await consumer[Symbol.asyncDispose]();
    await settled(io, connection.close());
    expect(io.timers).toBe(0);
  });

  it("waits only so long", async () => {
    const { io, server, consumer } = await consuming();
    server.deliver(1, "t", ["a", "b"]);
    await io.settle();
    const closing = consumer.close({ drain: 500 });
    await io.advance(600);
    expect(await settled(io, closing)).toEqual({ requeued: 0, unfinished: 2 });
  });

  it("closes the channel of a consumer that has its own", async () => {
    const { io, server, connection } = await connected();
    const opening = connection.openConsumer({ queue: "q", prefetch: 3 }, () => {});
    const consumer = await settled(io, opening);
    expect(await settled(io, consumer.close())).toEqual({ requeued: 0, unfinished: 0 });
    expect(server.log).toEqual([
      "1 channel.open",
      "1 basic.qos 3",
      `1 basic.consume ${consumer.consumerTag}`,
      `1 basic.cancel ${consumer.consumerTag}`,
      "1 channel.close",
    ]);
  });

  it("leaves no channel behind when the consumer cannot be started", async () => {
    const { io, server, connection } = await connected();
    expect(await failure(io, connection.openConsumer({ queue: "q", prefetch: -3 }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    server.on("basic.consume", ({ channel }) => server.closeChannel(channel, 404, "no queue"));
    expect(await failure(io, connection.openConsumer({ queue: "nope" }))).toMatchObject({ replyCode: 404 });
    expect(connection.channelCount).toBe(0);
  });
});
