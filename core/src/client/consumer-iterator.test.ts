/** A consumer without a handler: its messages are taken one by one, or iterated. */

import { describe, expect, it } from "vitest";
import { text } from "./testing/consuming.ts";
import { errorOf, failure, settled, stateOf, withChannel } from "./testing/fixture.ts";

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
