import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { encodeText } from "../wire/text.ts";
import type { ConnectionConfig } from "./config.ts";
import { closedBy, Driver, only } from "./testing/driver.ts";

const secret = encodeText("hush");

function open(config: Partial<ConnectionConfig> = {}, proposal = {}): Driver {
  return new Driver(config).open(proposal);
}

describe("connection.blocked", () => {
  it("is an event with its reason, and ends with unblocked", () => {
    const driver = open();
    expect(driver.engine.blocked).toBeUndefined();
    expect(driver.method(0, "connection.blocked", { reason: "low on memory" })).toEqual([
      { type: "connection.blocked", reason: "low on memory" },
    ]);
    expect(driver.engine.blocked).toBe("low on memory");
    expect(driver.method(0, "connection.blocked", { reason: "low on memory & disk" })).toEqual([
      { type: "connection.blocked", reason: "low on memory & disk" },
    ]);
    expect(driver.engine.blocked).toBe("low on memory & disk");
    expect(driver.method(0, "connection.unblocked", {})).toEqual([{ type: "connection.unblocked" }]);
    expect(driver.engine.blocked).toBeUndefined();
    expect(driver.sentNames()).toEqual([]);
    driver.method(0, "connection.blocked", { reason: "low on disk" });
    driver.hangUp();
    expect(driver.engine.blocked).toBeUndefined();
  });

  it("has no deadline unless told", () => {
    const driver = open();
    driver.method(0, "connection.blocked", { reason: "r" });
    driver.pass(0);
    expect(driver.engine.nextDeadline()).toBeUndefined();
  });

  it("may last blockedTimeout from the first reason on", () => {
    const driver = open({ blockedTimeout: 1000 });
    driver.method(0, "connection.blocked", { reason: "r" });
    driver.pass(0);
    driver.pass(600);
    driver.method(0, "connection.blocked", { reason: "s" });
    expect(driver.pass(399)).toEqual([]);
    const error = closedBy(driver.pass(1));
    expect(error).toMatchObject({ code: "BLOCKED_TIMEOUT", message: expect.stringContaining("s"), retryable: true });
  });

  it("has its whole time again at the next block", () => {
    const driver = open({ blockedTimeout: 1000 });
    driver.method(0, "connection.blocked", { reason: "r" });
    driver.pass(900);
    driver.method(0, "connection.unblocked", {});
    driver.pass(5000);
    driver.method(0, "connection.blocked", { reason: "r" });
    driver.pass(0);
    expect(driver.pass(999)).toEqual([]);
    expect(closedBy(driver.pass(1))?.code).toBe("BLOCKED_TIMEOUT");
  });

  it("stops the clocks of requests, and gives them their whole time again", () => {
    const driver = open({ requestTimeout: 1000 });
    const channel = driver.channel();
    channel.request("basic.qos", { prefetchSize: 0, prefetchCount: 1 });
    driver.pass(0);
    driver.pass(900);
    driver.method(0, "connection.blocked", { reason: "r" });
    expect(driver.pass(60_000)).toEqual([]);
    expect(driver.engine.nextDeadline()).toBeUndefined();
    driver.method(0, "connection.unblocked", {});
    expect(driver.pass(999)).toEqual([]);
    expect(only(driver.pass(1), "channel-closed").error?.code).toBe("REQUEST_TIMEOUT");
  });
});

describe("connection.update-secret", () => {
  it("may be asked several times; each is answered in order", () => {
    const driver = open();
    const requests = [1, 2, 3].map((number) => driver.engine.updateSecret(Uint8Array.of(number), `reason ${number}`));
    expect(driver.sentMethods()).toEqual([
      { name: "connection.update-secret", fields: { newSecret: Uint8Array.of(1), reason: "reason 1" } },
    ]);
    for (const request of requests) {
      expect(driver.method(0, "connection.update-secret-ok", {})).toEqual([
        { type: "reply", channel: 0, request, reply: { name: "connection.update-secret-ok", fields: {} } },
      ]);
    }
    expect(driver.sentMethods().map(({ fields }) => fields)).toEqual([
      { newSecret: Uint8Array.of(2), reason: "reason 2" },
      { newSecret: Uint8Array.of(3), reason: "reason 3" },
    ]);
  });

  it("is the server's mistake when nobody asked", () => {
    const driver = open();
    expect(closedBy(driver.method(0, "connection.update-secret-ok", {}))?.cause).toMatchObject({
      code: "COMMAND_INVALID",
    });
  });

  it("ends with the connection, and says whether it was sent; the secret is nowhere", () => {
    const driver = open();
    const requests = [driver.engine.updateSecret(secret, "a"), driver.engine.updateSecret(secret, "b")];
    const [event] = driver.hangUp();
    expect(event).toMatchObject({ type: "closed", requests });
    expect(requests.map(({ sent }) => sent)).toEqual([true, false]);
    expect(inspect(event, { depth: 9, showHidden: true })).not.toContain("104, 117, 115, 104");
  });

  it("ends the connection when it is not answered in time", () => {
    const driver = open({ requestTimeout: 1000 });
    const request = driver.engine.updateSecret(secret, "");
    driver.pass(0);
    const events = driver.pass(1000);
    expect(only(events, "closed")).toMatchObject({ error: { code: "REQUEST_TIMEOUT" }, requests: [request] });
  });

  it("refuses what cannot be sent, and more than may wait", () => {
    const driver = open({ limits: { maxWaitingRequests: 2 } });
    expect(() => driver.engine.updateSecret("hush" as never, "")).toThrow("newSecret is not a Uint8Array");
    expect(() => driver.engine.updateSecret(secret, "r".repeat(256))).toThrow("reason");
    for (let i = 0; i < 3; i += 1) driver.engine.updateSecret(secret, "");
    expect(() => driver.engine.updateSecret(secret, "")).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
  });
});

describe("channel 0", () => {
  it.each([
    ["a content header", [2, 0, 0, 0, 0, 0, 14, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xce], "UNEXPECTED_FRAME"],
    ["a body", [3, 0, 0, 0, 0, 0, 1, 0, 0xce], "UNEXPECTED_FRAME"],
    ["a channel's method", [1, 0, 0, 0, 0, 0, 4, 0, 20, 0, 41, 0xce], "COMMAND_INVALID"],
    ["a client's method", [1, 0, 0, 0, 0, 0, 5, 0, 10, 0, 40, 0, 0xce], "FRAME_ERROR"],
    ["an unknown method", [1, 0, 0, 0, 0, 0, 4, 0, 99, 0, 99, 0xce], "COMMAND_INVALID"],
    ["a method that is too short", [1, 0, 0, 0, 0, 0, 2, 0, 10, 0xce], "FRAME_ERROR"],
    ["a wrong frame end", [1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 61, 0xcd], "FRAME_ERROR"],
    ["an unknown type of frame", [7, 0, 0, 0, 0, 0, 0, 0xce], "FRAME_ERROR"],
    ["a heartbeat on a channel", [8, 0, 1, 0, 0, 0, 0, 0xce], "UNEXPECTED_FRAME"],
    ["a heartbeat with a payload", [8, 0, 0, 0, 0, 0, 1, 0, 0xce], "FRAME_ERROR"],
    ["a frame that is too large", [1, 0, 0, 0, 2, 0, 0, 0], "FRAME_ERROR"],
    ["close-ok that nobody asked for", [1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, 0xce], "COMMAND_INVALID"],
  ] as const)("takes no %s: the farewell says why", (_, bytes, code) => {
    const driver = open();
    const error = closedBy(driver.receive(Uint8Array.from(bytes)));
    expect(error).toMatchObject({ code: "PROTOCOL_ERROR", phase: undefined, retryable: false, cause: { code } });
    const [farewell] = driver.sentMethods();
    expect(farewell).toMatchObject({
      name: "connection.close",
      fields: { replyText: expect.stringMatching(new RegExp(`^${code} - `)), classId: 0, methodId: 0 },
    });
  });
});
