import { SpanStatusCode } from "@opentelemetry/api";
import type { Histogram } from "@opentelemetry/sdk-metrics";
import { describe, expect, it } from "vitest";
import { errorOf, settled } from "../client/testing/fixture.ts";
import { metric, spanNamed, spans, traced, useTelemetry } from "./testing/telemetry.ts";

useTelemetry();

/** Of a metric: operation, count, and sum in milliseconds, for each of its data points. */
async function durations(name: string): Promise<[operation: unknown, count: number, sum: number, error: unknown][]> {
  return (await metric(name)).map(({ attributes, value }) => {
    const { count, sum = 0 } = value as Histogram;
    const { "messaging.operation.name": operation, "error.type": error } = attributes;
    return [operation, count, Math.round(sum * 1000), error];
  });
}

describe("every operation has its duration", () => {
  const operations = "messaging.client.operation.duration";

  it("which is that of its span: a message that was waited for, one that was here, and one that was got", async () => {
    const { io, server, connection } = await traced();
    const consumer = await settled(io, connection.openConsumer({ queue: "q", consumerTag: "c" }));
    const first = consumer.take();
    await io.advance(250);
    server.deliver(1, "c", ["1", "2"]);
    await io.settle();
    (await first)?.ack();
    (await consumer.take())?.reject();
    const channel = await settled(io, connection.openChannel());
    server.on("basic.get", () => {});
    const got = channel.basicGet({ queue: "q" });
    await io.advance(40);
    server.gotMessage(2, "g");
    (await settled(io, got))?.nack({ requeue: false });
    expect(await durations(operations)).toEqual([
      ["receive", 2, 250, undefined],
      ["ack", 1, 0, undefined],
      ["reject", 1, 0, undefined],
      ["get", 1, 40, undefined],
      ["nack", 1, 0, undefined],
    ]);
    const took = spans().map(({ name, duration: [seconds, nanos] }) => [name, Math.round(seconds * 1e3 + nanos / 1e6)]);
    expect(took.filter(([name]) => /receive|get/.test(String(name)))).toEqual([
      ["receive q", 250],
      ["receive q", 0],
      ["get q", 40],
    ]);
    expect((await metric("messaging.client.consumed.messages")).map(({ value }) => value)).toEqual([2, 1]);
    const [point] = await metric(operations);
    expect(point?.attributes).toEqual({
      "messaging.system": "rabbitmq",
      "messaging.system.name": "rabbitmq",
      "messaging.operation.name": "receive",
      "messaging.operation.type": "receive",
      "messaging.destination.name": "q",
      "server.address": "broker",
      "server.port": 5672,
    });
  });

  it("also where no message came; a span there is of what failed", async () => {
    const { io, server, connection } = await traced();
    const consumer = await settled(io, connection.openConsumer({ queue: "q", consumerTag: "c" }));
    const none = consumer.take({ timeout: 100 });
    await io.advance(100);
    expect(await none).toBeUndefined();
    const channel = await settled(io, connection.openChannel());
    server.on("basic.get", (sent) => server.method(sent.channel, "basic.get-empty", {}));
    expect(await settled(io, channel.basicGet({ queue: "q" }))).toBeUndefined();
    expect(spans()).toEqual([]);
    server.on("basic.get", (sent) => server.closeChannel(sent.channel, 404, "NOT_FOUND"));
    const refused = errorOf(channel.basicGet({ queue: "none" }));
    await io.settle();
    expect(await refused).toMatchObject({ replyCode: 404 });
    const span = spanNamed("get none");
    expect(span.status.code).toBe(SpanStatusCode.ERROR);
    expect(span.attributes["error.type"]).toBe("CHANNEL_CLOSED_BY_SERVER");
    expect(await durations(operations)).toEqual([
      ["receive", 1, 100, undefined],
      ["get", 1, 0, undefined],
      ["get", 1, 0, "CHANNEL_CLOSED_BY_SERVER"],
    ]);
    expect(await metric("messaging.client.consumed.messages")).toEqual([]);
  });

  it("also the settling of what a handler got, and without spans", async () => {
    const { io, server, connection } = await traced({ settleSpans: false });
    await settled(
      io,
      connection.openConsumer({ queue: "q", consumerTag: "c" }, () => {}),
    );
    server.deliver(1, "c", ["1", "2"]);
    await io.settle();
    expect(await durations(operations)).toEqual([["ack", 2, 0, undefined]]);
    const processed = await durations("messaging.process.duration");
    expect(processed.map(([operation, count]) => [operation, count])).toEqual([["process", 2]]);
    expect(spans().map(({ name }) => name)).toEqual(["process q", "process q"]);
  });
});
