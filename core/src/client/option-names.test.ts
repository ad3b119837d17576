import { describe, expect, it } from "vitest";
import type { Channel } from "./channel.ts";
import { encodeProperties } from "./outgoing-properties.ts";
import { bytes, connected, errorOf, settled, withChannel } from "./testing/fixture.ts";

const refused = { name: "UsageError", code: "INVALID_ARGUMENT", outcome: "not-sent" };

/** Every option of each method, and what is said of another one. */
const methods: readonly [name: keyof Channel, legal: object, known: string][] = [
  [
    "exchangeDeclare",
    { exchange: "e", type: "fanout", passive: false, durable: true, autoDelete: true, internal: false },
    "exchange, type, passive, durable, autoDelete, internal, noWait, arguments, signal, record",
  ],
  ["exchangeDelete", { exchange: "e", ifUnused: true }, "exchange, ifUnused, noWait, signal"],
  [
    "exchangeBind",
    { destination: "d", source: "s", routingKey: "k", arguments: {} },
    "destination, source, routingKey, noWait, arguments, signal, record",
  ],
  [
    "exchangeUnbind",
    { destination: "d", source: "s", routingKey: "k", arguments: {}, record: false },
    "destination, source, routingKey, noWait, arguments, signal, record",
  ],
  [
    "queueDeclare",
    { queue: "q", passive: false, durable: true, exclusive: false, autoDelete: false, arguments: {}, record: false },
    "queue, passive, durable, exclusive, autoDelete, noWait, arguments, signal, record",
  ],
  [
    "queueBind",
    { queue: "q", exchange: "e", routingKey: "k", arguments: {} },
    "queue, exchange, routingKey, noWait, arguments, signal, record",
  ],
  [
    "queueUnbind",
    { queue: "q", exchange: "e", routingKey: "k", arguments: {} },
    "queue, exchange, routingKey, arguments, signal",
  ],
  ["queuePurge", { queue: "q", noWait: false }, "queue, noWait, signal"],
  ["queueDelete", { queue: "q", ifUnused: true, ifEmpty: true }, "queue, ifUnused, ifEmpty, noWait, signal"],
  ["confirmSelect", { noWait: false }, "noWait, signal"],
  ["basicQos", { prefetchCount: 1, prefetchSize: 0, global: false }, "prefetchSize, prefetchCount, global, signal"],
  ["basicGet", { queue: "q", noAck: true }, "queue, noAck, signal"],
  ["basicCancel", { consumerTag: "c", noWait: false }, "consumerTag, noWait"],
  ["basicRecover", { requeue: true }, "requeue, signal"],
  ["basicRecoverAsync", { requeue: true }, "requeue"],
  ["txSelect", {}, "signal"],
  ["txCommit", {}, "signal"],
  ["txRollback", {}, "signal"],
  ["flow", { active: true }, "active, signal"],
  [
    "basicConsume",
    { queue: "q", consumerTag: "c", noAck: false, exclusive: false, noLocal: false, arguments: {}, noWait: false },
    "queue, consumerTag, noLocal, noAck, exclusive, noWait, arguments, prefetch, resumeBehind, signal, lendBody",
  ],
  [
    "basicPublish",
    { exchange: "", routingKey: "q", mandatory: false, properties: {}, body: bytes("1"), timeout: 5 },
    "exchange, routingKey, mandatory, properties, timeout, signal, body",
  ],
];

/** What JavaScript lets pass. */
function call(channel: Channel, name: keyof Channel, options: unknown): Promise<unknown> {
  return (channel[name] as (options: unknown) => Promise<unknown>).call(channel, options);
}

describe("options of the methods of a channel", () => {
  it.each(methods)("%s: one that is unknown is refused at the call", async (name, legal, known) => {
    const { io, server, channel } = await withChannel();
    const message = `persistent is not an option; the options are ${known}`;
    expect(await errorOf(call(channel, name, { ...legal, persistent: true }))).toMatchObject({ ...refused, message });
    expect(await errorOf(call(channel, name, { ...legal, ticket: 0 }))).toMatchObject(refused);
    await io.settle();
    expect(server.sent).toEqual([]);
    expect(channel.state).toBe("open");
  });

  it.each(methods)("%s: what is known is sent, undefined or not", async (name, legal, known) => {
    const { io, server, channel } = await withChannel();
    const absent = Object.fromEntries(known.split(", ").map((option) => [option, undefined]));
    call(channel, name, { ...absent, ...legal }).catch(() => {});
    await io.settle();
    // There is no such consumer to cancel.
    expect(server.sent.length > 0).toBe(name !== "basicCancel");
  });

  it.each(methods.filter(([, legal]) => Object.keys(legal).length > 1))("%s: there have to be some", async (name) => {
    const { io, server, channel } = await withChannel();
    expect(await errorOf(call(channel, name, null))).toMatchObject(refused);
    expect(await errorOf(call(channel, name, "q"))).toMatchObject(refused);
    await io.settle();
    expect(server.sent).toEqual([]);
  });

  it("have defaults where they are undefined", async () => {
    const { io, server, channel } = await withChannel();
    void channel.exchangeDeclare({ exchange: "e", type: undefined, durable: undefined });
    void channel.queueDeclare({ queue: undefined, durable: undefined, exclusive: true });
    void channel.queueBind({ queue: "q", exchange: "e", routingKey: undefined });
    await io.settle();
    expect(server.sentOf("exchange.declare")).toMatchObject([{ fields: { type: "direct", durable: true } }]);
    expect(server.sentOf("queue.declare")).toMatchObject([{ fields: { queue: "", exclusive: true, durable: false } }]);
    expect(server.sentOf("queue.bind")).toMatchObject([{ fields: { routingKey: "" } }]);
  });

  it("are other ones for a handler", async () => {
    const { channel } = await withChannel();
    const options = { queue: "q", concurrency: 1, settle: "manual", requeue: false } as const;
    expect(await errorOf(channel.basicConsume(options))).toMatchObject({
      ...refused,
      message: expect.stringMatching(/^concurrency is not an option; /),
    });
    expect(await errorOf(channel.basicConsume({ ...options, prefech: 1 } as never, () => {}))).toMatchObject({
      ...refused,
      message: expect.stringMatching(/^prefech is not an option; .*, lendBody, concurrency, settle, requeue$/),
    });
  });
});

describe("options of a connection's channels, publishers and consumers", () => {
  it("are refused where they are unknown, and nothing is opened", async () => {
    const { connection } = await connected();
    const openings: [message: string, opening: Promise<unknown>][] = [
      ["timeout is not an option; the options are number, signal", connection.openChannel({ timeout: 1 } as never)],
      ["prefech is not an option; the options are queue, ", connection.openConsumer({ prefech: 1 } as never)],
      ["options is an object, not undefined", connection.openConsumer(undefined as never)],
      [
        "maxUncomfirmed is not an option; the options are exchange, routingKey, mandatory, properties, timeout, signal, " +
          "persistent, confirm, maxUnconfirmed, maxUnconfirmedBytes",
        connection.openPublisher({ maxUncomfirmed: 1 } as never),
      ],
      [
        "properties.deliverymode is not an option; the options are contentType, ",
        connection.openPublisher({ properties: { deliverymode: 2 } as never }),
      ],
    ];
    for (const [message, opening] of openings) {
      expect(await errorOf(opening)).toMatchObject({ ...refused, message: expect.stringContaining(message) });
    }
    expect(connection.channelCount).toBe(0);
  });
});

describe("options of settling", () => {
  const unknown = (name: string) => ({ ...refused, message: expect.stringContaining(`${name} is not an option; `) });

  it("are refused where they are unknown: of a delivery, which stays what it is", async () => {
    const { io, server, channel } = await withChannel();
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
    server.deliver(1, "c", ["a"]);
    const delivery = await settled(io, consumer.take());
    if (delivery === undefined) throw new Error("There is none");
    const misspelled = { requeu: false } as never;
    for (const settle of ["ack", "nack", "reject"] as const) {
      expect(() => delivery[settle](misspelled)).toThrow(expect.objectContaining(unknown("requeu")));
    }
    expect(() => delivery.reject({ multiple: true } as never)).toThrow(expect.objectContaining(unknown("multiple")));
    expect(() => delivery.nack(false as never)).toThrow(
      expect.objectContaining({ ...refused, message: "options is an object, not false" }),
    );
    expect(delivery.outstanding).toBe(true);
    expect(delivery.nack({ requeue: false, multiple: undefined })).toBe("settled");
    await io.settle();
    expect(server.sentOf("basic.nack")).toMatchObject([{ fields: { requeue: false, multiple: false } }]);
  });

  it("are refused where they are unknown: of the first 64 settlements of a channel that have any", async () => {
    const { io, server, channel } = await withChannel();
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c", prefetch: 0 }));
    const messages = Array.from({ length: 200 }, () => "m");
    server.deliver(1, "c", messages);
    await io.settle();
    for (let i = 0; i < 100; i += 1) (await settled(io, consumer.take()))?.ack();
    for (let deliveryTag = 101; deliveryTag < 164; deliveryTag += 1) channel.basicAck({ deliveryTag });
    const misspelled = { deliveryTag: 164, requeu: false } as never;
    expect(() => channel.basicNack(misspelled)).toThrow(expect.objectContaining(unknown("requeu")));
    expect(channel.basicNack(misspelled)).toBe("settled");
  });
});

describe("options and properties of messages", () => {
  const message = { exchange: "", routingKey: "q", body: bytes("1") };
  const property = { ...refused, message: expect.stringMatching(/^properties\.deliverymode is not an option; /) };

  it("are refused where they are unknown, in the first 64 messages of a channel", async () => {
    const { io, server, channel } = await withChannel();
    for (let i = 1; i < 64; i += 1) void channel.basicPublish(message);
    await io.settle();
    const misspelled = { ...message, properties: { deliverymode: 2 } as never };
    expect(await errorOf(channel.basicPublish(misspelled))).toMatchObject(property);
    await channel.basicPublish(misspelled);
    await io.settle();
    expect(server.sentOf("basic.publish")).toHaveLength(64);
  });

  it("are refused where they are unknown, in the first 64 messages of a publisher that have any", async () => {
    const { io, server, connection } = await connected();
    const publisher = await settled(io, connection.openPublisher({ confirm: false, routingKey: "q" }));
    for (let i = 0; i < 100; i += 1) publisher.send(message.body);
    expect(await errorOf(publisher.publish(message.body, { persistent: false } as never))).toMatchObject(refused);
    expect(() => publisher.send(message.body, { properties: { deliverymode: 2 } as never })).toThrow(
      expect.objectContaining(property),
    );
    await io.settle();
    expect(server.sentOf("basic.publish")).toHaveLength(100);
  });

  it("are refused where properties are encoded for many", () => {
    expect(() => encodeProperties({ deliverymode: 2 } as never)).toThrow(expect.objectContaining(property));
  });
});
