import { describe, expect, it } from "vitest";
import type { ChannelEngine } from "./channel-engine.ts";
import type { ConnectionConfig } from "./config.ts";
import { closedBy, Driver, only, types } from "./testing/driver.ts";

const message = { exchange: "orders", routingKey: "created", body: Uint8Array.of(1, 2, 3) };

describe("publishing", () => {
  it("sends method, header and body, and has no number without confirms", () => {
    const driver = new Driver().open();
    const channel = driver.channel();
    expect(channel.publish({ ...message, mandatory: true, properties: { type: "order" } })).toBe(0);
    expect(driver.sent()).toEqual([
      {
        type: "method",
        channel: 1,
        method: {
          name: "basic.publish",
          fields: { exchange: "orders", routingKey: "created", mandatory: true, immediate: false },
        },
      },
      { type: "header", channel: 1, bodySize: 3, properties: { type: "order" } },
      { type: "body", channel: 1, bytes: message.body },
    ]);
    expect(channel.unconfirmed).toBe(0);
  });

  it("sends no body frame for an empty body", () => {
    const driver = new Driver().open();
    driver.channel().publish({ ...message, body: new Uint8Array(0) });
    expect(driver.sentNames()).toEqual(["basic.publish", "header"]);
  });
});

describe("a channel with confirms", () => {
  function publishing(
    count: number,
    config: Partial<ConnectionConfig> = {},
  ): { driver: Driver; channel: ChannelEngine } {
    const driver = new Driver(config).open();
    const channel = driver.confirmChannel();
    for (let i = 0; i < count; i += 1) channel.publish(message);
    return { driver, channel };
  }

  it.each([false, true])(
    "numbers what is published from confirm.select on, which it does not overtake: noWait %s",
    (noWait) => {
      const driver = new Driver().open();
      const channel = driver.channel();
      expect(channel.publish(message)).toBe(0);
      channel.request("queue.purge", { queue: "q" });
      channel.request("queue.purge", { queue: "q" });
      if (noWait) channel.send("confirm.select", { noWait });
      else channel.request("confirm.select", {});
      expect(channel.mode).toBe("confirm");
      expect([channel.publish(message), channel.publish(message)]).toEqual([1, 2]);
      expect(driver.sentNames()).toEqual(["basic.publish", "header", "body", "queue.purge"]);
      driver.method(1, "queue.purge-ok", { messageCount: 0 });
      expect(driver.sentNames()).toEqual(["queue.purge"]);
      driver.method(1, "queue.purge-ok", { messageCount: 0 });
      const twice = ["basic.publish", "header", "body", "basic.publish", "header", "body"];
      expect(driver.sentNames()).toEqual(["confirm.select", ...twice]);
      expect(channel.publish(message)).toBe(3);
      expect(driver.sentNames()).toEqual(["basic.publish", "header", "body"]);
      if (!noWait) driver.method(1, "confirm.select-ok", {});
      expect(only(driver.method(1, "basic.ack", { deliveryTag: 3, multiple: true }), "settled")).toMatchObject({
        last: 3,
      });
    },
  );

  it("has published nothing when it ends before its mode was asked for", () => {
    const driver = new Driver().open();
    const channel = driver.channel();
    channel.request("queue.purge", { queue: "q" });
    channel.request("confirm.select", {});
    channel.publish(message);
    driver.sent();
    driver.method(1, "channel.close", { replyCode: 404, replyText: "", classId: 50, methodId: 30 });
    expect(driver.sentNames()).toEqual(["channel.close-ok"]);
  });

  it("may be had without waiting, and again without beginning anew", () => {
    const driver = new Driver().open();
    const channel = driver.channel();
    channel.send("confirm.select", { noWait: true });
    expect(channel.publish(message)).toBe(1);
    channel.send("confirm.select", { noWait: true });
    expect(channel.publish(message)).toBe(2);
  });

  it("reports runs of numbers, whatever the server used", () => {
    const { driver, channel } = publishing(6);
    expect(driver.method(1, "basic.ack", { deliveryTag: 2 })).toEqual([
      { type: "settled", channel: 1, first: 2, last: 2, outcome: "ack" },
    ]);
    expect(driver.method(1, "basic.nack", { deliveryTag: 5, multiple: true, requeue: true })).toEqual([
      { type: "settled", channel: 1, first: 1, last: 1, outcome: "nack" },
      { type: "settled", channel: 1, first: 3, last: 5, outcome: "nack" },
    ]);
    expect(driver.method(1, "basic.ack", { deliveryTag: 5, multiple: true })).toEqual([]);
    expect(channel.unconfirmed).toBe(1);
    expect(driver.method(1, "basic.ack", { deliveryTag: 0, multiple: true })).toEqual([
      { type: "settled", channel: 1, first: 6, last: 6, outcome: "ack" },
    ]);
    expect(channel.unconfirmed).toBe(0);
  });

  it("hands a return over before the confirm of its message", () => {
    const { driver } = publishing(1);
    const events = driver.serve((server) =>
      server
        .method(1, "basic.return", { replyCode: 312, replyText: "NO_ROUTE", exchange: "orders", routingKey: "created" })
        .content(1, message.body)
        .method(1, "basic.ack", { deliveryTag: 1 }),
    );
    expect(types(events)).toEqual(["basic.return", "settled"]);
  });

  it("may wait for so many confirms, and no more", () => {
    const { driver, channel } = publishing(3, { limits: { maxUnconfirmed: 3 } });
    driver.sent();
    expect(() => channel.publish(message)).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED", message: expect.stringContaining("limits.maxUnconfirmed") }),
    );
    expect(driver.sentNames()).toEqual([]);
    driver.method(1, "basic.ack", { deliveryTag: 2 });
    expect(channel.publish(message)).toBe(4);
    expect(() => channel.publish(message)).toThrow("limits.maxUnconfirmed");
  });

  it.each([
    ["for what was not published", 4],
    ["for nothing", 0],
  ])("takes no confirm %s", (_, deliveryTag) => {
    const { driver } = publishing(3);
    expect(closedBy(driver.method(1, "basic.ack", { deliveryTag }))?.cause).toMatchObject({ code: "COMMAND_INVALID" });
  });

  it.each(["basic.ack", "basic.nack"] as const)("is the only one that may be sent a %s", (name) => {
    const driver = new Driver().open();
    driver.channel();
    const error = closedBy(driver.method(1, name, { deliveryTag: 1, requeue: false } as never));
    expect(error?.cause).toMatchObject({ code: "COMMAND_INVALID" });
  });
});

describe("a mode", () => {
  it.each([
    ["confirm.select", "tx.select", "confirm"],
    ["tx.select", "confirm.select", "tx"],
  ] as const)("that was chosen by %s is not changed by %s, which the server refuses", (first, second, mode) => {
    const driver = new Driver().open();
    const channel = driver.channel();
    channel.request(first, {});
    channel.publish(message);
    channel.request(second, {});
    driver.method(1, `${first}-ok`, {});
    expect(channel.mode).toBe(mode);
    if (mode === "confirm") expect(types(driver.method(1, "basic.ack", { deliveryTag: 1 }))).toEqual(["settled"]);
    const refusal = { replyCode: 406, replyText: "PRECONDITION_FAILED - cannot switch", classId: 90, methodId: 10 };
    expect(types(driver.method(1, "channel.close", refusal))).toEqual(["channel-closed"]);
  });
});

describe("a channel with transactions", () => {
  function transacting(config: Partial<ConnectionConfig> = {}): { driver: Driver; channel: ChannelEngine } {
    const driver = new Driver(config).open();
    const channel = driver.channel();
    channel.request("tx.select", {});
    driver.method(1, "tx.select-ok", {});
    driver.sent();
    return { driver, channel };
  }

  it("publishes without numbers", () => {
    const { driver, channel } = transacting();
    expect(channel.mode).toBe("tx");
    expect(channel.publish(message)).toBe(0);
    channel.request("tx.rollback", {});
    expect(driver.sentNames()).toEqual(["basic.publish", "header", "body", "tx.rollback"]);
    only(driver.method(1, "tx.rollback-ok", {}), "reply");
  });

  it("publishes nothing before the transaction that it asked for", () => {
    const driver = new Driver().open();
    const channel = driver.channel();
    channel.request("queue.purge", { queue: "q" });
    channel.request("tx.select", {});
    channel.publish(message);
    channel.request("tx.commit", {});
    channel.ack(1, false);
    expect(driver.sentNames()).toEqual(["queue.purge"]);
    driver.method(1, "queue.purge-ok", { messageCount: 0 });
    expect(driver.sentNames()).toEqual(["tx.select", "basic.publish", "header", "body"]);
    driver.method(1, "tx.select-ok", {});
    expect(driver.sentNames()).toEqual(["tx.commit"]);
    driver.method(1, "tx.commit-ok", {});
    expect(driver.sentNames()).toEqual(["basic.ack"]);
  });

  it("sends nothing while a commit is in flight, and everything afterwards, in order", () => {
    const { driver, channel } = transacting();
    const other = driver.channel();
    channel.publish(message);
    const commit = channel.request("tx.commit", {});
    channel.publish({ ...message, body: new Uint8Array(10_000) });
    channel.ack(1, false);
    channel.send("basic.recover-async", { requeue: true });
    channel.send("queue.purge", { queue: "q", noWait: true });
    channel.request("basic.qos", { prefetchSize: 0, prefetchCount: 1 });
    driver.method(1, "basic.cancel", { consumerTag: "c", noWait: false });
    driver.method(1, "channel.flow", { active: true });
    other.ack(2, false);
    expect(driver.sentNames()).toEqual(["basic.publish", "header", "body", "tx.commit", "basic.ack"]);
    expect(only(driver.method(1, "tx.commit-ok", {}), "reply").request).toBe(commit);
    expect(driver.sentNames()).toEqual([
      "basic.publish",
      "header",
      "body",
      "basic.ack",
      "basic.recover-async",
      "basic.cancel-ok",
      "channel.flow-ok",
      "queue.purge",
      "basic.qos",
    ]);
    channel.ack(3, false);
    expect(driver.sentNames()).toEqual(["basic.ack"]);
  });

  it("lets nothing overtake the end of a transaction, though it waits", () => {
    const { driver, channel } = transacting();
    const qos = { prefetchSize: 0, prefetchCount: 1 };
    channel.request("basic.qos", qos);
    channel.ack(1, false);
    channel.request("tx.rollback", {});
    channel.ack(2, false);
    channel.request("tx.commit", {});
    channel.ack(3, false);
    channel.request("basic.qos", qos);
    channel.request("tx.commit", {});
    channel.ack(4, false);
    const sent = (): string[] =>
      driver.sentMethods().map(({ name, fields }) => ("deliveryTag" in fields ? `ack ${fields.deliveryTag}` : name));
    expect(sent()).toEqual(["basic.qos", "ack 1"]);
    driver.method(1, "basic.qos-ok", {});
    expect(sent()).toEqual(["tx.rollback", "ack 2"]);
    driver.method(1, "tx.rollback-ok", {});
    expect(sent()).toEqual(["tx.commit"]);
    driver.method(1, "tx.commit-ok", {});
    expect(sent()).toEqual(["ack 3", "basic.qos"]);
    driver.method(1, "basic.qos-ok", {});
    expect(sent()).toEqual(["tx.commit"]);
    driver.method(1, "tx.commit-ok", {});
    expect(sent()).toEqual(["ack 4"]);
    channel.ack(5, false);
    expect(sent()).toEqual(["ack 5"]);
  });

  it("counts what is held against maxOutput", () => {
    const { driver, channel } = transacting({ limits: { maxOutput: 10_000 } });
    channel.request("tx.commit", {});
    driver.sent();
    channel.publish({ ...message, body: new Uint8Array(10_000) });
    expect(driver.engine.outputSize).toBe(0);
    expect(() => channel.publish(message)).toThrow("limits.maxOutput");
    driver.method(1, "tx.commit-ok", {});
    expect(() => channel.publish(message)).toThrow("limits.maxOutput");
    driver.sent();
    expect(channel.publish(message)).toBe(0);
  });

  it.each<[string, (driver: Driver, channel: ChannelEngine) => unknown, string[]]>([
    [
      "the server closes",
      (driver) => driver.method(1, "channel.close", { replyCode: 406, replyText: "", classId: 90, methodId: 20 }),
      ["channel.close-ok"],
    ],
    ["the commit takes too long", (driver) => driver.pass(60_000), ["channel.close"]],
    ["the connection closes", (driver) => driver.engine.close(), ["connection.close"]],
  ])("forgets what was held when %s", (_, end, sent) => {
    const { driver, channel } = transacting({ limits: { maxOutput: 10_000 } });
    const other = driver.channel();
    const commit = channel.request("tx.commit", {});
    driver.sent();
    driver.pass(0);
    channel.publish({ ...message, body: new Uint8Array(10_000) });
    expect(() => other.publish(message)).toThrow("limits.maxOutput");
    const before = driver.engine.counters.messagesPublished;
    const returned = end(driver, channel);
    const events = Array.isArray(returned) ? returned : driver.events();
    const closed = events.find(({ type }) => type !== "writable");
    expect(closed).toMatchObject({ type: "channel-closed", channel: 1, requests: [commit] });
    expect(driver.sentNames()).toEqual(sent);
    expect(driver.engine.counters.messagesPublished).toBe(before);
    if (driver.engine.state === "open") other.ack(1, false);
  });

  it("sends its close when the commit was answered", () => {
    const { driver, channel } = transacting();
    channel.request("tx.commit", {});
    channel.ack(1, false);
    channel.close();
    expect(driver.sentNames()).toEqual(["tx.commit"]);
    driver.method(1, "tx.commit-ok", {});
    expect(driver.sentNames()).toEqual(["basic.ack", "channel.close"]);
  });

  it("takes no answer to a commit that it did not ask for", () => {
    const { driver } = transacting();
    expect(closedBy(driver.method(1, "tx.commit-ok", {}))?.cause).toMatchObject({ code: "COMMAND_INVALID" });
  });
});
