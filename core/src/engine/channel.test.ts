import { describe, expect, it } from "vitest";
import type { Arguments } from "../wire/method-types.ts";
import type { ChannelEngine } from "./channel-engine.ts";
import type { ConnectionConfig } from "./config.ts";
import { closedBy, Driver, only, types } from "./testing/driver.ts";

const qos = { prefetchSize: 0, prefetchCount: 1 };
const delivery: Arguments<"basic.deliver"> = { consumerTag: "c", deliveryTag: 1, exchange: "", routingKey: "" };
const refusal: Arguments<"channel.close"> = {
  replyCode: 406,
  replyText: "PRECONDITION_FAILED",
  classId: 60,
  methodId: 80,
};
const message = { exchange: "", routingKey: "q", body: Uint8Array.of(1, 2, 3) };

function open(config: Partial<ConnectionConfig> = {}): { driver: Driver; channel: ChannelEngine } {
  const driver = new Driver(config).open();
  return { driver, channel: driver.channel() };
}

describe("opening a channel", () => {
  it("asks, and is an event when it was answered", () => {
    const driver = new Driver().open();
    const channel = driver.engine.openChannel();
    expect(channel).toMatchObject({
      number: 1,
      state: "opening",
      mode: "plain",
      flowActive: true,
      nextSequence: 1,
      unconfirmed: 0,
    });
    expect(driver.sentNames()).toEqual(["channel.open"]);
    expect(driver.method(1, "channel.open-ok", {})).toEqual([{ type: "channel-open", channel: 1 }]);
    expect(channel.state).toBe("open");
  });

  it("lets requests wait, and nothing else", () => {
    const driver = new Driver().open();
    const channel = driver.engine.openChannel();
    const request = channel.request("basic.qos", qos);
    const illegal = expect.objectContaining({ code: "ILLEGAL_STATE" });
    expect(() => channel.publish(message)).toThrow(illegal);
    expect(() => channel.ack(1, false)).toThrow(illegal);
    expect(() => channel.nack(1, false, true)).toThrow(illegal);
    expect(() => channel.reject(1, true)).toThrow(illegal);
    expect(() => channel.send("basic.recover-async", { requeue: true })).toThrow(illegal);
    expect(driver.sentNames()).toEqual(["channel.open"]);
    expect(types(driver.method(1, "channel.open-ok", {}))).toEqual(["channel-open"]);
    expect(driver.sentNames()).toEqual(["basic.qos"]);
    expect(only(driver.method(1, "basic.qos-ok", {}), "reply").request).toBe(request);
  });

  it("may be refused", () => {
    const driver = new Driver().open();
    const channel = driver.engine.openChannel();
    const request = channel.request("basic.qos", qos);
    driver.sent();
    const event = only(driver.method(1, "channel.close", refusal), "channel-closed");
    expect(event).toMatchObject({ error: { code: "CHANNEL_CLOSED_BY_SERVER", replyCode: 406 }, requests: [request] });
    expect(request.sent).toBe(false);
    expect(driver.sentNames()).toEqual(["channel.close-ok"]);
  });

  it("may take too long; a late answer is no surprise", () => {
    const driver = new Driver({ requestTimeout: 1000 }).open();
    const channel = driver.engine.openChannel();
    driver.pass(0);
    const event = only(driver.pass(1000), "channel-closed");
    expect(event).toMatchObject({ error: { code: "REQUEST_TIMEOUT", method: "channel.open" }, requests: [] });
    expect(channel.state).toBe("closed");
    expect(driver.sentNames()).toEqual(["channel.open", "channel.close"]);
    expect(driver.method(1, "channel.open-ok", {})).toEqual([]);
    expect(driver.method(1, "channel.close-ok", {})).toEqual([]);
    expect(driver.engine.openChannel().number).toBe(1);
  });

  it.each([
    ["a message", (driver: Driver) => driver.method(1, "basic.deliver", delivery)],
    ["an answer to another request", (driver: Driver) => driver.method(1, "basic.qos-ok", {})],
    ["an answer to a close", (driver: Driver) => driver.method(1, "channel.close-ok", {})],
  ])("is not answered with %s", (_, send) => {
    const driver = new Driver().open();
    driver.engine.openChannel();
    expect(closedBy(send(driver))?.cause).toMatchObject({ code: "COMMAND_INVALID" });
  });

  it("is not answered twice", () => {
    const { driver } = open();
    expect(closedBy(driver.method(1, "channel.open-ok", {}))?.cause).toMatchObject({ code: "COMMAND_INVALID" });
  });
});

describe("closing a channel", () => {
  it("asks, and is an event without an error when it was answered", () => {
    const { driver, channel } = open();
    channel.close({ replyCode: 320, replyText: "enough" });
    channel.close();
    expect(channel.state).toBe("closing");
    expect(driver.sentMethods()).toEqual([
      { name: "channel.close", fields: { replyCode: 320, replyText: "enough", classId: 0, methodId: 0 } },
    ]);
    expect(driver.method(1, "channel.close-ok", {})).toEqual([
      { type: "channel-closed", channel: 1, error: undefined, requests: [] },
    ]);
    expect(channel.state).toBe("closed");
    channel.close();
    expect(driver.sentNames()).toEqual([]);
  });

  it("waits for the requests before it", () => {
    const { driver, channel } = open();
    const requests = [channel.request("basic.qos", qos), channel.request("queue.purge", { queue: "q" })];
    channel.close();
    expect(channel.state).toBe("closing");
    expect(() => channel.request("basic.qos", qos)).toThrow(expect.objectContaining({ code: "ILLEGAL_STATE" }));
    expect(only(driver.method(1, "basic.qos-ok", {}), "reply").request).toBe(requests[0]);
    // Messages go on until the close is really sent.
    driver.method(1, "basic.deliver", delivery);
    expect(types(driver.serve((server) => server.content(1, new Uint8Array(1))))).toEqual(["basic.deliver"]);
    expect(only(driver.method(1, "queue.purge-ok", { messageCount: 3 }), "reply").request).toBe(requests[1]);
    expect(driver.sentNames()).toEqual(["basic.qos", "queue.purge", "channel.close"]);
    expect(only(driver.method(1, "channel.close-ok", {}), "channel-closed").requests).toEqual([]);
  });

  it("while it opens waits for that", () => {
    const driver = new Driver().open();
    const channel = driver.engine.openChannel();
    channel.close();
    expect(channel.state).toBe("closing");
    expect(driver.sentNames()).toEqual(["channel.open"]);
    expect(types(driver.method(1, "channel.open-ok", {}))).toEqual(["channel-open"]);
    expect(channel.state).toBe("closing");
    expect(driver.sentNames()).toEqual(["channel.close"]);
    expect(only(driver.method(1, "channel.close-ok", {}), "channel-closed").error).toBeUndefined();
  });

  it("is possible when as many requests wait as may", () => {
    const { driver, channel } = open({ limits: { maxWaitingRequests: 1 } });
    channel.request("basic.qos", qos);
    channel.request("basic.qos", qos);
    channel.close();
    driver.method(1, "basic.qos-ok", {});
    driver.method(1, "basic.qos-ok", {});
    expect(driver.sentNames()).toEqual(["basic.qos", "basic.qos", "channel.close"]);
  });

  it.each(["at once", "later"])("refuses a farewell that cannot be sent %s, and stays open", (when) => {
    const { driver, channel } = open();
    if (when === "later") channel.request("basic.qos", qos);
    expect(() => channel.close({ replyText: "x".repeat(256) })).toThrow("replyText");
    expect(channel.state).toBe("open");
    if (when === "later") driver.method(1, "basic.qos-ok", {});
    expect(driver.sentNames()).not.toContain("channel.close");
  });

  it("discards what arrives until the answer, whole contents too", () => {
    const { driver, channel } = open();
    channel.close();
    driver.sent();
    const events = driver.serve((server) =>
      server
        .method(1, "basic.deliver", delivery)
        .content(1, new Uint8Array(100_000))
        .method(1, "basic.get-ok", { deliveryTag: 2, exchange: "", routingKey: "", messageCount: 0 })
        .content(1, new Uint8Array(0))
        .method(1, "basic.cancel", { consumerTag: "c" })
        .method(1, "channel.flow", { active: false })
        .method(1, "basic.qos-ok", {}),
    );
    expect(events).toEqual([]);
    expect(driver.sentNames()).toEqual([]);
    expect(only(driver.method(1, "channel.close-ok", {}), "channel-closed").error).toBeUndefined();
  });

  it("does not forgive a broken content while discarding", () => {
    const { driver, channel } = open();
    channel.close();
    const error = closedBy(
      driver.serve((server) => server.method(1, "basic.deliver", delivery).method(1, "channel.close-ok", {})),
    );
    expect(error?.cause).toMatchObject({ code: "UNEXPECTED_FRAME" });
  });

  it("discards the rest of a content that had begun before", () => {
    const { driver, channel } = open();
    driver.method(1, "basic.deliver", delivery);
    channel.close();
    expect(driver.serve((server) => server.content(1, new Uint8Array(10)))).toEqual([]);
    expect(types(driver.method(1, "channel.close-ok", {}))).toEqual(["channel-closed"]);
  });

  it("still tells the truth about publishes: what was returned, and what was confirmed", () => {
    const driver = new Driver().open();
    const channel = driver.confirmChannel();
    channel.publish({ ...message, mandatory: true });
    channel.publish(message);
    channel.close();
    const events = driver.serve((server) =>
      server
        .method(1, "basic.return", { replyCode: 312, replyText: "NO_ROUTE", exchange: "", routingKey: "q" })
        .content(1, message.body)
        .method(1, "basic.ack", { deliveryTag: 1 })
        .method(1, "basic.nack", { deliveryTag: 2, requeue: true })
        .method(1, "channel.close-ok", {}),
    );
    expect(types(events)).toEqual(["basic.return", "settled", "settled", "channel-closed"]);
  });
});

describe("a channel that the server closes", () => {
  it("ends with its requests, and whether each was sent", () => {
    const { driver, channel } = open();
    const requests = [1, 2].map((prefetchCount) => channel.request("basic.qos", { prefetchSize: 0, prefetchCount }));
    channel.send("queue.purge", { queue: "q", noWait: true });
    channel.close();
    driver.sent();
    const event = only(driver.method(1, "channel.close", refusal), "channel-closed");
    expect(event.error).toMatchObject({ code: "CHANNEL_CLOSED_BY_SERVER", replyCode: 406, method: "basic.ack" });
    expect(event.requests).toEqual(requests);
    expect(event.requests.map(({ sent }) => sent)).toEqual([true, false]);
    expect(driver.sentNames()).toEqual(["channel.close-ok"]);
    expect(driver.engine.state).toBe("open");
  });

  it("may be closed for a request that needed no answer", () => {
    const { driver, channel } = open();
    channel.send("queue.bind", { queue: "q", exchange: "nope", routingKey: "", noWait: true });
    const event = only(driver.method(1, "channel.close", { ...refusal, classId: 50, methodId: 20 }), "channel-closed");
    expect(event).toMatchObject({ error: { method: "queue.bind" }, requests: [] });
  });

  it("takes no command afterwards", () => {
    const { driver, channel } = open();
    driver.method(1, "channel.close", refusal);
    driver.sent();
    const illegal = expect.objectContaining({ code: "ILLEGAL_STATE", message: expect.stringContaining("closed") });
    expect(() => channel.publish(message)).toThrow(illegal);
    expect(() => channel.ack(1, false)).toThrow(illegal);
    expect(() => channel.nack(1, false, false)).toThrow(illegal);
    expect(() => channel.reject(1, false)).toThrow(illegal);
    expect(() => channel.request("basic.qos", qos)).toThrow(illegal);
    expect(() => channel.send("queue.purge", { queue: "", noWait: true })).toThrow(illegal);
    channel.close();
    expect(driver.sentNames()).toEqual([]);
  });

  it.each([
    [405, true],
    [404, false],
    [406, false],
    [403, false],
  ])("with %i: is another try worth it? %s", (replyCode, retryable) => {
    const { driver } = open();
    const { error } = only(driver.method(1, "channel.close", { ...refusal, replyCode }), "channel-closed");
    expect(error?.retryable).toBe(retryable);
  });
});

describe("a request that is not answered in time", () => {
  it("ends the channel, and the server is told", () => {
    const { driver, channel } = open({ requestTimeout: 1000 });
    const requests = [channel.request("basic.qos", qos), channel.request("queue.purge", { queue: "q" })];
    driver.now += 3_600_000;
    driver.pass(0);
    expect(driver.engine.nextDeadline()).toBe(driver.now + 1000);
    expect(driver.pass(999)).toEqual([]);
    const event = only(driver.pass(1), "channel-closed");
    expect(event).toMatchObject({ error: { code: "REQUEST_TIMEOUT", method: "basic.qos", retryable: true }, requests });
    expect(channel.state).toBe("closed");
    expect(driver.sentNames()).toEqual(["basic.qos", "channel.close"]);
    // The late answers are discarded, and the number is free when the close was answered.
    expect(driver.method(1, "basic.qos-ok", {})).toEqual([]);
    expect(driver.method(1, "channel.close-ok", {})).toEqual([]);
    expect(driver.engine.channel(1)).toBeUndefined();
  });

  it("has its channel's closing wait from then on: whoever was woken for it is not to come back at once", () => {
    const { driver, channel } = open({ requestTimeout: 1000 });
    channel.request("basic.qos", qos);
    driver.pass(0);
    only(driver.pass(1000), "channel-closed");
    expect(driver.engine.nextDeadline()).toBeGreaterThan(driver.now);
  });

  it("ends the channel once, though the server closes it too, and loses the connection", () => {
    const { driver, channel } = open({ requestTimeout: 1000 });
    channel.request("basic.qos", qos);
    driver.pass(0);
    expect(types(driver.pass(1000))).toEqual(["channel-closed"]);
    expect(driver.method(1, "channel.close", refusal)).toEqual([]);
    driver.pass(0);
    expect(driver.pass(1000)).toEqual([]);
    expect(types(driver.hangUp())).toEqual(["closed"]);
  });

  it("ends no other channel, whose request is younger or was answered", () => {
    const { driver, channel } = open({ requestTimeout: 1000 });
    const [answered, younger] = [driver.channel(), driver.channel()];
    channel.request("basic.qos", qos);
    driver.pass(0);
    answered.request("basic.qos", qos);
    driver.pass(0);
    driver.method(answered.number, "basic.qos-ok", {});
    driver.pass(600);
    younger.request("basic.qos", qos);
    driver.pass(0);
    expect(only(driver.pass(400), "channel-closed").channel).toBe(channel.number);
    expect([answered.state, younger.state]).toEqual(["open", "open"]);
    expect(driver.engine.nextDeadline()).toBe(driver.now + 600);
    expect(only(driver.pass(600), "channel-closed").channel).toBe(younger.number);
  });

  it("is not late when it was answered, nor is one that waits for its turn", () => {
    const { driver, channel } = open({ requestTimeout: 1000 });
    channel.request("basic.qos", qos);
    channel.request("basic.qos", qos);
    driver.pass(0);
    driver.pass(900);
    driver.method(1, "basic.qos-ok", {});
    driver.pass(0);
    expect(driver.engine.nextDeadline()).toBe(driver.now + 1000);
    driver.pass(900);
    driver.method(1, "basic.qos-ok", {});
    expect(driver.engine.nextDeadline()).toBeUndefined();
    expect(driver.pass(1e9)).toEqual([]);
  });

  it("waits for ever with requestTimeout 0", () => {
    const { driver, channel } = open({ requestTimeout: 0 });
    channel.request("basic.qos", qos);
    expect(driver.pass(1e9)).toEqual([]);
    expect(driver.engine.nextDeadline()).toBeUndefined();
  });
});

describe("a channel that ended without its own doing", () => {
  it.each<[string, (driver: Driver, channel: ChannelEngine) => void]>([
    ["with the connection", (driver) => void driver.hangUp()],
    ["by closing the connection", (driver) => driver.engine.close()],
    [
      "by a request that was not answered",
      (driver, channel) => {
        channel.request("basic.qos", qos);
        driver.pass(0);
        driver.pass(60_000);
      },
    ],
  ])("is closed already: %s", (_, end) => {
    const { driver, channel } = open();
    end(driver, channel);
    driver.events();
    driver.sent();
    expect(channel.state).toBe("closed");
    channel.close();
    expect(() => channel.publish(message)).toThrow(expect.objectContaining({ code: "ILLEGAL_STATE" }));
    expect(() => channel.request("basic.qos", qos)).toThrow(expect.objectContaining({ code: "ILLEGAL_STATE" }));
    expect(driver.events()).toEqual([]);
    expect(driver.sentNames()).toEqual([]);
  });
});

describe("a flow of the server", () => {
  it("is answered, and is an event", () => {
    const { driver, channel } = open();
    expect(driver.method(1, "channel.flow", { active: false })).toEqual([
      { type: "channel.flow", channel: 1, active: false },
    ]);
    expect(channel.flowActive).toBe(false);
    expect(channel.publish(message)).toBe(0);
    driver.method(1, "channel.flow", { active: true });
    expect(channel.flowActive).toBe(true);
    expect(driver.sentMethods()).toMatchObject([
      { name: "channel.flow-ok", fields: { active: false } },
      { name: "basic.publish" },
      { name: "channel.flow-ok", fields: { active: true } },
    ]);
  });
});

describe("a cancel of the server", () => {
  it.each([
    [true, []],
    [false, ["basic.cancel-ok"]],
  ])("with noWait %s is an event, and is answered with %j", (noWait, answer) => {
    const { driver } = open();
    expect(driver.method(1, "basic.cancel", { consumerTag: "c", noWait })).toEqual([
      { type: "basic.cancel", channel: 1, consumerTag: "c" },
    ]);
    expect(driver.sentNames()).toEqual(answer);
  });

  it("may cross a cancel of ours", () => {
    const { driver, channel } = open();
    const request = channel.request("basic.cancel", { consumerTag: "c" });
    expect(types(driver.method(1, "basic.cancel", { consumerTag: "c", noWait: true }))).toEqual(["basic.cancel"]);
    expect(only(driver.method(1, "basic.cancel-ok", { consumerTag: "c" }), "reply").request).toBe(request);
  });
});
