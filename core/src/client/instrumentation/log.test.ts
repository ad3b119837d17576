import { describe, expect, it } from "vitest";
import { logTo, type LogLevel } from "./log.ts";
import { instrument } from "./observer.ts";
import { bytes, connected, errorOf, settled } from "../testing/fixture.ts";
import { recovering } from "../testing/recovering.ts";

/** A logger that keeps what it is told, as `level message fields`. */
function logger(): { readonly lines: string[] } & Record<LogLevel, (fields: object, message: string) => void> {
  const lines: string[] = [];
  const at = (level: LogLevel) => (fields: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

describe("a log", () => {
  it("has the life of a connection, and what failed", async () => {
    const log = logger();
    const { io, connection, cut, comeBack } = await recovering({
      connectionName: "mine",
      instrumentation: instrument(logTo(log)),
    });
    await cut();
    await comeBack();
    connection.on("closed", () => {
      throw new Error("a listener's");
    });
    await settled(io, connection.close());
    expect(log.lines.map((line) => line.replace(/"message":"[^"]*"/, '"message":""'))).toEqual([
      'info connected {"connection":"mine","epoch":1}',
      'warn disconnected {"connection":"mine","willRecover":true,"error":{"kind":"connection","name":"ConnectionError","code":"CONNECTION_LOST","message":"","retryable":true}}',
      'info reconnecting {"connection":"mine","attempt":1,"delay":750}',
      'info connected {"connection":"mine","epoch":2}',
      expect.stringMatching(/^info recovered {"connection":"mine","epoch":2,"took":\d+,"failures":0}$/),
      'info closed {"connection":"mine"}',
      'error a callback failed {"connection":"mine","error":{"kind":"other","name":"Error","message":"","retryable":false}}',
    ]);
  });

  it("at the level debug has every message, and nothing of its body, its headers or the credentials", async () => {
    const log = logger();
    const { io, server, connection } = await connected({
      credentials: { username: "u", password: "hush" },
      instrumentation: instrument(logTo(log, { level: "debug" })),
    });
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q" }));
    const properties = { headers: { secret: "hush" } };
    const refused = errorOf(publisher.publish(bytes("hush"), { properties }));
    await io.settle();
    server.method(1, "basic.nack", { deliveryTag: 1, requeue: false });
    await io.settle();
    expect(await refused).toMatchObject({ code: "NACKED" });
    await settled(
      io,
      connection.openConsumer({ queue: "q", consumerTag: "c" }, () => {}),
    );
    server.deliver(2, "c", ["hush"], properties);
    await io.settle();
    await settled(io, connection.close());
    expect(log.lines.filter((line) => line.includes("hush"))).toEqual([]);
    expect(log.lines.map((line) => line.split(" {")[0])).toEqual([
      "debug connecting",
      "info connected",
      "debug channel open",
      "debug publish",
      "warn not published",
      "debug channel open",
      "debug delivered",
      "debug ack",
      "debug open to closing",
      "debug channel closed",
      "debug channel closed",
      "info closed",
      "debug closing to closed",
    ]);
    expect(log.lines[4]).toContain('"size":4');
    expect(log.lines[4]).toContain('"code":"NACKED"');
  });

  it("can be kept to what is wrong, and goes to the console as it is", async () => {
    const log = logger();
    const { io, server, connection } = await connected({
      instrumentation: instrument(logTo(log, { level: "warn" }), logTo(console, { level: "error" })),
    });
    server.method(0, "connection.blocked", { reason: "low on memory" });
    server.method(0, "connection.unblocked", {});
    await io.settle();
    await settled(io, connection.close());
    expect(log.lines).toEqual(['warn blocked by the server {"reason":"low on memory"}']);
  });

  it("needs a logger, and a level that there is", () => {
    expect(() => logTo({ info: () => {} } as never)).toThrow("A logger has a function debug");
    expect(() => logTo(undefined as never)).toThrow("A logger has a function debug");
    expect(() => logTo(console, { level: "trace" as never })).toThrow("level is one of debug, info, warn, error");
  });
});
