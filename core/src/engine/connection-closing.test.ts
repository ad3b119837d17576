import { describe, expect, it } from "vitest";
import type { Arguments } from "../wire/method-types.ts";
import { encodeText } from "../wire/text.ts";
import type { ConnectionConfig } from "./config.ts";
import { closedBy, Driver, only, types } from "./testing/driver.ts";

const serverClose: Arguments<"connection.close"> = {
  replyCode: 320,
  replyText: "CONNECTION_FORCED - shutdown",
  classId: 0,
  methodId: 0,
};
const secret = encodeText("hush");

function open(config: Partial<ConnectionConfig> = {}, proposal = {}): Driver {
  return new Driver(config).open(proposal);
}

describe("closing by the client", () => {
  it("says farewell, ends the channels at once, and is over with the answer", () => {
    const driver = open();
    const channel = driver.channel();
    const request = channel.request("basic.qos", { prefetchSize: 0, prefetchCount: 1 });
    driver.sent();
    driver.engine.close({ replyCode: 320, replyText: "going home" });
    expect(driver.engine.state).toBe("closing");
    expect(channel.state).toBe("closed");
    expect(driver.events()).toEqual([
      {
        type: "channel-closed",
        channel: 1,
        error: expect.objectContaining({ code: "CONNECTION_CLOSED" }),
        requests: [request],
      },
    ]);
    expect(driver.sentMethods()).toEqual([
      {
        name: "connection.close",
        fields: { replyCode: 320, replyText: "going home", classId: 0, methodId: 0 },
      },
    ]);
    expect(driver.engine.wantsClose).toBe(false);
    expect(driver.engine.channel(1)).toBeUndefined();
    expect(driver.method(0, "connection.close-ok", {})).toEqual([{ type: "closed", error: undefined, requests: [] }]);
    expect(driver.engine).toMatchObject({ state: "closed", wantsClose: true });
  });

  it("has a friendly default, and is said once", () => {
    const driver = open();
    driver.engine.close();
    driver.engine.close();
    expect(driver.sentMethods().map(({ fields }) => fields)).toEqual([
      { replyCode: 200, replyText: "Normal shutdown", classId: 0, methodId: 0 },
    ]);
    driver.method(0, "connection.close-ok", {});
    driver.engine.close();
    expect(driver.events()).toEqual([]);
    expect(driver.sentNames()).toEqual([]);
  });

  it("refuses a farewell that cannot be sent, and stays open", () => {
    const driver = open();
    expect(() => driver.engine.close({ replyText: "x".repeat(256) })).toThrow("replyText");
    expect(() => driver.engine.close({ replyCode: 65_536 })).toThrow("replyCode");
    expect(driver.engine.state).toBe("open");
    expect(driver.sentNames()).toEqual([]);
  });

  it("discards everything but the closing handshake", () => {
    const driver = open();
    driver.channel();
    driver.engine.updateSecret(secret, "");
    driver.engine.close();
    driver.events();
    driver.sent();
    const events = driver.serve((server) =>
      server
        .method(1, "basic.deliver", { consumerTag: "c", deliveryTag: 1, exchange: "", routingKey: "" })
        .content(1, new Uint8Array(10))
        .method(1, "channel.close", serverClose)
        .method(7, "channel.close", serverClose)
        .method(0, "connection.blocked", { reason: "" })
        .method(0, "connection.update-secret-ok", {})
        .heartbeat(),
    );
    expect(events).toEqual([]);
    expect(driver.sentNames()).toEqual([]);
    expect(driver.engine.state).toBe("closing");
  });

  it("answers a close that crosses ours, and still waits for its own answer", () => {
    const driver = open();
    driver.engine.close();
    driver.sent();
    expect(driver.method(0, "connection.close", serverClose)).toEqual([]);
    expect(driver.sentNames()).toEqual(["connection.close-ok"]);
    expect(only(driver.method(0, "connection.close-ok", {}), "closed").error).toBeUndefined();
  });

  it.each([
    ["the server hangs up", (driver: Driver) => driver.hangUp(new Error("ECONNRESET"))],
    [
      "the server breaks the protocol",
      (driver: Driver) => driver.serve((server) => server.raw(9, 9, 9, 9, 9, 9, 9, 9)),
    ],
  ])("ends well when %s instead of answering", (_, end) => {
    const driver = open();
    driver.engine.close();
    expect(only(end(driver), "closed").error).toBeUndefined();
  });

  it("ends after closeTimeout, though the command did not know what time it was", () => {
    const driver = open({ closeTimeout: 1000 });
    driver.now += 3_600_000;
    driver.engine.close();
    expect(driver.engine.nextDeadline()).toBeLessThanOrEqual(driver.now);
    expect(driver.pass(0)).toEqual([]);
    expect(driver.engine.nextDeadline()).toBe(driver.now + 1000);
    expect(driver.pass(999)).toEqual([]);
    expect(closedBy(driver.pass(1))).toMatchObject({ code: "CLOSE_TIMEOUT" });
  });

  it("has five seconds by default, also while blocked, and while a request waits", () => {
    const driver = open({ blockedTimeout: 1000, requestTimeout: 100 });
    driver.engine.updateSecret(secret, "");
    driver.method(0, "connection.blocked", { reason: "" });
    driver.engine.close();
    driver.pass(0);
    expect(driver.pass(4999)).toEqual([]);
    expect(closedBy(driver.pass(1))?.code).toBe("CLOSE_TIMEOUT");
  });

  it("waits for ever with closeTimeout 0", () => {
    const driver = open({ closeTimeout: 0, requestTimeout: 100 });
    driver.engine.updateSecret(secret, "");
    driver.engine.close();
    driver.pass(0);
    expect(driver.engine.nextDeadline()).toBeUndefined();
    expect(driver.pass(1e9)).toEqual([]);
  });
});

describe("closing by the server", () => {
  it("is answered; channels end first, all with the server's reason", () => {
    const driver = open();
    const channel = driver.channel();
    driver.channel();
    const waiting = [1, 2].map((prefetchCount) => channel.request("basic.qos", { prefetchSize: 0, prefetchCount }));
    driver.sent();
    const events = driver.method(0, "connection.close", { ...serverClose, classId: 60, methodId: 40 });
    const error = expect.objectContaining({
      code: "CONNECTION_CLOSED_BY_SERVER",
      replyCode: 320,
      replyText: "CONNECTION_FORCED - shutdown",
      method: "basic.publish",
      phase: undefined,
    });
    expect(events).toEqual([
      { type: "channel-closed", channel: 1, error, requests: waiting },
      { type: "channel-closed", channel: 2, error, requests: [] },
      { type: "closed", error, requests: [] },
    ]);
    expect(driver.sentNames()).toEqual(["connection.close-ok"]);
    expect(driver.engine.wantsClose).toBe(true);
  });

  it.each([
    [320, true],
    [506, true],
    [541, true],
    [403, false],
    [501, false],
    [530, false],
  ])("with %i: is another connection worth a try? %s", (replyCode, retryable) => {
    const driver = open();
    expect(closedBy(driver.method(0, "connection.close", { ...serverClose, replyCode }))?.retryable).toBe(retryable);
  });
});

describe("losing the transport", () => {
  it("is an error with the cause, after everything that had arrived", () => {
    const driver = open();
    const cause = new Error("ECONNRESET");
    driver.engine.transportClosed(driver.now, cause);
    driver.engine.transportClosed(driver.now, new Error("another"));
    const error = closedBy(driver.events());
    expect(error).toMatchObject({ code: "CONNECTION_LOST", retryable: true, phase: undefined, cause });
    expect(driver.hangUp()).toEqual([]);
  });

  it("comes behind the bytes that were received before, and nothing comes behind it", () => {
    const driver = open();
    driver.engine.receive(blocked("first"), driver.now);
    driver.engine.transportClosed(driver.now);
    driver.engine.receive(blocked("second"), driver.now);
    const events = driver.events();
    expect(types(events)).toEqual(["connection.blocked", "closed"]);
    expect(events[0]).toMatchObject({ reason: "first" });
  });
});

function blocked(reason: string): Uint8Array {
  const text = encodeText(reason);
  return Uint8Array.of(1, 0, 0, 0, 0, 0, 5 + text.length, 0, 10, 0, 60, text.length, ...text, 0xce);
}
