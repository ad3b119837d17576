import { describe, expect, it } from "vitest";
import type { Arguments } from "../wire/method-types.ts";
import { closedBy, Driver, only } from "./testing/driver.ts";

const notFound: Arguments<"channel.close"> = {
  replyCode: 404,
  replyText: "NOT_FOUND - no queue 'q' in vhost '/'",
  classId: 50,
  methodId: 10,
};

function open(channelMax = 2047): Driver {
  return new Driver().open({ channelMax });
}

describe("channel numbers", () => {
  it("are the lowest that are free", () => {
    const driver = open();
    const [first, second, third] = [driver.channel(), driver.channel(), driver.channel()];
    expect([first.number, second.number, third.number]).toEqual([1, 2, 3]);
    second.close();
    driver.method(2, "channel.close-ok", {});
    expect(driver.engine.channel(2)).toBeUndefined();
    expect(driver.channel().number).toBe(2);
    expect(driver.channel().number).toBe(4);
    expect(driver.engine.channel(1)).toBe(first);
  });

  it("may be chosen", () => {
    const driver = open();
    expect(driver.channel(7).number).toBe(7);
    expect(driver.channel(2047).number).toBe(2047);
    expect(driver.channel(1).number).toBe(1);
    expect(driver.channel().number).toBe(2);
  });

  it.each([0, -1, 11, 1.5, Number.NaN, 65_536])("are refused when they are out of range: %s", (number) => {
    const driver = open(10);
    expect(() => driver.engine.openChannel(number)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(driver.sentNames()).toEqual([]);
  });

  it("are refused when they are taken, whatever state their channel is in", () => {
    const driver = open();
    const inUse = expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining("in use") });
    const channel = driver.engine.openChannel(3);
    expect(() => driver.engine.openChannel(3)).toThrow(inUse);
    driver.method(3, "channel.open-ok", {});
    expect(() => driver.engine.openChannel(3)).toThrow(inUse);
    channel.close();
    expect(() => driver.engine.openChannel(3)).toThrow(inUse);
    driver.method(3, "channel.close-ok", {});
    expect(driver.engine.openChannel(3).state).toBe("opening");
  });

  it("come to an end at channel-max", () => {
    const driver = open(3);
    const channels = [driver.channel(), driver.channel(), driver.channel()];
    expect(() => driver.engine.openChannel()).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED", message: expect.stringContaining("All 3 channels") }),
    );
    channels[1]?.close();
    expect(() => driver.engine.openChannel()).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
    driver.method(2, "channel.close-ok", {});
    expect(driver.engine.openChannel().number).toBe(2);
  });

  it("are all handed out where neither side has a limit", () => {
    const driver = new Driver({ channelMax: 0 }).open({ channelMax: 0 });
    expect(driver.engine.channelMax).toBe(65_535);
    expect(driver.channel(65_535).number).toBe(65_535);
  });

  it("are there only while the connection is open", () => {
    const illegal = expect.objectContaining({ code: "ILLEGAL_STATE" });
    expect(() => new Driver().engine.openChannel()).toThrow(illegal);
    const driver = open();
    driver.engine.close();
    expect(() => driver.engine.openChannel()).toThrow(illegal);
    driver.method(0, "connection.close-ok", {});
    expect(() => driver.engine.openChannel()).toThrow(illegal);
  });

  describe("are free only when both sides agree:", () => {
    it("at once when the server closed, since our answer comes before anything else", () => {
      const driver = open();
      const channel = driver.channel();
      const event = only(driver.method(1, "channel.close", notFound), "channel-closed");
      expect(event.error).toMatchObject({
        code: "CHANNEL_CLOSED_BY_SERVER",
        replyCode: 404,
        replyText: notFound.replyText,
        method: "queue.declare",
      });
      expect(channel.state).toBe("closed");
      expect(driver.engine.openChannel().number).toBe(1);
      expect(driver.sentNames()).toEqual(["channel.close-ok", "channel.open"]);
    });

    it("after both answers when both closed; the server's reason wins", () => {
      const driver = open();
      const channel = driver.channel();
      channel.close();
      expect(driver.method(1, "channel.close", notFound)).toEqual([]);
      expect(driver.sentNames()).toEqual(["channel.close", "channel.close-ok"]);
      expect(driver.engine.openChannel().number).toBe(2);
      const event = only(driver.method(1, "channel.close-ok", {}), "channel-closed");
      expect(event.error).toMatchObject({ code: "CHANNEL_CLOSED_BY_SERVER", replyCode: 404 });
      expect(driver.engine.openChannel().number).toBe(1);
    });

    it("never when our close was not answered", () => {
      const driver = open();
      driver.channel().close();
      driver.pass(0);
      const event = only(driver.pass(60_000), "channel-closed");
      expect(event.error).toMatchObject({ code: "REQUEST_TIMEOUT", method: "channel.close" });
      expect(driver.engine.openChannel().number).toBe(2);
      expect(driver.method(1, "channel.close-ok", {})).toEqual([]);
      expect(driver.engine.openChannel().number).toBe(1);
    });
  });
});

describe("a frame on a channel that is not open", () => {
  it("is answered when it is a close, which the server waits for", () => {
    const driver = open();
    expect(driver.method(9, "channel.close", notFound)).toEqual([]);
    expect(driver.sent()).toEqual([{ type: "method", channel: 9, method: { name: "channel.close-ok", fields: {} } }]);
  });

  it.each<[string, (driver: Driver) => ReturnType<Driver["serve"]>]>([
    ["a method", (driver) => driver.method(9, "basic.qos-ok", {})],
    ["an answer to a close", (driver) => driver.method(9, "channel.close-ok", {})],
    ["a content", (driver) => driver.serve((server) => server.content(9, new Uint8Array(1)))],
    [
      "a method that does not exist",
      (driver) => driver.serve((server) => server.raw(1, 0, 9, 0, 0, 0, 4, 0, 99, 0, 99, 0xce)),
    ],
  ])("is the server's mistake when it is %s", (_, send) => {
    const driver = open();
    const error = closedBy(send(driver));
    expect(error?.code).toBe("PROTOCOL_ERROR");
    expect(driver.sentNames()).toEqual(["connection.close"]);
  });
});

describe("several channels", () => {
  it("may have their contents interleaved", () => {
    const driver = open();
    driver.channel();
    driver.channel();
    const deliver = (deliveryTag: number): Arguments<"basic.deliver"> => ({
      consumerTag: "c",
      deliveryTag,
      exchange: "",
      routingKey: "",
    });
    const header = (channel: number): number[] => [
      2,
      0,
      channel,
      0,
      0,
      0,
      14,
      0,
      60,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      2,
      0,
      0,
      0xce,
    ];
    const body = (channel: number, byte: number): number[] => [3, 0, channel, 0, 0, 0, 1, byte, 0xce];
    const events = driver.serve((server) =>
      server
        .method(1, "basic.deliver", deliver(11))
        .method(2, "basic.deliver", deliver(22))
        .raw(...header(2), ...header(1))
        .raw(...body(1, 1))
        .method(0, "connection.blocked", { reason: "" })
        .raw(...body(2, 3))
        .heartbeat()
        .raw(...body(2, 4), ...body(1, 2)),
    );
    expect(
      events.map((event) => (event.type === "basic.deliver" ? [event.deliveryTag, ...event.content.body] : event.type)),
    ).toEqual(["connection.blocked", [22, 3, 4], [11, 1, 2]]);
  });

  it("have their requests answered independently", () => {
    const driver = open();
    const [first, second] = [driver.channel(), driver.channel()];
    const qos = { prefetchSize: 0, prefetchCount: 1 };
    const requests = [first.request("basic.qos", qos), second.request("basic.qos", qos)];
    expect(only(driver.method(2, "basic.qos-ok", {}), "reply").request).toBe(requests[1]);
    expect(only(driver.method(1, "basic.qos-ok", {}), "reply").request).toBe(requests[0]);
  });
});
