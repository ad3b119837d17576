import { describe, expect, it } from "vitest";
import type { Arguments } from "../wire/method-types.ts";
import { closedBy, Driver, only } from "./testing/driver.ts";
import { ServerBytes } from "./testing/server.ts";

const delivery: Arguments<"basic.deliver"> = {
  consumerTag: "amq.ctag-1",
  deliveryTag: 7,
  redelivered: true,
  exchange: "orders",
  routingKey: "orders.created",
};
const body = Uint8Array.of(1, 2, 3);
const properties = { type: "order", headers: { attempt: 3 }, deliveryMode: 2 };

function open(): Driver {
  const driver = new Driver().open();
  driver.channel();
  return driver;
}

describe("messages", () => {
  it("are delivered", () => {
    const event = only(
      open().serve((server) => server.method(1, "basic.deliver", delivery).content(1, body, properties)),
      "basic.deliver",
    );
    expect(event).toEqual({ type: "basic.deliver", channel: 1, ...delivery, content: expect.anything() });
    expect(event.content.body).toEqual(body);
    expect(event.content.properties).toEqual(properties);
  });

  it("are returned", () => {
    const fields = { replyCode: 312, replyText: "NO_ROUTE", exchange: "orders", routingKey: "nowhere" };
    const event = only(
      open().serve((server) => server.method(1, "basic.return", fields).content(1, body, properties)),
      "basic.return",
    );
    expect(event).toEqual({ type: "basic.return", channel: 1, ...fields, content: expect.anything() });
    expect(event.content.body).toEqual(body);
  });

  it("are got, with the request that asked", () => {
    const driver = open();
    const request = driver.engine.channel(1)?.request("basic.get", { queue: "q" });
    const fields = { deliveryTag: 1, redelivered: false, exchange: "", routingKey: "q", messageCount: 4 };
    const event = only(
      driver.serve((server) => server.method(1, "basic.get-ok", fields).content(1, body, properties)),
      "basic.get-ok",
    );
    expect(event).toEqual({ type: "basic.get-ok", channel: 1, request, ...fields, content: expect.anything() });
    expect(event.content.properties).toEqual(properties);
  });

  it("are not got while the answer is incomplete: the next request waits for the whole of it", () => {
    const driver = open();
    const channel = driver.engine.channel(1);
    channel?.request("basic.get", { queue: "q" });
    channel?.request("queue.purge", { queue: "q" });
    driver.sent();
    const answer = { deliveryTag: 1, exchange: "", routingKey: "q", messageCount: 4 };
    const bytes = new ServerBytes().method(1, "basic.get-ok", answer).content(1, body).take();
    expect(driver.receive(bytes.subarray(0, -1))).toEqual([]);
    expect(driver.sentNames()).toEqual([]);
    only(driver.receive(bytes.subarray(-1)), "basic.get-ok");
    expect(driver.sentNames()).toEqual(["queue.purge"]);
  });

  it("are not there when none was got", () => {
    const driver = open();
    const request = driver.engine.channel(1)?.request("basic.get", { queue: "q" });
    expect(only(driver.method(1, "basic.get-empty", {}), "reply")).toMatchObject({
      request,
      reply: { name: "basic.get-empty" },
    });
  });

  it("may have routing keys that are no UTF-8", () => {
    // As a publisher may choose it: RabbitMQ checks neither routing keys nor properties.
    const bytes = new ServerBytes()
      .method(1, "basic.deliver", { ...delivery, routingKey: "kk" })
      .content(1, body)
      .take();
    bytes.fill(0xff, bytes.indexOf(0x6b), bytes.indexOf(0x6b) + 2);
    expect(only(open().receive(bytes), "basic.deliver").routingKey).toBe("\ufffd\ufffd");
  });

  it("with properties that do not parse are delivered; who looks at them is told", () => {
    const header = [2, 0, 1, 0, 0, 0, 15, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 200, 0xce];
    const event = only(
      open().serve((server) => server.method(1, "basic.deliver", delivery).raw(...header)),
      "basic.deliver",
    );
    expect(() => event.content.properties).toThrow(expect.objectContaining({ code: "SYNTAX_ERROR" }));
  });
});

// The rows of RabbitMQ's own content assembler, seen from the other side.
describe("a content that is broken", () => {
  const method = (server: ServerBytes): ServerBytes => server.method(1, "basic.deliver", delivery);
  const header = (size: number, { classId = 60, weight = 0 } = {}): number[] => [
    ...[2, 0, 1, 0, 0, 0, 14, 0, classId, 0, weight],
    ...[0, 0, 0, 0, 0, 0, 0, size, 0, 0, 0xce],
  ];
  const frame = (...bytes: number[]): number[] => [3, 0, 1, 0, 0, 0, bytes.length, ...bytes, 0xce];

  it.each<[string, (server: ServerBytes) => ServerBytes, string]>([
    ["a header without a method", (server) => server.raw(...header(0)), "UNEXPECTED_FRAME"],
    ["a body without a method", (server) => server.raw(...frame(1)), "UNEXPECTED_FRAME"],
    ["a method where a header is due", (server) => method(method(server)), "UNEXPECTED_FRAME"],
    ["a body where a header is due", (server) => method(server).raw(...frame(1)), "UNEXPECTED_FRAME"],
    ["a header of another class", (server) => method(server).raw(...header(0, { classId: 50 })), "UNEXPECTED_FRAME"],
    ["a header with a weight", (server) => method(server).raw(...header(0, { weight: 1 })), "UNEXPECTED_FRAME"],
    ["a second header", (server) => method(server).raw(...header(1), ...header(1)), "UNEXPECTED_FRAME"],
    ["a method where a body is due", (server) => method(method(server).raw(...header(1))), "UNEXPECTED_FRAME"],
    ["a body for an empty content", (server) => method(server).raw(...header(0), ...frame()), "UNEXPECTED_FRAME"],
    ["a body that is too long", (server) => method(server).raw(...header(1), ...frame(1, 2)), "FRAME_ERROR"],
    [
      "a second body that is too long",
      (server) => method(server).raw(...header(2), ...frame(1), ...frame(2, 3)),
      "FRAME_ERROR",
    ],
    [
      "a header that is too short",
      (server) => method(server).raw(2, 0, 1, 0, 0, 0, 4, 0, 60, 0, 0, 0xce),
      "FRAME_ERROR",
    ],
    ["a size beyond 2^53", (server) => method(server).raw(...header(0).with(11, 0xff)), "FRAME_ERROR"],
    ["a size over the limit", (server) => method(server).raw(...header(0).with(14, 0xff)), "RESOURCE_ERROR"],
    [
      "a delivery tag beyond 2^53",
      (server) =>
        server.raw(1, 0, 1, 0, 0, 0, 16, 0, 60, 0, 60, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0xce),
      "SYNTAX_ERROR",
    ],
    ["a delivery that is too short", (server) => server.raw(1, 0, 1, 0, 0, 0, 5, 0, 60, 0, 60, 9, 0xce), "FRAME_ERROR"],
    [
      "a delivery that is too long",
      (server) => server.raw(1, 0, 1, 0, 0, 0, 17, 0, 60, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xce),
      "FRAME_ERROR",
    ],
    [
      "a message that nobody asked to get",
      (server) => server.method(1, "basic.get-ok", { ...delivery, messageCount: 0 }),
      "COMMAND_INVALID",
    ],
  ])("ends the connection: %s", (_, write, code) => {
    const driver = open();
    const error = closedBy(driver.serve(write));
    expect(error).toMatchObject({ code: "PROTOCOL_ERROR", cause: { code } });
    expect(driver.sentMethods()).toMatchObject([{ name: "connection.close" }]);
  });

  it("leaves other channels out of it until then", () => {
    const driver = open();
    driver.channel();
    const events = driver.serve((server) =>
      method(server)
        .method(2, "basic.deliver", delivery)
        .content(2, body)
        .raw(...header(1), ...frame(9)),
    );
    expect(events.map((event) => "channel" in event && event.channel)).toEqual([2, 1]);
  });
});
