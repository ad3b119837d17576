import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../wire/errors.ts";
import type { ChannelEngine } from "./channel-engine.ts";
import { ConnectionEngine } from "./connection-engine.ts";
import { plain } from "./sasl.ts";
import { closedBy, Driver, only, start, types } from "./testing/driver.ts";
import { ServerBytes } from "./testing/server.ts";

const delivery = { consumerTag: "c", deliveryTag: 1, exchange: "", routingKey: "" };
const oneByte = { exchange: "", routingKey: "q", body: Uint8Array.of(1) };

/** A delivery of a body of that size, on channel 1. */
function deliver(size: number): Uint8Array {
  return new ServerBytes().method(1, "basic.deliver", delivery).content(1, new Uint8Array(size).fill(7)).take();
}

describe("an engine", () => {
  it("knows nothing of the server before it spoke", () => {
    const { engine } = new Driver();
    expect(engine).toMatchObject({
      state: "handshaking",
      channelMax: 0,
      frameMax: 0,
      heartbeat: 0,
      serverProperties: {},
      blocked: undefined,
      writable: true,
      wantsClose: false,
    });
  });

  it("refuses a configuration that makes no sense", () => {
    expect(() => new ConnectionEngine({ mechanisms: [] }, 0)).toThrow(UsageError);
    expect(() => new ConnectionEngine({ mechanisms: [plain("", "")], limits: { maxOutput: 0 } }, 0)).toThrow(
      UsageError,
    );
  });

  it.each([Number.NaN, undefined, "5"])("refuses %s for a time, which would stop every clock", (now) => {
    const time = now as number;
    const { engine } = new Driver();
    expect(() => new ConnectionEngine({ mechanisms: [plain("", "")] }, time)).toThrow(UsageError);
    expect(() => engine.receive(new Uint8Array(1), time)).toThrow(UsageError);
    expect(() => engine.transportClosed(time)).toThrow(UsageError);
    expect(() => engine.advance(time)).toThrow(UsageError);
    expect(() => engine.setReading(true, time)).toThrow(UsageError);
    expect(engine.state).toBe("handshaking");
  });

  it("takes a clock that goes backwards for one that stands still", () => {
    const driver = new Driver().open({ heartbeat: 10 });
    driver.engine.advance(-1e9);
    expect(driver.engine.nextDeadline()).toBe(6000);
    driver.engine.receive(new ServerBytes().heartbeat().take(), -1e9);
    for (let i = 0; i < 4; i += 1) expect(driver.pass(5000)).toEqual([]);
  });

  it("counts what was sent and received", () => {
    const driver = new Driver().open();
    driver.channel();
    const before = { ...driver.engine.counters };
    const chunk = deliver(5000);
    for (let at = 0; at < chunk.length; at += 100) driver.receive(chunk.subarray(at, at + 100));
    driver.engine.channel(1)?.publish(oneByte);
    driver.engine.channel(1)?.ack(1, false);
    const size = driver.engine.outputSize;
    driver.sent();
    expect(driver.engine.counters).toEqual({
      framesReceived: before.framesReceived + 3,
      framesSent: before.framesSent + 4,
      bytesReceived: before.bytesReceived + chunk.length,
      bytesSent: before.bytesSent + size,
      messagesReceived: 1,
      messagesPublished: 1,
    });
  });

  it("counts every frame that leaves", () => {
    const driver = new Driver({ heartbeat: 10 }).open();
    const channel = driver.channel();
    const before = driver.engine.counters.framesSent;
    driver.pass(5000);
    channel.publish({ ...oneByte, body: new Uint8Array(300_000) });
    channel.publish({ ...oneByte, body: new Uint8Array(0) });
    channel.ack(1, false);
    channel.nack(1, false, true);
    channel.reject(1, true);
    channel.send("basic.recover-async", { requeue: true });
    for (let i = 0; i < 2; i += 1) channel.request("queue.purge", { queue: "q" });
    driver.method(1, "queue.purge-ok", { messageCount: 0 });
    const sent = driver.sentNames();
    expect(sent).toHaveLength(14);
    expect(driver.engine.counters.framesSent - before).toBe(14);
  });

  it("hands events over one by one, and a command between two finds the state that the last one left", () => {
    const driver = new Driver();
    const server = new ServerBytes()
      .method(0, "connection.start", start)
      .method(0, "connection.tune", { channelMax: 0, frameMax: 0, heartbeat: 0 })
      .method(0, "connection.open-ok", {})
      .method(0, "connection.blocked", { reason: "first" })
      .method(0, "connection.close", { replyCode: 320, replyText: "", classId: 0, methodId: 0 });
    driver.engine.receive(server.take(), driver.now);
    expect(() => driver.engine.openChannel()).toThrow(UsageError);
    expect(driver.engine.nextEvent()?.type).toBe("open");
    expect(driver.engine.blocked).toBeUndefined();
    expect(driver.engine.openChannel().state).toBe("opening");
    expect(driver.engine.nextEvent()?.type).toBe("connection.blocked");
    expect(driver.engine).toMatchObject({ blocked: "first", state: "open" });
    expect(types(driver.events())).toEqual(["channel-closed", "closed"]);
  });
});

describe("input", () => {
  it("is borrowed until it was handled", () => {
    const driver = new Driver().open();
    driver.channel();
    const chunk = Buffer.from(deliver(20_000));
    const event = only(driver.receive(chunk), "basic.deliver");
    chunk.fill(0);
    expect(event.content.body).toEqual(new Uint8Array(20_000).fill(7));
  });

  it("may be detached at any time, also twice, and in the middle of a frame", () => {
    const bytes = Buffer.concat([deliver(20_000), deliver(10), deliver(0)]);
    for (let size = 1; size < bytes.length; size = Math.ceil(size * 1.3)) {
      const driver = new Driver().open();
      driver.channel();
      const events = [];
      for (let at = 0; at < bytes.length; at += size) {
        const chunk = Buffer.from(bytes.subarray(at, at + size));
        driver.engine.receive(chunk, driver.now);
        driver.engine.detachInput();
        driver.engine.detachInput();
        chunk.fill(0xee);
        const event = driver.engine.nextEvent();
        if (event !== undefined) events.push(event);
      }
      events.push(...driver.events());
      expect(types(events)).toEqual(["basic.deliver", "basic.deliver", "basic.deliver"]);
      const bodies = events.map((event) => (event.type === "basic.deliver" ? event.content.body : undefined));
      expect(bodies).toEqual([20_000, 10, 0].map((length) => new Uint8Array(length).fill(7)));
    }
  });

  it("beyond maxUnparsedInput is refused until what came before was handled", () => {
    const message = deliver(300);
    const driver = new Driver({ limits: { maxUnparsedInput: 2 * message.length } }).open();
    driver.channel();
    for (let i = 0; i < 2; i += 1) driver.engine.receive(message, driver.now);
    const received = driver.engine.counters.bytesReceived;
    expect(() => driver.engine.receive(message, driver.now)).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED", message: expect.stringContaining("limits.maxUnparsedInput") }),
    );
    expect(driver.engine.counters.bytesReceived).toBe(received);
    expect(driver.events()).toHaveLength(2);
    expect(driver.receive(message)).toHaveLength(1);
  });

  it("is never refused when everything before it was handled: a chunk may be large, and a frame too", () => {
    const driver = new Driver({ limits: { maxUnparsedInput: 1000 } }).open();
    driver.channel();
    expect(driver.receive(Buffer.concat([deliver(5000), deliver(5000)]))).toHaveLength(2);
    // A method frame has to be held in one piece, here of 2 KiB.
    const reason = "r".repeat(255);
    const headers = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`h${i}`, reason]));
    const frames = new ServerBytes()
      .method(1, "basic.deliver", delivery)
      .content(1, new Uint8Array(1), { headers })
      .take();
    const events = Array.from({ length: Math.ceil(frames.length / 700) }, (_, i) =>
      driver.receive(frames.subarray(700 * i, 700 * (i + 1))),
    );
    expect(types(events.flat())).toEqual(["basic.deliver"]);
  });

  it("is ignored after the end", () => {
    const driver = new Driver().open();
    driver.hangUp();
    const before = { ...driver.engine.counters };
    driver.engine.receive(deliver(1), driver.now);
    driver.engine.transportClosed(driver.now);
    driver.engine.setReading(false, driver.now);
    driver.engine.setReading(true, driver.now);
    driver.engine.advance(driver.now + 1e9);
    driver.engine.detachInput();
    expect(driver.events()).toEqual([]);
    expect(driver.engine.counters).toEqual(before);
    expect(driver.engine.nextDeadline()).toBeUndefined();
    expect(driver.sent()).toEqual([]);
  });

  it("may be empty", () => {
    const driver = new Driver();
    expect(driver.receive(new Uint8Array(0))).toEqual([]);
    expect(driver.open().receive(new Uint8Array(0))).toEqual([]);
  });
});

describe("output", () => {
  it("is given away: it does not change afterwards", () => {
    const driver = new Driver().open();
    const channel = driver.channel();
    channel.publish(oneByte);
    const taken = driver.engine.takeOutput();
    const copy = taken.map((bytes) => Uint8Array.from(bytes));
    for (let i = 0; i < 1000; i += 1) channel.publish(oneByte);
    driver.engine.takeOutput();
    expect(taken).toEqual(copy);
    expect(driver.engine.takeOutput()).toEqual([]);
  });

  it("is not writable from the high-water mark on, until it was taken", () => {
    const driver = new Driver({ limits: { outputHighWater: 100 } }).open();
    const channel = driver.channel();
    while (driver.engine.outputSize < 100) {
      expect(driver.engine.writable).toBe(true);
      channel.publish(oneByte);
    }
    expect(driver.engine.writable).toBe(false);
    expect(driver.events()).toEqual([]);
    driver.sent();
    expect(driver.engine).toMatchObject({ writable: true, outputSize: 0 });
    expect(driver.events()).toEqual([{ type: "writable" }]);
    channel.publish(oneByte);
    driver.sent();
    expect(driver.events()).toEqual([]);
  });

  it("is not writable at exactly the high-water mark", () => {
    const one = new Driver().open();
    one.channel().ack(1, false);
    const driver = new Driver({ limits: { outputHighWater: one.engine.outputSize } }).open();
    driver.channel().ack(1, false);
    expect(driver.engine.writable).toBe(false);
  });

  describe("that waits behind a commit counts", () => {
    function behindCommit(): { readonly driver: Driver; readonly channel: ChannelEngine } {
      const driver = new Driver({ limits: { outputHighWater: 100 } }).open();
      const channel = driver.channel();
      channel.request("tx.select", {});
      driver.sent();
      driver.method(1, "tx.select-ok", {});
      channel.request("tx.commit", {});
      driver.sent();
      for (let i = 0; i < 10; i += 1) channel.publish(oneByte);
      driver.sent();
      expect(driver.engine).toMatchObject({ writable: false, outputSize: 0 });
      expect(driver.events()).toEqual([]);
      return { driver, channel };
    }

    it("until it is taken", () => {
      const { driver } = behindCommit();
      expect(types(driver.method(1, "tx.commit-ok", {}))).toEqual(["reply"]);
      expect(driver.engine.writable).toBe(false);
      driver.sent();
      expect(driver.engine.writable).toBe(true);
      expect(driver.events()).toEqual([{ type: "writable" }]);
    });

    it("until its channel ends", () => {
      const { driver } = behindCommit();
      expect(
        types(driver.method(1, "channel.close", { replyCode: 406, replyText: "", classId: 0, methodId: 0 })),
      ).toEqual(["channel-closed", "writable"]);
      expect(driver.engine.writable).toBe(true);
      driver.sent();
      expect(driver.events()).toEqual([]);
    });

    it("until its channel is given up, because the commit was not answered in time", () => {
      const { driver } = behindCommit();
      driver.pass(0);
      expect(types(driver.pass(60_000))).toEqual(["writable", "channel-closed"]);
    });

    it("and is not told of when everything is over", () => {
      const { driver } = behindCommit();
      expect(types(driver.hangUp())).toEqual(["channel-closed", "closed"]);
    });
  });

  it("asks to be woken for the event, when nobody asked for it", () => {
    const driver = new Driver({ limits: { outputHighWater: 10 } }).open();
    driver.channel().publish(oneByte);
    driver.sent();
    expect(driver.engine.nextDeadline()).toBe(driver.now);
    driver.events();
    expect(driver.engine.nextDeadline()).toBeUndefined();
  });

  it("says nothing of being writable once it is over", () => {
    const driver = new Driver({ limits: { outputHighWater: 10 } }).open();
    driver.channel().publish(oneByte);
    expect(types(driver.hangUp())).toEqual(["channel-closed", "closed"]);
    driver.sent();
    expect(driver.events()).toEqual([]);
  });

  it("beyond maxOutput is refused, with nothing changed, except for settlements and farewells", () => {
    const driver = new Driver({ limits: { maxOutput: 2000 } }).open();
    const channel = driver.confirmChannel();
    channel.publish({ ...oneByte, body: new Uint8Array(3000) });
    const size = driver.engine.outputSize;
    const refused = expect.objectContaining({
      code: "LIMIT_REACHED",
      message: expect.stringContaining("limits.maxOutput"),
      retryable: true,
    });
    expect(() => channel.publish(oneByte)).toThrow(refused);
    expect(() => channel.request("basic.qos", { prefetchSize: 0, prefetchCount: 1 })).toThrow(refused);
    expect(() => channel.send("queue.purge", { queue: "q", noWait: true })).toThrow(refused);
    expect(driver.engine.outputSize).toBe(size);
    expect(channel.nextSequence).toBe(2);
    channel.ack(1, false);
    channel.nack(2, false, false);
    channel.reject(3, false);
    channel.send("basic.ack", { deliveryTag: 4 });
    channel.close();
    driver.engine.close();
    const settled = ["basic.ack", "basic.nack", "basic.reject", "basic.ack"];
    const farewells = ["channel.close", "connection.close"];
    expect(driver.sentNames()).toEqual(["basic.publish", "header", "body", ...settled, ...farewells]);
  });

  it("holds the farewell when the connection is over", () => {
    const driver = new Driver().open();
    const error = closedBy(driver.serve((server) => server.raw(0, 0, 0, 0, 0, 0, 0, 0)));
    expect(error?.code).toBe("PROTOCOL_ERROR");
    expect(driver.engine.wantsClose).toBe(true);
    expect(driver.engine.outputSize).toBeGreaterThan(0);
    expect(driver.sentNames()).toEqual(["connection.close"]);
  });
});

describe("deadlines", () => {
  it("never make a hot loop: whoever wakes the engine at each of them finds it further on", () => {
    const millis = fc.constantFrom(0, 1, 7, 1000, 60_000);
    const config = fc.record({
      handshakeTimeout: millis,
      closeTimeout: millis,
      requestTimeout: millis,
      blockedTimeout: millis,
      heartbeat: fc.constantFrom(0, 1, 60),
    });
    const happening = fc.constantFrom<(driver: Driver) => void>(
      (driver) => void driver.engine.updateSecret(new Uint8Array(1), ""),
      (driver) => void driver.engine.openChannel(),
      (driver) => driver.engine.setReading(false, driver.now),
      (driver) => driver.engine.setReading(true, driver.now),
      (driver) => void driver.method(0, "connection.blocked", { reason: "" }),
      (driver) => void driver.method(0, "connection.unblocked", {}),
      (driver) => void driver.sent(),
      (driver) => driver.engine.close(),
    );
    fc.assert(
      fc.property(config, fc.boolean(), fc.array(happening, { maxLength: 6 }), (timeouts, open, happenings) => {
        const driver = new Driver(timeouts);
        if (open) driver.open();
        if (open) for (const happen of happenings) if (driver.engine.state === "open") happen(driver);
        let idle = 0;
        for (let wakeUps = 0; wakeUps < 50; wakeUps += 1) {
          const at = driver.engine.nextDeadline();
          if (at === undefined) return;
          idle = at > driver.now ? 0 : idle + 1;
          expect(idle).toBeLessThanOrEqual(2);
          driver.pass(Math.max(0, at - driver.now));
        }
      }),
      { numRuns: 500 },
    );
  });
});
