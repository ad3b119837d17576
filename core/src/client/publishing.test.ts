import { describe, expect, it } from "vitest";
import { encodeProperties } from "../wire/properties.ts";
import type { ReturnedMessage } from "./returned-message.ts";
import { bytes, errorOf, failure, settled, stateOf, withChannel } from "./testing/fixture.ts";

const message = (text: string, more: { mandatory?: boolean } = {}) => ({
  exchange: "",
  routingKey: "q",
  body: bytes(text),
  ...more,
});

describe("without confirms", () => {
  it("resolves when the message is handed over", async () => {
    const { io, server, channel } = await withChannel();
    const publish = channel.basicPublish({ ...message("hello"), properties: { contentType: "text/plain" } });
    expect(await stateOf(publish)).toBe("resolved");
    await io.settle();
    expect(server.sent).toMatchObject([
      { name: "basic.publish", properties: { contentType: "text/plain" }, body: bytes("hello") },
    ]);
  });

  it("takes properties that were encoded once", async () => {
    const { io, server, channel } = await withChannel();
    const properties = encodeProperties({ deliveryMode: 2, headers: { n: 1 } });
    for (let i = 0; i < 3; i += 1) void channel.basicPublish({ ...message("m"), properties });
    await io.settle();
    expect(server.sent.map(({ properties: sent }) => sent)).toEqual(
      new Array(3).fill({ deliveryMode: 2, headers: { n: 1 } }),
    );
  });

  it("waits for room while output is congested, in order", async () => {
    const { io, server, channel } = await withChannel({ limits: { outputHighWater: 1000 } });
    server.stream.congested = true;
    await settled(io, channel.basicPublish(message("a".repeat(2000))));
    await settled(io, channel.basicPublish(message("b".repeat(2000))));
    const waiting = [channel.basicPublish(message("c")), channel.basicPublish(message("d"))];
    await io.settle();
    for (const publish of waiting) expect(await stateOf(publish)).toBe("pending");
    server.stream.congested = false;
    await settled(io, Promise.all(waiting));
    expect(server.sent.map(({ body }) => String.fromCharCode(body?.[0] ?? 0))).toEqual(["a", "b", "c", "d"]);
  });

  it("lets some large messages gather for one write while output is congested", async () => {
    const { io, server, channel } = await withChannel();
    server.stream.congested = true;
    await settled(io, channel.basicPublish(message("a".repeat(100_000))));
    const before = server.stream.writes;
    const publishes = Array.from({ length: 5 }, () =>
      channel.basicPublish({ ...message(""), body: new Uint8Array(1024 * 1024) }),
    );
    await io.settle();
    expect(await Promise.all(publishes.map(stateOf))).toEqual([...new Array(4).fill("resolved"), "pending"]);
    server.stream.congested = false;
    await settled(io, Promise.all(publishes));
    expect(server.stream.writes - before).toBe(2);
  });

  it("refuses to hold more than so much", async () => {
    const { io, server, channel } = await withChannel({ limits: { outputHighWater: 1000 } });
    server.stream.congested = true;
    await settled(io, channel.basicPublish(message("a".repeat(2000))));
    await settled(io, channel.basicPublish(message("a".repeat(2000))));
    const body = new Uint8Array(1024 * 1024);
    const publishes = Array.from({ length: 64 }, () => channel.basicPublish({ ...message(""), body }));
    expect(await failure(io, publishes[63] as Promise<void>)).toMatchObject({ code: "LIMIT_REACHED", retryable: true });
    expect(await stateOf(publishes[62] as Promise<void>)).toBe("pending");
    server.stream.congested = false;
    await settled(io, Promise.all(publishes.slice(0, 63)));
  });

  it("waits while the server blocks the connection, or has stopped the flow", async () => {
    const { io, server, connection, channel } = await withChannel();
    const heard: unknown[] = [];
    connection.on("blocked", ({ reason }) => heard.push(reason));
    connection.on("unblocked", () => heard.push("unblocked"));
    channel.on("flow", ({ active }) => heard.push(active));
    server.method(0, "connection.blocked", { reason: "low on memory" });
    await io.settle();
    expect(connection.blocked).toBe("low on memory");
    const publish = channel.basicPublish(message("a"));
    await io.settle();
    expect(await stateOf(publish)).toBe("pending");
    expect(server.log).toEqual([]);
    server.method(0, "connection.unblocked", {});
    await settled(io, publish);
    server.method(1, "channel.flow", { active: false });
    await io.settle();
    expect(channel.flowActive).toBe(false);
    const second = channel.basicPublish(message("b"));
    await io.settle();
    expect(await stateOf(second)).toBe("pending");
    server.method(1, "channel.flow", { active: true });
    await settled(io, second);
    expect(heard).toEqual(["low on memory", "unblocked", false, true]);
  });

  it("was not sent when time runs out, or the caller gives up, while it waits", async () => {
    const { io, server, channel } = await withChannel();
    server.method(0, "connection.blocked", { reason: "low on disk" });
    await io.settle();
    const controller = new AbortController();
    const late = errorOf(channel.basicPublish({ ...message("late"), timeout: 100 }));
    const aborted = errorOf(channel.basicPublish({ ...message("aborted"), signal: controller.signal }));
    const kept = channel.basicPublish(message("kept"));
    await io.advance(150);
    expect(await late).toMatchObject({ name: "TimeoutError", code: "TIMEOUT", outcome: "not-sent", retryable: true });
    controller.abort("enough");
    expect(await aborted).toMatchObject({ name: "AbortError", outcome: "not-sent", cause: "enough" });
    server.method(0, "connection.unblocked", {});
    await settled(io, kept);
    expect(server.sent.map(({ body }) => new TextDecoder().decode(body))).toEqual(["kept"]);
  });

  it("finds bad input at the call, also when it has to wait", async () => {
    const { io, server, channel } = await withChannel();
    server.method(0, "connection.blocked", { reason: "low on disk" });
    await io.settle();
    const bad = channel.basicPublish({ ...message("a"), routingKey: "k".repeat(300) });
    expect(await failure(io, bad)).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("was not sent when the channel is closed while it waits", async () => {
    const { io, server, channel } = await withChannel();
    server.method(0, "connection.blocked", { reason: "low on disk" });
    await io.settle();
    const error = errorOf(channel.basicPublish(message("a")));
    void channel.close();
    await io.settle();
    expect(await error).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
  });

  it("hands over messages that come back to the listeners", async () => {
    const { io, server, channel } = await withChannel();
    const returned: ReturnedMessage[] = [];
    channel.on("return", (back) => returned.push(back));
    server.on("basic.publish");
    await settled(io, channel.basicPublish(message("lost", { mandatory: true })));
    await io.settle();
    server.giveBack(1, server.sent[0]!);
    await io.settle();
    expect(returned).toMatchObject([{ replyCode: 312, replyText: "NO_ROUTE", exchange: "", routingKey: "q" }]);
    expect(returned[0]?.body).toEqual(bytes("lost"));
    expect(returned[0]?.properties).toEqual({});
  });
});

describe("with confirms", () => {
  it("resolves when the server has the message, and rejects when it refuses", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.confirmSelect());
    const publishes = ["a", "b", "c", "d"].map((text) => channel.basicPublish(message(text)));
    const nacked = errorOf(publishes[2] as Promise<void>);
    await io.settle();
    expect(channel.unconfirmed).toBe(4);
    expect(await stateOf(publishes[0] as Promise<void>)).toBe("pending");
    server.confirm(1, 2, true);
    server.method(1, "basic.nack", { deliveryTag: 3, multiple: false, requeue: true });
    await io.settle();
    await Promise.all(publishes.slice(0, 2));
    expect(await nacked).toMatchObject({ name: "NackError", code: "NACKED", outcome: "refused", retryable: true });
    expect(await stateOf(publishes[3] as Promise<void>)).toBe("pending");
    server.confirm(1, 0, true);
    await settled(io, publishes[3] as Promise<void>);
    expect(channel.unconfirmed).toBe(0);
  });

  it("counts from the call that asks for them, though it has to wait for its turn", async () => {
    const { io, server, channel } = await withChannel();
    server.on("queue.purge");
    const purging = channel.queuePurge({ queue: "q" });
    const selecting = channel.confirmSelect();
    const publishing = channel.basicPublish(message("m"));
    await io.settle();
    server.method(1, "queue.purge-ok", { messageCount: 0 });
    await settled(io, Promise.all([purging, selecting]));
    expect(server.log).toEqual(["1 queue.purge", "1 confirm.select", "1 basic.publish"]);
    expect(await stateOf(publishing)).toBe("pending");
    server.confirm(1, 1);
    await settled(io, publishing);
  });

  it("ties a returned message to its publish, with any number in flight", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.confirmSelect());
    const publishes = Array.from({ length: 50 }, (_, i) =>
      channel.basicPublish({ ...message(`m${i}`, { mandatory: true }), routingKey: i % 2 === 0 ? "q" : "nowhere" }),
    );
    const errors = publishes.map((publish) => publish.catch((error: unknown) => error));
    await io.settle();
    for (const sent of server.sentOf("basic.publish")) {
      if (sent.fields["routingKey"] === "nowhere") server.giveBack(1, sent);
    }
    server.confirm(1, 50, true);
    await io.settle();
    for (const [i, error] of (await Promise.all(errors)).entries()) {
      if (i % 2 === 0) expect(error).toBeUndefined();
      else {
        expect(error).toMatchObject({
          name: "UnroutableError",
          code: "UNROUTABLE",
          outcome: "refused",
          replyCode: 312,
        });
        expect((error as { returned: ReturnedMessage }).returned.body).toEqual(bytes(`m${i}`));
        expect(JSON.stringify(error)).not.toContain("body");
      }
    }
    expect(channel.state).toBe("open");
  });

  it("does not know what became of it when the connection is lost", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.confirmSelect());
    const error = errorOf(channel.basicPublish(message("a")));
    await io.settle();
    server.stream.hangUp();
    await io.settle();
    expect(await error).toMatchObject({ code: "CONNECTION_LOST", outcome: "unknown", retryable: true });
  });

  it("does not know what became of it when the channel is closed by another mistake", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.confirmSelect());
    const error = errorOf(channel.basicPublish(message("a")));
    await io.settle();
    server.closeChannel(1, 406, "PRECONDITION_FAILED");
    await io.settle();
    expect(await error).toMatchObject({ name: "ChannelError", replyCode: 406, outcome: "unknown" });
  });

  it("was refused when the channel is closed for a publish, and there is no other", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.confirmSelect());
    const publishing = channel.basicPublish(message("a"));
    await io.settle();
    server.confirm(1, 1);
    await settled(io, publishing);
    const error = errorOf(channel.basicPublish(message("b")));
    await io.settle();
    server.closeChannel(1, 404, "NOT_FOUND - no exchange 'x' in vhost '/'", "basic.publish");
    await io.settle();
    expect(await error).toMatchObject({ name: "ChannelError", replyCode: 404, outcome: "refused" });
  });

  it("was refused, or is behind the one that was, when it is the last of several: of the others nothing is known", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.confirmSelect());
    const errors = ["a", "b", "c"].map((body) => errorOf(channel.basicPublish(message(body))));
    await io.settle();
    server.closeChannel(1, 404, "NOT_FOUND - no exchange 'x' in vhost '/'", "basic.publish");
    await io.settle();
    const outcomes = (await Promise.all(errors)).map((error) => (error as { outcome: string }).outcome);
    expect(outcomes).toEqual(["unknown", "unknown", "refused"]);
  });

  it("was taken in its turn when a later one was settled: the channel was closed for one that nobody waits for", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.confirmSelect());
    const error = errorOf(channel.basicPublish(message("a")));
    const second = channel.basicPublish(message("b"));
    await io.settle();
    server.confirm(1, 2);
    await settled(io, second);
    server.closeChannel(1, 404, "NOT_FOUND - no exchange 'x' in vhost '/'", "basic.publish");
    await io.settle();
    expect(await error).toMatchObject({ replyCode: 404, outcome: "unknown" });
  });

  it("may be waited for only so long", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.confirmSelect());
    const controller = new AbortController();
    const late = errorOf(channel.basicPublish({ ...message("a"), timeout: 50 }));
    const aborted = errorOf(channel.basicPublish({ ...message("b"), signal: controller.signal }));
    const inTime = channel.basicPublish({ ...message("c"), timeout: 5000, signal: controller.signal });
    await io.advance(60);
    expect(await late).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
    server.confirm(1, 3);
    await settled(io, inTime);
    controller.abort();
    expect(await aborted).toMatchObject({ code: "ABORTED", outcome: "unknown" });
    server.confirm(1, 2, true);
    await io.settle();
    expect(channel.unconfirmed).toBe(0);
  });

  it("names those who called in the stack of what went wrong", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.confirmSelect());
    async function publishTheOrder(): Promise<void> {
      await channel.basicPublish(message("order"));
    }
    const error = errorOf(publishTheOrder());
    await io.settle();
    server.method(1, "basic.nack", { deliveryTag: 1, requeue: true });
    await io.settle();
    expect(((await error) as Error).stack).toContain("publishTheOrder");
  });
});
