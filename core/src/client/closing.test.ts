/** Closing beside a server that answers nothing: one that has blocked the connection, or that is stuck. */

import { describe, expect, it } from "vitest";
import { openRetryingConsumer } from "./retries/retrying-consumer.ts";
import { openRpcClient } from "./rpc/rpc-client.ts";
import { openRpcServer } from "./rpc/rpc-server.ts";
import { bytes, connected, errorOf, type Fixture, settled, stateOf } from "./testing/fixture.ts";
import type { VirtualIo } from "./testing/virtual-io.ts";

const never = new Promise<void>(() => {});

/** From now on the server answers none of these, and requests are not timed. */
async function block({ io, server }: Fixture): Promise<void> {
  server.on("basic.cancel").on("channel.close").on("basic.publish");
  server.method(0, "connection.blocked", { reason: "low on memory" });
  await io.settle();
}

/** What closing comes to, and after how long; it does not come sooner. */
async function closedAfter<T>(io: VirtualIo, time: number, closing: Promise<T>): Promise<T> {
  await io.advance(time - 1);
  expect(await stateOf(closing)).toBe("pending");
  await io.advance(1);
  return settled(io, closing);
}

describe("a server that answers nothing", () => {
  it("keeps nobody who closes a channel, but the channel stays what it is", async () => {
    const fixture = await connected();
    const { io, server, connection } = fixture;
    const channel = await settled(io, connection.openChannel());
    await block(fixture);
    await closedAfter(io, 5_000, channel.close());
    expect(channel.state).toBe("closing");
    server.method(1, "channel.close-ok", {});
    await io.settle();
    expect(channel.state).toBe("closed");
    expect(await channel.closed).toBeUndefined();
  });

  it("keeps nobody who closes a consumer longer than `drain` and the two calls take", async () => {
    const fixture = await connected();
    const { io, server, connection } = fixture;
    const consumer = await settled(
      io,
      connection.openConsumer({ queue: "q", concurrency: 1 }, () => never),
    );
    server.deliver(1, consumer.consumerTag, ["a", "b"]);
    await io.settle();
    await block(fixture);
    const closing = consumer.close({ drain: 500 });
    expect(await closedAfter(io, 10_500, closing)).toEqual({ requeued: 0, unfinished: 1 });
  });

  it.each(["consumer.cancel", "basicCancel", "leaving a loop"])(
    "keeps nobody who cancels a consumer: %s",
    async (how) => {
      const fixture = await connected();
      const { io, server, connection } = fixture;
      const channel = await settled(io, connection.openChannel());
      const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
      server.deliver(1, "c", ["a"]);
      await io.settle();
      await block(fixture);
      const cancel: Record<string, () => Promise<unknown>> = {
        "consumer.cancel": () => consumer.cancel(),
        basicCancel: () => channel.basicCancel({ consumerTag: "c" }),
        "leaving a loop": async () => (await consumer[Symbol.asyncIterator]().return?.())?.value ?? 0,
      };
      expect(await closedAfter(io, 5_000, cancel[how]?.() as Promise<unknown>)).toBe(0);
      expect(consumer.state).toBe("cancelling");
      // What comes meanwhile is not handed out, and goes back when the server has stopped.
      const taking = consumer.take();
      server.deliver(1, "c", ["b"]);
      await io.settle();
      expect(await stateOf(taking)).toBe("pending");
      server.method(1, "basic.cancel-ok", { consumerTag: "c" });
      await io.settle();
      expect(consumer.state).toBe("ended");
      expect(await taking).toBeUndefined();
      expect(server.sentOf("basic.nack").map(({ fields }) => fields["deliveryTag"])).toEqual([1, 2]);
      expect(await settled(io, consumer.cancel())).toBe(2);
      await settled(io, connection.close());
      expect(io.timers).toBe(0);
    },
  );

  it("keeps nobody who closes a publisher longer than the confirms may take", async () => {
    const fixture = await connected();
    const { io, server, connection } = fixture;
    const publisher = await settled(io, connection.openPublisher());
    server.on("basic.publish");
    const publishing = errorOf(publisher.publish(bytes("a")));
    await io.settle();
    await block(fixture);
    const closing = errorOf(publisher.close({ timeout: 500 }));
    expect(await closedAfter(io, 5_500, closing)).toMatchObject({ code: "TIMEOUT" });
    expect(await stateOf(publishing)).toBe("pending");
    await settled(io, connection.close());
    expect(await settled(io, publishing)).toMatchObject({ outcome: "unknown" });
    expect(io.timers).toBe(0);
  });

  it("keeps nobody who closes what retries, whose copies are not waited for behind the handlers", async () => {
    const fixture = await connected();
    const { io, server, connection } = fixture;
    const fail = (): never => {
      throw new Error("not now");
    };
    const consumer = await settled(
      io,
      openRetryingConsumer(connection, { queue: "q", delays: [10], declare: false }, fail),
    );
    server.on("basic.publish");
    server.deliver(2, consumer.consumer.consumerTag, ["a"]);
    await io.settle();
    await block(fixture);
    expect(server.sentOf("basic.publish")).toHaveLength(1);
    const closing = consumer.close({ drain: 500 });
    await io.advance(15_500);
    expect(await settled(io, closing)).toEqual({ requeued: 0, unfinished: 1 });
  });

  it("keeps nobody who closes a server or a client of remote calls", async () => {
    const fixture = await connected();
    const { io, connection } = fixture;
    const server = await settled(
      io,
      openRpcServer(connection, { queue: "q" }, (request) => request),
    );
    const client = await settled(io, openRpcClient(connection, { routingKey: "q" }));
    await block(fixture);
    const closing = Promise.all([server.close({ drain: 500 }), client.close({ drain: 500 })]);
    await io.advance(15_500);
    expect(await stateOf(closing)).toBe("resolved");
  });
});
