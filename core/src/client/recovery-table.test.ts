/** What every operation does when the connection is lost before it was sent, while it is under way, and afterwards. */

import { describe, expect, it } from "vitest";
import type { Connection } from "./connection.ts";
import type { ConsumerDelivery } from "./delivery.ts";
import { bytes, errorOf, failure, settled, stateOf } from "./testing/fixture.ts";
import { firstDelay, recovering, recoveringChannel } from "./testing/recovering.ts";

const message = (body: string) => ({ exchange: "", routingKey: "q", body: bytes(body) });
const published = (sent: readonly { readonly body?: Uint8Array }[]): string[] =>
  sent.map(({ body }) => new TextDecoder().decode(body));
const lostUnknown = { code: "CONNECTION_LOST", outcome: "unknown" };
const notSent = { code: "NOT_CONNECTED", outcome: "not-sent", retryable: true };

describe("publish, no confirm", () => {
  it("that is not sent stays behind the gate, and leaves after recovery", async () => {
    const { channel, cut, comeBack, server } = await recoveringChannel();
    await cut();
    const promise = channel.basicPublish(message("m"));
    expect(await stateOf(promise)).toBe("pending");
    await comeBack();
    await promise;
    expect(published(server().sentOf("basic.publish"))).toEqual(["m"]);
  });

  it("that was handed over is resolved already", async () => {
    const { channel, cut, comeBack, server } = await recoveringChannel();
    await channel.basicPublish(message("m"));
    await cut();
    await comeBack();
    expect(server().sentOf("basic.publish")).toEqual([]);
  });
});

/** A publisher on a channel of its own, whose two messages were confirmed. */
async function confirmedPublisher({ io, connection, server }: Awaited<ReturnType<typeof recoveringChannel>>) {
  const publisher = await settled(io, connection.openPublisher());
  const publishing = [publisher.publish(bytes("a")), publisher.publish(bytes("b"))];
  await io.settle();
  server().confirm(2, 2, true);
  await settled(io, Promise.all(publishing));
  return publisher;
}

describe("publish, confirm", () => {
  it("that is not sent waits at the gate, and keeps its place", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(io, channel.confirmSelect());
    await cut();
    const promises = ["a", "b"].map((body) => channel.basicPublish(message(body)));
    await comeBack();
    expect(server().log).toEqual(["1 channel.open", "1 confirm.select", "1 basic.publish", "1 basic.publish"]);
    expect(published(server().sentOf("basic.publish"))).toEqual(["a", "b"]);
    server().confirm(1, 2, true);
    await settled(io, Promise.all(promises));
  });

  it.each([false, true])(
    "has no flush wait for it that begins after the loss; when room is waited for: %s",
    async (waits) => {
      const recovering = await recoveringChannel();
      const { io, cut, comeBack } = recovering;
      const publisher = await confirmedPublisher(recovering);
      await cut();
      const ready = waits ? publisher.ready() : undefined;
      const flush = publisher.flush();
      await io.settle();
      expect(await stateOf(flush)).toBe("resolved");
      await comeBack();
      await ready;
    },
  );

  it("has no flush wait for it any more when it could not wait so long for a connection", async () => {
    const recovering = await recoveringChannel();
    const { io, cut } = recovering;
    const publisher = await confirmedPublisher(recovering);
    await cut();
    io.accept = (stream) => stream.hangUp();
    const publish = errorOf(publisher.publish(bytes("c")));
    const flush = publisher.flush();
    await io.settle();
    expect(await stateOf(flush)).toBe("pending");
    await io.advance(31_000);
    expect(await publish).toMatchObject(notSent);
    expect(await stateOf(flush)).toBe("resolved");
  });

  it("that is published again is confirmed, though the server never said that it would confirm", async () => {
    const options = { recovery: { republish: true } };
    const { io, channel, cut, comeBack, server } = await recoveringChannel(options, (prepared, number) => {
      if (number === 0) prepared.on("confirm.select");
    });
    const selecting = errorOf(channel.confirmSelect());
    const publishing = channel.basicPublish(message("m"));
    await io.settle();
    await cut();
    await comeBack();
    expect(await selecting).toMatchObject(lostUnknown);
    expect(server().log).toEqual(["1 channel.open", "1 confirm.select", "1 basic.publish"]);
    expect(await stateOf(publishing)).toBe("pending");
    server().confirm(1, 1);
    await settled(io, publishing);
  });

  it("that is unconfirmed has an unknown outcome, and numbers begin anew at the server only", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(io, channel.confirmSelect());
    const lost = errorOf(channel.basicPublish(message("lost")));
    await io.settle();
    await cut();
    expect(await lost).toMatchObject(lostUnknown);
    await comeBack();
    const next = channel.basicPublish(message("next"));
    await io.settle();
    server().confirm(1, 1);
    await settled(io, next);
    expect(channel.unconfirmed).toBe(0);
  });

  it("that is unconfirmed is published again, in order and ahead of everything else, where that is asked for", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({ recovery: { republish: true } });
    await settled(io, channel.confirmSelect());
    const promises = ["a", "b", "c"].map((body) => channel.basicPublish(message(body)));
    await io.settle();
    server().confirm(1, 2);
    await io.settle();
    await cut();
    promises.push(channel.basicPublish(message("new")));
    await comeBack();
    expect(published(server().sentOf("basic.publish"))).toEqual(["a", "c", "new"]);
    server().confirm(1, 3, true);
    await settled(io, Promise.all(promises));
  });

  it("is published again so often, and not for ever", async () => {
    const { io, channel, cut, servers } = await recoveringChannel({ recovery: { republish: true, republishLimit: 2 } });
    await settled(io, channel.confirmSelect());
    const refused = errorOf(channel.basicPublish(message("a")));
    await io.settle();
    for (let outage = 0; outage < 3; outage += 1) {
      await cut();
      await io.advance(5_000);
    }
    expect(await refused).toMatchObject(lostUnknown);
    expect(servers.map((server) => server.sentOf("basic.publish").length)).toEqual([1, 1, 1, 0]);
  });

  it("that cannot be sent again, since frames are smaller now, may have arrived all the same", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel(
      { recovery: { republish: true } },
      (prepared, number) => {
        if (number > 0) prepared.tune = { ...prepared.tune, frameMax: 4096 };
      },
    );
    await settled(io, channel.confirmSelect());
    const headers = { large: "x".repeat(5_000) };
    const first = errorOf(channel.basicPublish({ ...message("a"), properties: { headers } }));
    const second = channel.basicPublish(message("b"));
    await io.settle();
    await cut();
    await comeBack();
    expect(await first).toMatchObject({
      ...{ name: "AmqpError", code: "INVALID_ARGUMENT", outcome: "unknown" },
      cause: { name: "UsageError" },
    });
    expect(published(server().sentOf("basic.publish"))).toEqual(["b"]);
    server().confirm(1, 1);
    await settled(io, second);
    // What was never sent has not arrived.
    const later = channel.basicPublish({ ...message("c"), properties: { headers } });
    expect(await failure(io, later)).toMatchObject({ name: "UsageError", outcome: "not-sent" });
  });

  it("that gave up waiting is not published again", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({ recovery: { republish: true } });
    await settled(io, channel.confirmSelect());
    const late = errorOf(channel.basicPublish({ ...message("a"), timeout: 100 }));
    await io.advance(100);
    expect(await late).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
    await cut();
    await comeBack();
    expect(server().sentOf("basic.publish")).toEqual([]);
  });
});

describe("publish, mandatory", () => {
  it("whose return came before the loss keeps that verdict", async () => {
    for (const republish of [false, true]) {
      const { io, channel, cut, comeBack, server } = await recoveringChannel({ recovery: { republish } });
      await settled(io, channel.confirmSelect());
      const returned = errorOf(channel.basicPublish({ ...message("m"), mandatory: true }));
      await io.settle();
      server().giveBack(1, server().sentOf("basic.publish")[0] as never);
      await io.settle();
      await cut();
      expect(await returned).toMatchObject({ code: "UNROUTABLE", outcome: "refused" });
      await comeBack();
      expect(server().sentOf("basic.publish")).toEqual([]);
    }
  });
});

describe("a request", () => {
  it("that is not sent stays behind the gate: both calls made while down, and those that waited for their turn", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on("queue.purge");
    });
    const inFlight = errorOf(channel.queuePurge({ queue: "first" }));
    const behind = channel.queuePurge({ queue: "second" });
    await io.settle();
    await cut();
    const down = channel.queuePurge({ queue: "third" });
    expect(await inFlight).toMatchObject(lostUnknown);
    expect(await stateOf(behind)).toBe("pending");
    await comeBack();
    expect(await settled(io, Promise.all([behind, down]))).toEqual([{ messageCount: 7 }, { messageCount: 7 }]);
    expect(
      server()
        .sentOf("queue.purge")
        .map(({ fields }) => fields["queue"]),
    ).toEqual(["second", "third"]);
  });

  it.each([
    ["queue.declare", (channel) => channel.queueDeclare({ queue: "q" })],
    ["queue.bind", (channel) => channel.queueBind({ queue: "q", exchange: "e" })],
    ["queue.unbind", (channel) => channel.queueUnbind({ queue: "q", exchange: "e" })],
    ["queue.delete", (channel) => channel.queueDelete({ queue: "q" })],
    ["exchange.declare", (channel) => channel.exchangeDeclare({ exchange: "e" })],
    ["basic.qos", (channel) => channel.basicQos({ prefetchCount: 1 })],
    ["basic.get", (channel) => channel.basicGet({ queue: "q" })],
    ["basic.consume", (channel) => channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {})],
  ] as const satisfies readonly (readonly [
    string,
    (channel: Awaited<ReturnType<Connection["openChannel"]>>) => Promise<unknown>,
  ])[])("that is unanswered has an unknown outcome, and is not recorded: %s", async (method, call) => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on(method);
    });
    const error = errorOf(call(channel));
    await io.settle();
    await cut();
    expect(await error).toMatchObject(lostUnknown);
    expect(connection.recordedCount).toBe(0);
    await comeBack();
    expect(channel.state).toBe("open");
    expect(server().sentOf(method)).toEqual([]);
  });
});

describe("retryIdempotent", () => {
  it("makes a request again that may be made twice, and records it once", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel(
      { recovery: { retryIdempotent: true } },
      (prepared, number) => {
        if (number === 0) prepared.on("queue.declare");
      },
    );
    const declaring = channel.queueDeclare({ queue: "q" });
    await io.settle();
    await cut();
    expect(await stateOf(declaring)).toBe("pending");
    await comeBack();
    expect(await settled(io, declaring)).toMatchObject({ queue: "q" });
    expect(server().sentOf("queue.declare").length).toBe(1);
    expect(connection.recordedCount).toBe(1);
  });

  it("makes no other request again", async () => {
    const { io, channel, cut } = await recoveringChannel({ recovery: { retryIdempotent: true } }, (prepared) =>
      prepared.on("queue.purge"),
    );
    const lost = errorOf(channel.queuePurge({ queue: "q" }));
    await io.settle();
    await cut();
    expect(await lost).toMatchObject(lostUnknown);
  });
});

describe("the gate", () => {
  it("lets calls wait for so long, so many, and so many bytes", async () => {
    const limits = { acquireTimeout: 500, maxWaitingCalls: 3, maxWaitingBytes: 2_000 };
    const { io, channel, cut, comeBack } = await recoveringChannel({ recovery: limits });
    await cut();
    const waiting = [
      errorOf(channel.queuePurge({ queue: "q" })),
      errorOf(channel.basicPublish(message("x".repeat(1_500)))),
      errorOf(channel.basicPublish(message("x".repeat(1_500)))),
    ];
    await io.settle();
    expect(await waiting[2]).toMatchObject(notSent);
    const third = errorOf(channel.queuePurge({ queue: "q" }));
    expect(await errorOf(channel.queuePurge({ queue: "q" }))).toMatchObject(notSent);
    await io.advance(500);
    for (const call of [waiting[0], waiting[1], third]) expect(await call).toMatchObject(notSent);
    await comeBack();
    await settled(io, channel.queuePurge({ queue: "q" }));
  });

  it("lets nobody wait with whenDown: fail", async () => {
    const { io, connection, channel, cut, comeBack } = await recoveringChannel({ recovery: { whenDown: "fail" } });
    await cut();
    expect(await failure(io, channel.basicPublish(message("m")))).toMatchObject(notSent);
    expect(await failure(io, channel.queuePurge({ queue: "q" }))).toMatchObject(notSent);
    expect(await failure(io, connection.openChannel())).toMatchObject(notSent);
    await comeBack();
    await settled(io, channel.queuePurge({ queue: "q" }));
  });

  it("lets go of whoever gives up", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    await cut();
    const controller = new AbortController();
    const calls = [
      errorOf(channel.queuePurge({ queue: "q", signal: controller.signal })),
      errorOf(channel.basicPublish({ ...message("m"), signal: controller.signal })),
      errorOf(channel.basicPublish({ ...message("m"), timeout: 10 })),
    ];
    controller.abort();
    await io.advance(10);
    expect(await Promise.all(calls)).toMatchObject([
      { code: "ABORTED", outcome: "not-sent" },
      { code: "ABORTED", outcome: "not-sent" },
      { code: "TIMEOUT", outcome: "not-sent" },
    ]);
    await comeBack();
    expect(server().log).toEqual(["1 channel.open"]);
  });

  it("counts publishes that waited for room when the connection was lost", async () => {
    const { io, channel, cut, server } = await recoveringChannel({ recovery: { acquireTimeout: 500 } });
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const waiting = errorOf(channel.basicPublish(message("m")));
    await cut();
    await io.advance(500);
    expect(await waiting).toMatchObject(notSent);
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

describe("a transaction", () => {
  const transactional = async () => {
    const fixture = await recoveringChannel();
    await settled(fixture.io, fixture.channel.txSelect());
    return fixture;
  };

  it("without work is selected again, and nobody misses it", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    await cut();
    await comeBack();
    await channel.basicPublish(message("m"));
    await settled(io, channel.txCommit());
    expect(server().log).toEqual(["1 channel.open", "1 tx.select", "1 basic.publish", "1 tx.commit"]);
  });

  it("with work is aborted, until it is rolled back", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
    await channel.basicPublish(message("m"));
    await cut();
    await comeBack();
    const aborted = { code: "TRANSACTION_ABORTED", outcome: "not-sent" };
    expect(await failure(io, channel.basicPublish(message("n")))).toMatchObject(aborted);
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
    server().deliver(1, "c", ["a"]);
    await io.settle();
    const delivery = await consumer.take();
    expect(() => delivery?.ack()).toThrow(expect.objectContaining(aborted));
    await settled(io, channel.txRollback());
    expect(delivery?.ack()).toBe("settled");
    await channel.basicPublish(message("o"));
    await settled(io, channel.txCommit());
    expect(published(server().sentOf("basic.publish"))).toEqual(["o"]);
    expect(server().sentOf("tx.rollback")).toEqual([]);
  });

  it.each(["txCommit", "txRollback"] as const)(
    "has in it what was published before, when that waits for a connection or for room: %s",
    async (end) => {
      const { io, channel, cut, comeBack, server } = await transactional();
      const publishAndEnd = (): Promise<unknown> =>
        Promise.all([channel.basicPublish(message("m")), channel.basicPublish(message("n")), channel[end]()]);
      await cut();
      const whileDown = publishAndEnd();
      await comeBack();
      await settled(io, whileDown);
      server().method(0, "connection.blocked", { reason: "memory" });
      await io.settle();
      const whileBlocked = publishAndEnd();
      await io.settle();
      server().method(0, "connection.unblocked", {});
      await settled(io, whileBlocked);
      const once = ["1 basic.publish", "1 basic.publish", end === "txCommit" ? "1 tx.commit" : "1 tx.rollback"];
      expect(server().log).toEqual(["1 channel.open", "1 tx.select", ...once, ...once]);
    },
  );

  it.each(["txCommit", "txRollback"] as const)(
    "has nothing in it of what was published after its end was asked for, when that has to wait: %s",
    async (end) => {
      const { io, channel, server } = await transactional();
      server().method(0, "connection.blocked", { reason: "memory" });
      await io.settle();
      const calls = [
        channel.basicPublish(message("before")),
        channel[end](),
        channel.basicPublish(message("after")),
        channel[end](),
      ];
      await io.settle();
      server().method(0, "connection.unblocked", {});
      await settled(io, Promise.all(calls));
      const once = ["1 basic.publish", end === "txCommit" ? "1 tx.commit" : "1 tx.rollback"];
      expect(server().log.slice(-4)).toEqual([...once, ...once]);
    },
  );

  it("need not wait for what waits: a commit whose caller gives up, or whose channel ends", async () => {
    const { io, channel, server } = await transactional();
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const publish = errorOf(channel.basicPublish(message("m")));
    const controller = new AbortController();
    const commit = failure(io, channel.txCommit({ signal: controller.signal }));
    const other = failure(io, channel.txCommit());
    controller.abort();
    expect(await commit).toMatchObject({ code: "ABORTED", outcome: "not-sent" });
    expect(await failure(io, channel.txCommit({ signal: controller.signal }))).toMatchObject({ code: "ABORTED" });
    const closing = channel.close();
    expect(await other).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
    expect(await publish).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
    await settled(io, closing);
    expect(server().sentOf("tx.commit")).toHaveLength(0);
  });

  it("is ended no later for messages that could not wait so long for a connection", async () => {
    const { io, channel, cut } = await transactional();
    await cut();
    io.accept = (stream) => stream.hangUp();
    const publish = errorOf(channel.basicPublish(message("m")));
    const commit = errorOf(channel.txCommit());
    await io.advance(31_000);
    expect(await publish).toMatchObject(notSent);
    await io.advance(31_000);
    expect(await stateOf(commit)).toBe("resolved");
    expect(await commit).toMatchObject(notSent);
  });

  it("is not committed later where nothing waits for a connection", async () => {
    const { io, channel, cut, server } = await recoveringChannel({ recovery: { whenDown: "fail" } });
    await settled(io, channel.txSelect());
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const publish = errorOf(channel.basicPublish(message("m")));
    const commit = errorOf(channel.txCommit());
    await cut();
    expect(await publish).toMatchObject(notSent);
    expect(await stateOf(commit)).toBe("resolved");
    expect(await commit).toMatchObject(notSent);
  });

  it("keeps nothing of what waited while it was lost: the rollback is of that as well", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    await channel.basicPublish(message("sent"));
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const waiting = errorOf(channel.basicPublish(message("waiting")));
    await cut();
    const rollback = channel.txRollback();
    await comeBack();
    expect(await waiting).toMatchObject({ code: "TRANSACTION_ABORTED", outcome: "not-sent" });
    await settled(io, rollback);
    await channel.basicPublish(message("after"));
    await settled(io, channel.txCommit());
    expect(published(server().sentOf("basic.publish"))).toEqual(["after"]);
  });

  it("whose commit was sent may have happened", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("tx.commit");
    await channel.basicPublish(message("m"));
    const commit = errorOf(channel.txCommit());
    await io.settle();
    await cut();
    expect(await commit).toMatchObject({ code: "COMMIT_UNKNOWN", outcome: "unknown" });
    await comeBack();
    expect(await failure(io, channel.basicPublish(message("n")))).toMatchObject({ code: "TRANSACTION_ABORTED" });
  });
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

describe("the work of a transaction", () => {
  const aborted = { code: "TRANSACTION_ABORTED", outcome: "not-sent" };
  const transactional = async () => {
    const fixture = await recoveringChannel();
    await settled(fixture.io, fixture.channel.txSelect());
    return fixture;
  };

  it("is not taken for committed by a commit that had not been sent when the channel was lost", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("basic.qos");
    await channel.basicPublish(message("m"));
    const before = errorOf(channel.basicQos({ prefetchCount: 1 }));
    const commit = errorOf(channel.txCommit());
    await io.settle();
    expect(server().sentOf("tx.commit")).toEqual([]);
    await cut();
    await comeBack();
    expect(await before).toMatchObject(lostUnknown);
    expect(await commit).toMatchObject(aborted);
    expect(server().sentOf("tx.commit")).toEqual([]);
  });

  it("is rolled back by a rollback that had not been sent when the channel was lost", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("basic.qos");
    await channel.basicPublish(message("m"));
    const before = errorOf(channel.basicQos({ prefetchCount: 1 }));
    const rollback = channel.txRollback();
    await io.settle();
    await cut();
    await comeBack();
    expect(await before).toMatchObject(lostUnknown);
    await settled(io, rollback);
    await settled(io, channel.txCommit());
    expect(server().sentOf("tx.rollback")).toEqual([]);
  });

  it("is missed when it was done after a rollback that had not been sent", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("basic.qos");
    await channel.basicPublish(message("first"));
    const before = errorOf(channel.basicQos({ prefetchCount: 1 }));
    const rollback = channel.txRollback();
    await channel.basicPublish(message("second"));
    await io.settle();
    await cut();
    await comeBack();
    expect(await before).toMatchObject(lostUnknown);
    await settled(io, rollback);
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
    await settled(io, channel.txRollback());
    await settled(io, channel.txCommit());
  });

  it("is missed when it was done after a commit that was answered", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("tx.commit");
    await channel.basicPublish(message("first"));
    const commit = channel.txCommit();
    await channel.basicPublish(message("second"));
    await io.settle();
    server().method(1, "tx.commit-ok", {});
    await settled(io, commit);
    await cut();
    await comeBack();
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
  });

  it("may be done before the answer to tx.select, of which a loss is missed as well", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on("tx.select");
    });
    const selected = channel.txSelect();
    await channel.basicPublish(message("m"));
    await io.settle();
    server().method(1, "tx.select-ok", {});
    await settled(io, selected);
    await cut();
    await comeBack();
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
    await settled(io, channel.txRollback());
    await settled(io, channel.txCommit());
  });

  it("is not missed where tx.select was unanswered, unless that is made again", async () => {
    for (const retryIdempotent of [false, true]) {
      const { io, channel, cut, comeBack } = await recoveringChannel(
        { recovery: { retryIdempotent } },
        (server, number) => {
          if (number === 0) server.on("tx.select");
        },
      );
      const selected = channel.txSelect();
      selected.catch(() => {});
      await channel.basicPublish(message("m"));
      await io.settle();
      await cut();
      await comeBack();
      if (retryIdempotent) {
        await settled(io, selected);
        expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
      } else {
        expect(await failure(io, selected)).toMatchObject(lostUnknown);
        await settled(io, channel.basicPublish(message("without a transaction")));
      }
    }
  });

  it("may be an acknowledgement alone", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
    server().deliver(1, "c", ["a"]);
    await io.settle();
    expect((await consumer.take())?.ack()).toBe("settled");
    await io.settle();
    await cut();
    await comeBack();
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
  });
});

describe("a message that nobody takes, while the work of a transaction is lost", () => {
  async function withLostWork(): ReturnType<typeof recoveringChannel> {
    const fixture = await recoveringChannel();
    const { io, channel, cut, comeBack } = fixture;
    await settled(io, channel.txSelect());
    await settled(io, channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("work") }));
    await cut();
    await comeBack();
    return fixture;
  }

  it("stays where it is: one of a consumer that was just cancelled", async () => {
    const { io, connection, channel, server } = await withLostWork();
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    await settled(io, channel.basicCancel({ consumerTag: "c", noWait: true }));
    server().deliver(1, "c", ["late"]);
    await io.settle();
    expect(connection.state).toBe("open");
    expect(server().sentOf("basic.nack")).toEqual([]);
  });

  it("stays where it is: one that somebody had given up", async () => {
    const { io, connection, channel, server } = await withLostWork();
    server().on("basic.get");
    const givingUp = new AbortController();
    const getting = channel.basicGet({ queue: "q", signal: givingUp.signal });
    await io.settle();
    givingUp.abort();
    server().gotMessage(1, "late");
    expect(await failure(io, getting)).toMatchObject({ code: "ABORTED" });
    expect(connection.state).toBe("open");
    expect(server().sentOf("basic.nack")).toEqual([]);
  });
});

describe("flush", () => {
  it("rejects when something has become unknown, and waits for what is published again", async () => {
    for (const republish of [false, true]) {
      const { io, connection, cut, comeBack, server } = await recovering({ recovery: { republish } });
      const publisher = await settled(io, connection.openPublisher());
      publisher.send(bytes("m"));
      const flushed = publisher.flush();
      flushed.catch(() => {});
      await io.settle();
      await cut();
      await comeBack();
      if (republish) {
        expect(await stateOf(flushed)).toBe("pending");
        server().confirm(1, 1);
        await settled(io, flushed);
      } else {
        expect(await failure(io, flushed)).toMatchObject({ code: "FLUSH_FAILED", outcome: "unknown" });
      }
    }
  });
});

describe("channels", () => {
  it("that are being opened are opened after recovery", async () => {
    const { io, connection, cut, comeBack } = await recovering({}, (server, number) => {
      if (number === 0) server.on("channel.open");
    });
    const opening = connection.openChannel();
    await io.settle();
    await cut();
    const later = connection.openChannel();
    await comeBack();
    expect((await settled(io, opening)).state).toBe("open");
    expect((await settled(io, later)).number).toBe(2);
  });

  it("that are closed while down are not opened again", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(
      io,
      channel.basicConsume({ queue: "q" }, () => {}),
    );
    await cut();
    await settled(io, channel.close());
    expect(channel.state).toBe("closed");
    expect([connection.recordedCount, connection.channelCount]).toEqual([0, 0]);
    await comeBack();
    expect(server().log).toEqual([]);
    expect((await settled(io, connection.openChannel())).number).toBe(1);
  });

  it("that the server has closed keep their numbers until they are reopened", async () => {
    const { io, connection, server } = await recovering();
    const publisher = await settled(io, connection.openPublisher());
    server().closeChannel(1, 406, "PRECONDITION_FAILED");
    await io.settle();
    expect(publisher.state).toBe("recovering");
    expect(await failure(io, connection.openChannel({ number: 1 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((await settled(io, connection.openChannel())).number).toBe(2);
    await io.advance(firstDelay);
    expect(publisher.state).toBe("open");
    await settled(io, connection.close());
    expect(await publisher.closed).toBeUndefined();
  });

  it("whose close was sent are closed by the loss", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared) =>
      prepared.on("channel.close"),
    );
    const closing = channel.close();
    await io.settle();
    await cut();
    await settled(io, closing);
    await comeBack();
    expect(server().log).toEqual([]);
  });

  it("keep their numbers, and those with too high a number end", async () => {
    const { io, connection, cut, comeBack, server } = await recovering({}, (prepared, number) => {
      if (number === 1) prepared.tune = { ...prepared.tune, channelMax: 5 };
    });
    const five = await settled(io, connection.openChannel({ number: 5 }));
    const seven = await settled(io, connection.openChannel({ number: 7 }));
    await cut();
    await comeBack();
    expect(server().log).toEqual(["5 channel.open"]);
    expect(five.state).toBe("open");
    expect(await seven.closed).toMatchObject({ code: "CHANNEL_LIMIT" });
  });
});

describe("update-secret", () => {
  it("waits while down, and is unknown when it was sent", async () => {
    const { io, connection, cut, comeBack, server } = await recovering({}, (prepared, number) => {
      if (number === 0) prepared.on("connection.update-secret");
    });
    const sent = errorOf(connection.updateSecret({ newSecret: "s", reason: "r" }));
    await io.settle();
    await cut();
    expect(await sent).toMatchObject(lostUnknown);
    const waiting = connection.updateSecret({ newSecret: "s", reason: "r" });
    await comeBack();
    await settled(io, waiting);
    expect(server().sentOf("connection.update-secret")).toHaveLength(1);
  });
});
