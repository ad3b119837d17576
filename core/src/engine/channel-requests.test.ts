import { describe, expect, it } from "vitest";
import type { MethodName } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
import type { ChannelEngine } from "./channel-engine.ts";
import { isChannelRequest } from "./channel-methods.ts";
import { closedBy, Driver, only, types } from "./testing/driver.ts";
import { repliesTo, sampleFields } from "./testing/sample-fields.ts";
import { ServerBytes } from "./testing/server.ts";

const requests = (Object.keys(methods) as MethodName[]).filter(isChannelRequest);
const pairs = requests.flatMap((request) => repliesTo(request).map((reply) => [request, reply] as const));
const noWait = requests.filter((request) => "noWait" in methods[request].fields);

/** A channel of a driver, and the request made of it. */
function asking(request: (typeof requests)[number]): { driver: Driver; channel: ChannelEngine; made: unknown } {
  const driver = new Driver().open();
  const channel = driver.channel();
  return { driver, channel, made: channel.request(request, sampleFields(request) as never) };
}

/** A reply, with its content where it has one. */
function replyBytes(reply: MethodName): Uint8Array {
  const server = new ServerBytes().method(1, reply, sampleFields(reply) as never);
  return ("content" in methods[reply] ? server.content(1, Uint8Array.of(5)) : server).take();
}

describe("every request of a channel", () => {
  it.each(pairs)("%s is answered by %s", (request, reply) => {
    const { driver, made } = asking(request);
    expect(driver.sentMethods()).toEqual([{ name: request, fields: expect.objectContaining(sampleFields(request)) }]);
    const [event, ...more] = driver.receive(replyBytes(reply));
    expect(more).toEqual([]);
    expect(event).toMatchObject(
      reply === "basic.get-ok"
        ? { type: reply, channel: 1, ...sampleFields(reply), content: { body: Uint8Array.of(5) } }
        : { type: "reply", channel: 1, reply: { name: reply, fields: sampleFields(reply) } },
    );
    expect(event !== undefined && "request" in event && event.request).toBe(made);
  });

  it.each(requests)("%s takes no other reply", (request) => {
    for (const reply of new Set(pairs.map(([, each]) => each))) {
      if (repliesTo(request).includes(reply)) continue;
      const { driver } = asking(request);
      expect(closedBy(driver.receive(replyBytes(reply)))?.cause).toMatchObject({ code: "COMMAND_INVALID" });
    }
  });

  it.each(noWait)("%s may be sent without waiting, and its answer would be a mistake", (request) => {
    const driver = new Driver().open();
    const channel = driver.channel();
    const fields = { ...sampleFields(request), noWait: true };
    channel.send(request as never, fields as never);
    expect(driver.sentMethods()).toEqual([{ name: request, fields: expect.objectContaining(fields) }]);
    const [reply] = methods[request].replies;
    expect(closedBy(driver.receive(replyBytes(reply)))?.cause).toMatchObject({ code: "COMMAND_INVALID" });
  });

  it.each([...new Set(pairs.map(([, reply]) => reply))])("%s is a mistake when nothing was asked", (reply) => {
    const driver = new Driver().open();
    driver.channel();
    expect(closedBy(driver.receive(replyBytes(reply)))?.cause).toMatchObject({ code: "COMMAND_INVALID" });
  });
});

describe("requests", () => {
  it("come one at a time, in order, while everything else goes past them", () => {
    const driver = new Driver().open();
    const channel = driver.channel();
    channel.request("queue.declare", { queue: "a" });
    channel.request("queue.purge", { queue: "a" });
    channel.send("queue.bind", { queue: "a", exchange: "x", routingKey: "", noWait: true });
    channel.publish({ exchange: "", routingKey: "a", body: new Uint8Array(0) });
    channel.ack(1, false);
    channel.nack(2, true, false);
    channel.reject(3, true);
    channel.send("basic.recover-async", { requeue: true });
    expect(driver.sentNames()).toEqual([
      "queue.declare",
      "basic.publish",
      "header",
      "basic.ack",
      "basic.nack",
      "basic.reject",
      "basic.recover-async",
    ]);
    driver.method(1, "queue.declare-ok", { queue: "a", messageCount: 0, consumerCount: 0 });
    expect(driver.sentNames()).toEqual(["queue.purge"]);
    driver.method(1, "queue.purge-ok", { messageCount: 0 });
    expect(driver.sentNames()).toEqual(["queue.bind"]);
  });

  it("send the next before the driver hears of the reply", () => {
    const driver = new Driver().open();
    const channel = driver.channel();
    channel.request("queue.purge", { queue: "a" });
    channel.request("queue.purge", { queue: "b" });
    driver.sent();
    driver.engine.receive(replyBytes("queue.purge-ok"), driver.now);
    expect(driver.sentNames()).toEqual([]);
    expect(driver.engine.nextEvent()?.type).toBe("reply");
    expect(driver.sentNames()).toEqual(["queue.purge"]);
  });

  it("may be mixed with what the server sends of itself", () => {
    const driver = new Driver().open();
    const channel = driver.channel();
    channel.request("basic.consume", { queue: "q", consumerTag: "c" });
    const events = driver.serve((server) =>
      server
        .method(1, "basic.deliver", { consumerTag: "c", deliveryTag: 1, exchange: "", routingKey: "q" })
        .content(1, Uint8Array.of(1))
        .method(1, "basic.cancel", { consumerTag: "other", noWait: true })
        .method(1, "basic.consume-ok", { consumerTag: "c" }),
    );
    expect(types(events)).toEqual(["basic.deliver", "basic.cancel", "reply"]);
  });

  it("that wait are limited", () => {
    const driver = new Driver({ limits: { maxWaitingRequests: 2 } }).open();
    const channel = driver.channel();
    const made = ["a", "b", "c"].map((queue) => channel.request("queue.purge", { queue }));
    expect(() => channel.request("queue.purge", { queue: "d" })).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED", message: expect.stringContaining("limits.maxWaitingRequests") }),
    );
    expect(() => channel.send("queue.purge", { queue: "d", noWait: true })).toThrow("limits.maxWaitingRequests");
    expect(made.map(() => only(driver.receive(replyBytes("queue.purge-ok")), "reply").request)).toEqual(made);
  });

  it("end a consumer however many wait, and however much output does", () => {
    const driver = new Driver({ limits: { maxWaitingRequests: 1, maxOutput: 10 } }).open();
    const channel = driver.channel();
    channel.request("queue.purge", { queue: "a" });
    expect(() => channel.request("queue.purge", { queue: "b" })).toThrow("limits.maxOutput");
    channel.request("basic.cancel", { consumerTag: "one" });
    channel.request("basic.cancel", { consumerTag: "two" });
    channel.send("basic.cancel", { consumerTag: "three", noWait: true });
    expect(driver.sentNames()).toEqual(["queue.purge"]);
    driver.method(1, "queue.purge-ok", { messageCount: 0 });
    driver.method(1, "basic.cancel-ok", { consumerTag: "one" });
    expect(driver.sentNames()).toEqual(["basic.cancel", "basic.cancel"]);
    driver.method(1, "basic.cancel-ok", { consumerTag: "two" });
    expect(driver.sentNames()).toEqual(["basic.cancel"]);
  });

  it.each<[string, (channel: ChannelEngine) => unknown]>([
    ["a request that asks for no reply", (channel) => channel.request("queue.purge", { queue: "q", noWait: true })],
    ["a one-way request that does not", (channel) => channel.send("queue.purge", { queue: "q" })],
    ["a request that is none", (channel) => channel.request("basic.ack" as never, { deliveryTag: 1 } as never)],
    ["a publish as a request", (channel) => channel.request("basic.publish" as never, {} as never)],
    ["a publish without its content", (channel) => channel.send("basic.publish" as never, {} as never)],
    ["opening as a request", (channel) => channel.request("channel.open" as never, {} as never)],
    ["closing as a request", (channel) => channel.request("channel.close" as never, {} as never)],
    ["a connection's method", (channel) => channel.request("connection.close" as never, {} as never)],
    ["a server's method", (channel) => channel.send("basic.deliver" as never, {} as never)],
    ["a method that does not exist", (channel) => channel.request("queue.move" as never, {} as never)],
    ["a field of the wrong type", (channel) => channel.request("queue.declare", { queue: 5 as never })],
    ["a missing field", (channel) => channel.request("queue.bind", { queue: "q" } as never)],
    ["no fields at all", (channel) => channel.request("queue.declare", undefined as never)],
    ["a no-wait that is no boolean", (channel) => channel.request("queue.purge", { queue: "q", noWait: 1 as never })],
    ["a number out of range", (channel) => channel.request("basic.qos", { prefetchSize: 0, prefetchCount: 65_536 })],
    [
      "arguments that no field type can hold",
      (channel) => channel.request("queue.declare", { queue: "q", arguments: { f: Symbol("f") as never } }),
    ],
    [
      "more than fits one frame",
      (channel) => channel.request("queue.declare", { queue: "q", arguments: { x: "x".repeat(131_072) } }),
    ],
    [
      "a message with a bad property",
      (channel) =>
        channel.publish({ exchange: "", routingKey: "", properties: { priority: 256 }, body: new Uint8Array(1) }),
    ],
    [
      "a message whose body is no bytes",
      (channel) => channel.publish({ exchange: "", routingKey: "", body: "text" as never }),
    ],
    [
      "headers that do not fit one frame",
      (channel) =>
        channel.publish({
          exchange: "",
          routingKey: "",
          properties: { headers: { x: "x".repeat(131_072) } },
          body: new Uint8Array(1),
        }),
    ],
    ["a delivery tag that is none", (channel) => channel.ack(1.5, false)],
    ["a negative delivery tag", (channel) => channel.nack(-1, false, false)],
    ["a delivery tag beyond 2^53", (channel) => channel.reject(2 ** 53, false)],
  ])("are refused with nothing changed: %s", (_, ask) => {
    for (const waiting of [false, true]) {
      const driver = new Driver().open();
      const channel = driver.confirmChannel();
      if (waiting) channel.request("basic.qos", { prefetchSize: 0, prefetchCount: 1 });
      driver.sent();
      const before = { ...driver.engine.counters };
      expect(() => ask(channel)).toThrow(expect.objectContaining({ name: "UsageError", code: "INVALID_ARGUMENT" }));
      expect(driver.sent()).toEqual([]);
      expect(driver.engine.counters).toEqual(before);
      expect(channel).toMatchObject({ state: "open", nextSequence: 1, unconfirmed: 0 });
      if (waiting) expect(types(driver.method(1, "basic.qos-ok", {}))).toEqual(["reply"]);
      expect(driver.sent()).toEqual([]);
    }
  });
});
