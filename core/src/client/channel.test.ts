import { describe, expect, it } from "vitest";
import { replyCodes } from "../wire/constants.ts";
import type { MethodName } from "../wire/method-types.ts";
import type { Channel } from "./channel.ts";
import type { GotMessage } from "./delivery.ts";
import { bytes, errorOf, failure, settled, stateOf, withChannel } from "./testing/fixture.ts";

describe("the methods of a channel", () => {
  it("are calls with the fields of AMQP, and sensible defaults", async () => {
    const { io, server, channel } = await withChannel();
    const calls: [Promise<unknown>, unknown][] = [
      [channel.exchangeDeclare({ exchange: "x" }), undefined],
      [channel.exchangeDelete({ exchange: "x", ifUnused: true }), undefined],
      [channel.exchangeBind({ destination: "y", source: "x", routingKey: "k" }), undefined],
      [channel.exchangeUnbind({ destination: "y", source: "x" }), undefined],
      [channel.queueDeclare(), { queue: "made-up", messageCount: 3, consumerCount: 1 }],
      [channel.queueDeclare({ queue: "e", exclusive: true }), { queue: "e", messageCount: 3, consumerCount: 1 }],
      [channel.queueBind({ queue: "q", exchange: "x" }), undefined],
      [channel.queueUnbind({ queue: "q", exchange: "x" }), undefined],
      [channel.queuePurge({ queue: "q" }), { messageCount: 7 }],
      [channel.queueDelete({ queue: "q", ifEmpty: true }), { messageCount: 8 }],
      [channel.basicQos({ prefetchCount: 5 }), undefined],
      [channel.basicGet({ queue: "q" }), undefined],
      [channel.basicRecover(), undefined],
      [channel.flow({ active: true }), true],
      [channel.txSelect(), undefined],
      [channel.txCommit(), undefined],
      [channel.txRollback(), undefined],
      [channel.request("queue.declare", { queue: "raw" }), { queue: "raw", messageCount: 3, consumerCount: 1 }],
    ];
    for (const [call, value] of calls) expect(await settled(io, call)).toEqual(value);
    const fields = Object.fromEntries(server.sent.map((sent) => [sent.name, sent.fields]));
    expect(server.sent[0]?.fields).toMatchObject({ exchange: "x", type: "direct", durable: true, passive: false });
    expect(fields["exchange.delete"]).toMatchObject({ ifUnused: true });
    expect(fields["exchange.bind"]).toMatchObject({ destination: "y", source: "x", routingKey: "k" });
    expect(server.sent[4]?.fields).toMatchObject({ queue: "", durable: true, exclusive: false });
    expect(server.sent[5]?.fields).toMatchObject({ queue: "e", durable: false, exclusive: true });
    expect(fields["queue.delete"]).toMatchObject({ ifEmpty: true, ifUnused: false });
    expect(fields["basic.recover"]).toMatchObject({ requeue: true });
    expect(channel.mode).toBe("tx");
  });

  it("wait for nothing with noWait, and keep their order", async () => {
    const { io, server, channel } = await withChannel();
    const calls = [
      channel.queueDeclare({ queue: "a", noWait: true }),
      channel.queueDeclare({ queue: "b" }),
      channel.exchangeDeclare({ exchange: "x", noWait: true }),
      channel.queueBind({ queue: "b", exchange: "x", noWait: true }),
      channel.queuePurge({ queue: "b", noWait: true }),
      channel.queueDelete({ queue: "b", noWait: true }),
      channel.confirmSelect({ noWait: true }),
      channel.queueDeclare({ queue: "c" }),
    ];
    const values = await settled(io, Promise.all(calls));
    expect(values[0]).toBeUndefined();
    expect(values[7]).toMatchObject({ queue: "c" });
    expect(server.sent.map(({ name, fields }) => `${name} ${String(fields["noWait"])}`)).toEqual([
      "queue.declare true",
      "queue.declare false",
      "exchange.declare true",
      "queue.bind true",
      "queue.purge true",
      "queue.delete true",
      "confirm.select true",
      "queue.declare false",
    ]);
    expect(channel.mode).toBe("confirm");
  });

  it.each<[string, (channel: Channel) => Promise<unknown>, string]>([
    ["a name that is too long", (channel) => channel.queueDeclare({ queue: "q".repeat(256) }), "INVALID_ARGUMENT"],
    [
      "a name that is none",
      (channel) => channel.queueDeclare({ queue: ["q"] as unknown as string }),
      "INVALID_ARGUMENT",
    ],
    ["a name in place of options", (channel) => channel.queueDeclare("q" as never), "INVALID_ARGUMENT"],
    ["a prefetch that is too large", (channel) => channel.basicQos({ prefetchCount: 65_536 }), "INVALID_ARGUMENT"],
    ["a prefetch size", (channel) => channel.basicQos({ prefetchCount: 1, prefetchSize: 1 }), "NOT_SUPPORTED"],
    ["recovering without requeueing", (channel) => channel.basicRecover({ requeue: false }), "NOT_SUPPORTED"],
    ["stopping the flow", (channel) => channel.flow({ active: false }), "NOT_SUPPORTED"],
    [
      "a body that is no bytes",
      (channel) => channel.basicPublish({ exchange: "", routingKey: "q", body: "text" as unknown as Uint8Array }),
      "INVALID_ARGUMENT",
    ],
    [
      "no message at all",
      (channel) => channel.basicPublish(undefined as unknown as Parameters<Channel["basicPublish"]>[0]),
      "INVALID_ARGUMENT",
    ],
    [
      "a value that no table can hold",
      (channel) => channel.queueDeclare({ arguments: { x: (() => {}) as unknown as string } }),
      "INVALID_ARGUMENT",
    ],
    [
      "a prefetch without acknowledgements",
      (channel) => channel.basicConsume({ queue: "q", noAck: true, prefetch: 3 }, () => {}),
      "INVALID_ARGUMENT",
    ],
    [
      "a prefetch below zero",
      (channel) => channel.basicConsume({ queue: "q", prefetch: -1 }, () => {}),
      "INVALID_ARGUMENT",
    ],
    [
      "a concurrency of none",
      (channel) => channel.basicConsume({ queue: "q", concurrency: 0 }, () => {}),
      "INVALID_ARGUMENT",
    ],
  ])("refuse %s before a byte is sent", async (_, call, code) => {
    const { io, server, channel } = await withChannel();
    expect(await failure(io, call(channel))).toMatchObject({ name: "UsageError", code, outcome: "not-sent" });
    expect(server.log).toEqual([]);
    expect(channel.state).toBe("open");
  });
});

describe("a call that the server refuses", () => {
  it("rejects with the server's words, and is told apart from its neighbours", async () => {
    const { io, server, channel } = await withChannel();
    server.on("queue.bind", ({ channel: number }) =>
      server.method(number, "channel.close", {
        replyCode: replyCodes.notFound,
        replyText: "no exchange",
        classId: 50,
        methodId: 20,
      }),
    );
    const errors = [
      errorOf(channel.queueBind({ queue: "q", exchange: "nope" })),
      errorOf(channel.queueDeclare({ queue: "later" })),
    ];
    await io.settle();
    expect(await errors[0]).toMatchObject({
      name: "ChannelError",
      code: "CHANNEL_CLOSED_BY_SERVER",
      replyCode: 404,
      replyText: "no exchange",
      method: "queue.bind",
      outcome: "refused",
      retryable: false,
    });
    expect(await errors[1]).toMatchObject({ name: "ChannelError", replyCode: 404, outcome: "not-sent" });
    expect(channel.state).toBe("closed");
    expect(await channel.closed).toMatchObject({ replyCode: 404 });
    expect(await failure(io, channel.queueDeclare())).toMatchObject({ replyCode: 404, outcome: "not-sent" });
    expect(await failure(io, channel.basicPublish({ exchange: "", routingKey: "", body: bytes("") }))).toMatchObject({
      replyCode: 404,
      outcome: "not-sent",
    });
  });

  it.each<[MethodName, string, (channel: Channel) => Promise<unknown>]>([
    ["queue.declare", "refused", (channel) => channel.queueDeclare({ queue: "q" })],
    ["queue.purge", "refused", (channel) => channel.queuePurge({ queue: "q" })],
    ["tx.commit", "refused", (channel) => channel.txCommit()],
    // The queue answers, which may be later.
    ["basic.consume", "unknown", (channel) => channel.basicConsume({ queue: "q" })],
  ])("leaves undone what it has not come to, when it closes the channel for another: %s is %s", async (...row) => {
    const [method, outcome, call] = row;
    const { io, server, channel } = await withChannel();
    server.on(method);
    await settled(io, channel.basicPublish({ exchange: "missing", routingKey: "", body: bytes("") }));
    const error = errorOf(call(channel));
    await io.settle();
    server.closeChannel(1, 404, "NOT_FOUND - no exchange 'missing' in vhost '/'", "basic.publish");
    expect(await settled(io, error)).toMatchObject({ replyCode: 404, outcome });
  });

  it("does not know what it did when it closes the channel for no method", async () => {
    const { io, server, channel } = await withChannel();
    server.on("queue.declare");
    const error = errorOf(channel.queueDeclare({ queue: "q" }));
    await io.settle();
    server.closeChannel(1, 406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out");
    expect(await settled(io, error)).toMatchObject({ replyCode: 406, outcome: "unknown" });
  });

  it.each([1, 2])("may be one of several, when it closes the connection for it: %i in flight", async (count) => {
    const { io, server, connection } = await withChannel();
    const channels = await settled(io, Promise.all(Array.from({ length: count }, () => connection.openChannel())));
    server.on("queue.declare");
    const errors = channels.map((channel) => errorOf(channel.queueDeclare({ queue: "q" })));
    await io.settle();
    server.method(0, "connection.close", { replyCode: 541, replyText: "INTERNAL_ERROR", classId: 50, methodId: 10 });
    await io.settle();
    const outcome = count === 1 ? "refused" : "unknown";
    for (const error of errors) expect(await error).toMatchObject({ name: "ConnectionError", outcome });
  });

  it("names those who called in its stack", async () => {
    const { io, server, channel } = await withChannel();
    server.on("queue.declare", ({ channel: number }) => server.closeChannel(number, 406, "inequivalent"));
    async function declareEverything(): Promise<void> {
      await channel.queueDeclare({ queue: "q" });
    }
    const error = (await failure(io, declareEverything())) as Error;
    expect(error.stack).toContain("declareEverything");
  });

  it("leaves other channels alone", async () => {
    const { io, server, connection, channel } = await withChannel();
    const other = await settled(io, connection.openChannel());
    server.closeChannel(1, 404, "no");
    await io.settle();
    expect(channel.state).toBe("closed");
    expect(await settled(io, other.queueDeclare({ queue: "q" }))).toMatchObject({ queue: "q" });
    const again = await settled(io, connection.openChannel());
    expect(again.number).toBe(1);
  });
});

describe("getting", () => {
  it("gives a message that can be settled", async () => {
    const { io, server, channel } = await withChannel();
    server.on("basic.get", () => server.gotMessage(1, "hello"));
    const message = (await settled(io, channel.basicGet({ queue: "q" }))) as GotMessage;
    expect(new TextDecoder().decode(message.body)).toBe("hello");
    expect(message).toMatchObject({
      deliveryTag: 1,
      redelivered: true,
      messageCount: 4,
      outstanding: true,
      routingKey: "q",
    });
    message.ack();
    await io.settle();
    expect(server.log).toEqual(["1 basic.get", "1 basic.ack 1"]);
    expect(() => message.ack()).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
  });

  it("gives a message that is settled with noAck", async () => {
    const { io, server, channel } = await withChannel();
    server.on("basic.get", () => server.gotMessage(1, "hello"));
    const message = (await settled(io, channel.basicGet({ queue: "q", noAck: true }))) as GotMessage;
    expect(message.outstanding).toBe(false);
    expect(() => message.nack()).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
    await io.settle();
    expect(server.log).toEqual(["1 basic.get"]);
  });
});

describe("acknowledgements by tag", () => {
  it("are those of the protocol, and leave before what is called after them", async () => {
    const { io, server, channel } = await withChannel();
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "t", settle: "manual" }, () => {}),
    );
    server.deliver(1, "t", ["a", "b", "c", "d", "e", "f"]);
    await io.settle();
    server.sent.length = 0;
    channel.basicAck({ deliveryTag: 2, multiple: true });
    channel.basicNack({ deliveryTag: 3 });
    channel.basicReject({ deliveryTag: 4, requeue: false });
    channel.basicAck({ deliveryTag: 5 });
    await settled(io, channel.queueDeclare({ queue: "q" }));
    channel.basicNack({ deliveryTag: 0, multiple: true, requeue: false });
    await io.settle();
    expect(server.log).toEqual([
      "1 basic.ack 2 multiple",
      "1 basic.nack 3 requeue",
      "1 basic.reject 4",
      "1 basic.ack 5",
      "1 queue.declare",
      "1 basic.nack 6 multiple",
    ]);
    expect(() => channel.basicAck({ deliveryTag: 99 })).toThrow(expect.objectContaining({ code: "UNKNOWN_DELIVERY" }));
  });

  it.each([NaN, 1.5, 64.5, -1, undefined as unknown as number, "1" as unknown as number])(
    "refuse %s, which is no tag",
    async (deliveryTag) => {
      const { io, server, channel } = await withChannel();
      await settled(
        io,
        channel.basicConsume({ queue: "q", consumerTag: "t", settle: "manual" }, () => {}),
      );
      server.deliver(1, "t", new Array<string>(64).fill("a"));
      await io.settle();
      server.sent.length = 0;
      const unknown = expect.objectContaining({ code: "UNKNOWN_DELIVERY" });
      expect(() => channel.basicAck({ deliveryTag })).toThrow(unknown);
      expect(() => channel.basicNack({ deliveryTag })).toThrow(unknown);
      expect(() => channel.basicReject({ deliveryTag })).toThrow(unknown);
      expect(() => channel.basicAck({ deliveryTag, multiple: true })).toThrow(unknown);
      expect(() => channel.basicNack({ deliveryTag, multiple: true })).toThrow(unknown);
      await io.settle();
      expect(server.log).toEqual([]);
    },
  );

  it("are forgotten when the server takes everything back", async () => {
    const { io, server, channel } = await withChannel();
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "t", settle: "manual" }, () => {}),
    );
    server.deliver(1, "t", ["a"]);
    await io.settle();
    await settled(io, channel.basicRecover());
    expect(() => channel.basicAck({ deliveryTag: 1 })).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
  });
});

describe("closing", () => {
  it("answers earlier calls first, and happens once", async () => {
    const { io, server, channel } = await withChannel();
    const declared = channel.queueDeclare({ queue: "q" });
    const closing = [channel.close(), channel.close()];
    expect(channel.state).toBe("closing");
    expect(await failure(io, channel.queueDeclare())).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
    expect(await settled(io, declared)).toMatchObject({ queue: "q" });
    await settled(io, Promise.all(closing));
    await settled(io, channel.close());
    expect(server.log).toEqual(["1 queue.declare", "1 channel.close"]);
    expect(await channel.closed).toBeUndefined();
    await channel[Symbol.asyncDispose]();
  });

  it("is over, with the server's reason, when both close at once", async () => {
    const { io, server, channel } = await withChannel();
    server.on("channel.close", ({ channel: number }) => {
      server.closeChannel(number, 406, "PRECONDITION_FAILED");
      server.method(number, "channel.close-ok", {});
    });
    await settled(io, channel.close());
    expect(await channel.closed).toMatchObject({ replyCode: 406 });
    expect(server.log).toContain("1 channel.close-ok");
  });

  it("is over when the connection is lost, or nothing is answered", async () => {
    const { io, server, channel, connection } = await withChannel({ requestTimeout: 500 });
    server.on("channel.close");
    const closing = channel.close();
    await io.advance(600);
    await settled(io, closing);
    const other = await settled(io, connection.openChannel());
    const closingToo = other.close();
    server.stream.hangUp();
    await settled(io, closingToo);
    expect(connection.state).toBe("closed");
  });

  it("tells its listeners, who may do as they like", async () => {
    const { io, server, connection, channel } = await withChannel();
    const reports: unknown[] = [];
    connection.on("callback-error", ({ error }) => reports.push(error));
    const heard: unknown[] = [];
    const stop = channel.on("closed", () => heard.push("removed"));
    channel.on("closed", () => {
      throw new Error("a listener of the application");
    });
    channel.on("closed", async () => {
      throw new Error("an async one");
    });
    channel.on("closed", ({ error }) => heard.push(error));
    stop();
    server.closeChannel(1, 404, "gone");
    await io.settle();
    expect(heard).toMatchObject([{ replyCode: 404 }]);
    expect(reports).toHaveLength(2);
    expect(connection.state).toBe("open");
  });
});

describe("every promise", () => {
  it("settles when the connection is lost", async () => {
    const { io, server, connection, channel } = await withChannel();
    for (const name of ["queue.declare", "basic.consume", "basic.get", "confirm.select", "channel.open"] as const) {
      server.on(name);
    }
    server.on("connection.update-secret");
    const consumer = await settled(io, channel.basicConsume({ queue: "q", noWait: true }));
    const waiting = [
      channel.queueDeclare({ queue: "q" }),
      channel.basicGet({ queue: "q" }),
      channel.basicConsume({ queue: "q" }, () => {}),
      channel.confirmSelect(),
      consumer.take(),
      connection.openChannel(),
      connection.updateSecret({ newSecret: "s", reason: "expires" }),
    ];
    const errors = waiting.map(errorOf);
    const late = [consumer.cancel(), consumer.close(), channel.close(), consumer.ended, channel.closed];
    await io.settle();
    server.stream.hangUp();
    await io.settle();
    for (const error of errors) expect(await error).toMatchObject({ name: "ConnectionError", code: "CONNECTION_LOST" });
    for (const promise of late) expect(await stateOf(promise)).toBe("resolved");
    expect(await settled(io, connection.close())).toBeUndefined();
  });
});
