import { describe, expect, it } from "vitest";
import type { Consumer } from "./consumer.ts";
import type { HandlerOptions } from "./consumer-options.ts";
import type { ConsumerDelivery } from "./delivery.ts";
import { Future } from "./futures.ts";
import { connected, errorOf, type Fixture, failure, settled, stateOf, withChannel } from "./testing/fixture.ts";
import { recoveringChannel } from "./testing/recovering.ts";
import type { Channel } from "./channel.ts";

const text = (delivery: ConsumerDelivery | undefined): string => new TextDecoder().decode(delivery?.body);

/** A consumer whose handler the test holds. */
async function consuming(
  options: Partial<HandlerOptions> = {},
  handler?: (delivery: ConsumerDelivery) => unknown,
): Promise<
  Fixture & {
    readonly channel: Channel;
    readonly consumer: Consumer;
    readonly got: ConsumerDelivery[];
    readonly reports: unknown[];
    readonly finish: (index: number, error?: Error) => Promise<void>;
  }
> {
  const fixture = await withChannel();
  const { io, channel, connection } = fixture;
  const got: ConsumerDelivery[] = [];
  const running: Future<void>[] = [];
  const reports: unknown[] = [];
  connection.on("callback-error", ({ error }) => reports.push(error));
  const consumer = await settled(
    io,
    channel.basicConsume({ queue: "q", consumerTag: "t", ...options }, (delivery) => {
      got.push(delivery);
      if (handler !== undefined) return handler(delivery);
      const future = new Future<void>();
      running.push(future);
      return future.promise;
    }),
  );
  fixture.server.sent.length = 0;
  const finish = async (index: number, error?: Error): Promise<void> => {
    if (error === undefined) running[index]?.resolve();
    else running[index]?.fail(() => error);
    await io.settle();
  };
  return { ...fixture, consumer, got, reports, finish };
}

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

describe("iterating", () => {
  async function iterable(options = {}) {
    const fixture = await withChannel();
    const consumer = await settled(
      fixture.io,
      fixture.channel.basicConsume({ queue: "q", consumerTag: "t", ...options }),
    );
    fixture.server.sent.length = 0;
    return { ...fixture, consumer };
  }

  it("gives messages in order, to be settled by whoever takes them; leaving the loop cancels", async () => {
    const { io, server, consumer } = await iterable();
    const got: string[] = [];
    const loop = (async () => {
      for await (const delivery of consumer) {
        got.push(text(delivery));
        delivery.ack();
        if (text(delivery) === "c") break;
      }
    })();
    server.deliver(1, "t", ["a", "b"]);
    await io.settle();
    server.deliver(1, "t", ["c", "d", "e"]);
    await settled(io, loop);
    expect(got).toEqual(["a", "b", "c"]);
    expect(server.log).toEqual([
      "1 basic.ack 2 multiple",
      "1 basic.ack 3",
      "1 basic.cancel t",
      "1 basic.nack 4 requeue",
      "1 basic.nack 5 requeue",
    ]);
  });

  it("ends when the consumer is cancelled, or its channel is closed", async () => {
    for (const way of ["cancel", "close the channel", "close the connection"] as const) {
      const { io, channel, connection, consumer } = await iterable();
      const loop = (async () => {
        for await (const delivery of consumer) delivery.ack();
        return "ended";
      })();
      await io.settle();
      if (way === "cancel") void consumer.cancel();
      else void (way === "close the channel" ? channel : connection).close();
      expect(await settled(io, loop)).toBe("ended");
      expect(await settled(io, consumer.take())).toBeUndefined();
    }
  });

  it("throws what ended the consumer otherwise", async () => {
    const cancelled = await iterable();
    const first = errorOf(cancelled.consumer.take());
    cancelled.server.method(1, "basic.cancel", { consumerTag: "t", noWait: true });
    await cancelled.io.settle();
    expect(await first).toMatchObject({ name: "ConsumerCancelledError", consumerTag: "t", retryable: true });
    const closed = await iterable();
    const second = errorOf(closed.consumer.take());
    closed.server.closeChannel(1, 406, "no");
    await closed.io.settle();
    expect(await second).toMatchObject({ name: "ChannelError", replyCode: 406 });
    const lost = await iterable();
    const third = errorOf(lost.consumer.take());
    lost.server.stream.hangUp();
    await lost.io.settle();
    expect(await third).toMatchObject({ name: "ConnectionError", code: "CONNECTION_LOST" });
  });

  it("gives what is there before it ends, when it cannot go back", async () => {
    const { io, server, consumer } = await iterable({ noAck: true });
    server.deliver(1, "t", ["a", "b"]);
    await io.settle();
    server.stream.hangUp();
    await io.settle();
    expect(text(await settled(io, consumer.take()))).toBe("a");
    expect(text(await settled(io, consumer.take()))).toBe("b");
    expect(await failure(io, consumer.take())).toMatchObject({ code: "CONNECTION_LOST" });
  });

  it("drops what the server gives to others, when the channel is gone", async () => {
    const { io, server, consumer } = await iterable();
    server.deliver(1, "t", ["a", "b"]);
    await io.settle();
    expect(consumer.buffered).toBe(2);
    server.stream.hangUp();
    await io.settle();
    expect(consumer.buffered).toBe(0);
    expect(await failure(io, consumer.take())).toMatchObject({ code: "CONNECTION_LOST" });
  });

  it("waits only so long, and as long as the signal lets it", async () => {
    const { io, server, consumer } = await iterable();
    const timed = consumer.take({ timeout: 100 });
    await io.advance(150);
    expect(await timed).toBeUndefined();
    const controller = new AbortController();
    const aborted = errorOf(consumer.take({ signal: controller.signal }));
    controller.abort("enough");
    expect(await aborted).toMatchObject({ name: "AbortError", cause: "enough" });
    expect(await failure(io, consumer.take({ signal: controller.signal }))).toMatchObject({ code: "ABORTED" });
    server.deliver(1, "t", ["a"]);
    expect(text(await settled(io, consumer.take({ timeout: 100, signal: new AbortController().signal })))).toBe("a");
  });

  it("serves those who wait in their order", async () => {
    const { io, server, consumer } = await iterable();
    const takes = [consumer.take(), consumer.take(), consumer.take({ timeout: 1000 })];
    server.deliver(1, "t", ["a", "b", "c", "d"]);
    await io.settle();
    expect((await Promise.all(takes)).map(text)).toEqual(["a", "b", "c"]);
    expect(consumer.buffered).toBe(1);
    expect(consumer.running).toBe(0);
  });

  it("is paused like a handler", async () => {
    const { io, server, consumer } = await iterable();
    server.deliver(1, "t", ["a"]);
    await io.settle();
    consumer.pause();
    const taking = consumer.take();
    await io.settle();
    expect(await stateOf(taking)).toBe("pending");
    consumer.resume();
    expect(text(await settled(io, taking))).toBe("a");
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

  it("is not an iterator", async () => {
    const { io, channel } = await withChannel();
    const options = { queue: "q", lendBody: true };
    expect(await failure(io, channel.basicConsume(options))).toMatchObject({ code: "NOT_SUPPORTED" });
  });
});
