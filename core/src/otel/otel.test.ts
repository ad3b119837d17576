import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { DataPoint, Histogram } from "@opentelemetry/sdk-metrics";
import * as conventions from "@opentelemetry/semantic-conventions/incubating";
import { describe, expect, it } from "vitest";
import type { BasicProperties } from "../client/index.ts";
import { bytes, errorOf, settled } from "../client/testing/fixture.ts";
import {
  attribute,
  consumedFrom,
  deliveryTagAttributes,
  errorType,
  publishedTo,
  routingKeyAttributes,
  serverAttributes,
  system,
} from "./conventions.ts";
import { metric, spanNamed, spans, traced, tracerProvider, useTelemetry } from "./testing/telemetry.ts";

useTelemetry();

/** A message as somebody published it within a span. */
function publishedElsewhere(more: BasicProperties = {}): {
  readonly properties: BasicProperties;
  readonly traceId: string;
  readonly spanId: string;
} {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const spanId = "b7ad6b7169203331";
  const headers = { traceparent: `00-${traceId}-${spanId}-01`, baggage: "tenant=hares" };
  return { traceId, spanId, properties: { ...more, headers } };
}

describe("publishing", () => {
  it("is a span from the call to the confirm, whose context goes with the message", async () => {
    const { io, server, connection } = await traced({ bodySize: true });
    const publisher = await settled(io, connection.openPublisher({ exchange: "logs", routingKey: "warning" }));
    const parent = tracerProvider.getTracer("test").startSpan("parent");
    const published = context.with(trace.setSpan(ROOT_CONTEXT, parent), () =>
      publisher.publish(bytes("12345"), {
        properties: { messageId: "m", correlationId: "c", headers: { mine: true } },
      }),
    );
    await io.settle();
    expect(spans()).toEqual([]);
    const headers = server.sentOf("basic.publish")[0]?.properties?.headers;
    server.confirm(1, 1);
    await settled(io, published);
    const span = spanNamed("publish logs:warning");
    expect(span.kind).toBe(SpanKind.PRODUCER);
    expect(span.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
    expect(span.status.code).toBe(SpanStatusCode.UNSET);
    expect(span.attributes).toEqual({
      "messaging.system": "rabbitmq",
      "messaging.system.name": "rabbitmq",
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
      "messaging.destination.name": "logs:warning",
      "messaging.rabbitmq.destination.routing_key": "warning",
      "rabbitmq.destination.routing_key": "warning",
      "messaging.message.id": "m",
      "messaging.message.conversation_id": "c",
      "messaging.message.body.size": 5,
      "server.address": "broker",
      "server.port": 5672,
    });
    const { traceId, spanId } = span.spanContext();
    expect(headers).toEqual({ mine: true, traceparent: `00-${traceId}-${spanId}-01` });
  });

  it("that fails says why, and is counted", async () => {
    const { io, server, connection } = await traced();
    const publisher = await settled(io, connection.openPublisher({ exchange: "e" }));
    const refused = errorOf(publisher.publish(bytes("1")));
    const well = publisher.publish(bytes("2"));
    await io.settle();
    server.method(1, "basic.nack", { deliveryTag: 1, requeue: false });
    server.confirm(1, 2);
    await settled(io, well);
    expect(await refused).toMatchObject({ code: "NACKED" });
    await errorOf(publisher.publish(bytes("3"), { routingKey: "x".repeat(256) }));
    const failed = spans().filter(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(failed.map(({ attributes }) => attributes["error.type"])).toEqual(["NACKED", "INVALID_ARGUMENT"]);
    const common = {
      "messaging.system": "rabbitmq",
      "messaging.system.name": "rabbitmq",
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
      "messaging.destination.name": "e",
      "server.address": "broker",
      "server.port": 5672,
    };
    const sent = await metric("messaging.client.sent.messages");
    expect(sent.map(({ attributes, value }) => [attributes, value])).toEqual(
      expect.arrayContaining([
        [common, 1],
        [{ ...common, "error.type": "NACKED" }, 1],
      ]),
    );
    expect(sent).toHaveLength(2);
    const durations = await metric("messaging.client.operation.duration");
    expect(durations.map(({ value }) => (value as Histogram).count)).toEqual([1, 1, 1]);
    expect((durations[0] as DataPoint<Histogram>).value.buckets.boundaries[0]).toBe(0.005);
  });

  it("of a message that has a context leaves it alone, and links to it", async () => {
    const { io, server, connection } = await traced();
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q", confirm: false }));
    const { properties, spanId } = publishedElsewhere();
    publisher.send(bytes("1"), { properties });
    await io.settle();
    expect(server.sentOf("basic.publish")[0]?.properties?.headers).toEqual(properties.headers);
    expect(spanNamed("publish q").links.map((link) => link.context.spanId)).toEqual([spanId]);
  });
});

describe("consuming", () => {
  it("with a handler is a span around it, in the publisher's trace, and its context reaches the handler", async () => {
    const { io, server, connection } = await traced();
    const { properties, traceId, spanId } = publishedElsewhere({ messageId: "m" });
    const seen: unknown[] = [];
    const opening = connection.openConsumer({ queue: "work", consumerTag: "c" }, async () => {
      await Promise.resolve();
      seen.push(trace.getActiveSpan()?.spanContext().traceId);
      seen.push(propagation.getActiveBaggage()?.getEntry("tenant")?.value);
      tracerProvider.getTracer("test").startSpan("inside", {}, context.active()).end();
    });
    await settled(io, opening);
    server.deliver(1, "c", ["1"], properties);
    await io.settle();
    await io.settle();
    const span = spanNamed("process q:work");
    expect(seen).toEqual([traceId, "hares"]);
    expect(span.kind).toBe(SpanKind.CONSUMER);
    expect(span.parentSpanContext?.spanId).toBe(spanId);
    expect(span.links.map((link) => link.context.spanId)).toEqual([spanId]);
    expect(span.attributes).toEqual({
      "messaging.system": "rabbitmq",
      "messaging.system.name": "rabbitmq",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.destination.name": "q:work",
      "messaging.rabbitmq.destination.routing_key": "q",
      "rabbitmq.destination.routing_key": "q",
      "messaging.rabbitmq.message.delivery_tag": 1,
      "rabbitmq.message.delivery_tag": 1,
      "messaging.message.id": "m",
      "server.address": "broker",
      "server.port": 5672,
    });
    expect(spanNamed("inside").parentSpanContext?.spanId).toBe(span.spanContext().spanId);
    const ack = spanNamed("ack q:work");
    expect(ack.kind).toBe(SpanKind.CLIENT);
    expect(ack.attributes["messaging.operation.type"]).toBe("settle");
    expect(ack.parentSpanContext?.spanId).toBe(span.spanContext().spanId);
    expect((await metric("messaging.client.consumed.messages")).map(({ value }) => value)).toEqual([1]);
    expect((await metric("messaging.process.duration")).map(({ value }) => (value as Histogram).count)).toEqual([1]);
  });

  it("that fails says why", async () => {
    const { io, server, connection } = await traced({ settleSpans: false });
    const opening = connection.openConsumer({ queue: "q", consumerTag: "c", requeue: false }, ({ body }) => {
      if (body[0] === 49) throw new RangeError("too much");
      return Promise.reject(new TypeError("wrong"));
    });
    await settled(io, opening);
    server.deliver(1, "c", ["1", "2"]);
    await io.settle();
    await io.settle();
    expect(spans().map(({ name, attributes, status }) => [name, attributes["error.type"], status.message])).toEqual([
      ["process q", "RangeError", "too much"],
      ["process q", "TypeError", "wrong"],
    ]);
    const durations = await metric("messaging.process.duration");
    expect(durations.map(({ attributes }) => attributes["error.type"])).toEqual(["RangeError", "TypeError"]);
  });

  it("can be linked to the publisher's trace, and not be part of it", async () => {
    const { io, server, connection } = await traced({ consumerSpans: "link" });
    const { properties, traceId, spanId } = publishedElsewhere();
    let tenant: string | undefined;
    const opening = connection.openConsumer({ queue: "q", consumerTag: "c" }, () => {
      tenant = propagation.getActiveBaggage()?.getEntry("tenant")?.value;
    });
    await settled(io, opening);
    server.deliver(1, "c", ["1"], properties);
    await io.settle();
    const span = spanNamed("process q");
    expect(span.spanContext().traceId).not.toBe(traceId);
    expect(span.links.map((link) => link.context.spanId)).toEqual([spanId]);
    expect(tenant).toBe("hares");
  });

  it("by iterating and getting is a span of receiving, and of processing where that is said", async () => {
    const { io, server, connection, telemetry } = await traced();
    const consumer = await settled(io, connection.openConsumer({ queue: "q", consumerTag: "c" }));
    const { properties, spanId } = publishedElsewhere();
    server.deliver(1, "c", ["1"], properties);
    await io.settle();
    const delivery = await consumer.take();
    if (delivery === undefined) throw new Error("nothing came");
    expect(spanNamed("receive q").kind).toBe(SpanKind.CONSUMER);
    expect(spanNamed("receive q").parentSpanContext?.spanId).toBe(spanId);
    const result = telemetry.process(delivery, () => {
      expect(trace.getActiveSpan()).toBeDefined();
      delivery.ack();
      return 7;
    });
    expect(result).toBe(7);
    const process = spanNamed("process q").spanContext().spanId;
    expect(spanNamed("ack q").parentSpanContext?.spanId).toBe(process);
    expect((await metric("messaging.client.consumed.messages")).map(({ value }) => value)).toEqual([1]);

    const channel = await settled(io, connection.openChannel());
    server.on("basic.get", (sent) => server.gotMessage(sent.channel, "g"));
    const got = await settled(io, channel.basicGet({ queue: "q", noAck: true }));
    expect(spanNamed("get q").attributes["messaging.operation.type"]).toBe("receive");
    expect(() =>
      telemetry.process(got as NonNullable<typeof got>, () => {
        throw new Error("no");
      }),
    ).toThrow("no");
  });
});

describe("the conventions", () => {
  it("are those of the project", () => {
    const known = new Set<unknown>(Object.values(conventions));
    const used = [
      ...Object.values(attribute),
      ...Object.keys({ ...system, ...routingKeyAttributes("r"), ...deliveryTagAttributes(1) }),
    ];
    // The one that has no constant yet is an attribute of the registry all the same.
    expect(used.filter((name) => !known.has(name))).toEqual([]);
    for (const name of [
      "client.sent.messages",
      "client.consumed.messages",
      "client.operation.duration",
      "process.duration",
    ])
      expect(known).toContain(`messaging.${name}`);
  });

  it.each([
    [publishedTo("e", "r"), "e:r", false, "e"],
    [publishedTo("", "q"), "q", false, "q"],
    [publishedTo("e", ""), "e", false, "e"],
    [publishedTo("", ""), "amq.default", false, ""],
    [publishedTo("", "amq.rabbitmq.reply-to.g1h2"), "amq.rabbitmq.reply-to.g1h2", true, undefined],
    [consumedFrom("e", "r", "q"), "e:r:q", false, "q"],
    [consumedFrom("", "q", "q"), "q", false, "q"],
    [consumedFrom("e", "r", "amq.gen-x"), "e:r:amq.gen-x", true, undefined],
  ])("name destinations: %j", (destination, name, anonymous, coarse) => {
    expect(destination).toEqual({ name, anonymous, coarse });
  });

  it.each([
    [{ transport: "unix", path: "/tmp/s" } as const, { "server.address": "/tmp/s" }],
    [
      { transport: "websocket", url: "wss://u:p@relay/x?token=t" } as const,
      { "server.address": "relay", "server.port": 443 },
    ],
    [{ transport: "websocket", url: "ws://[::1]:81/" } as const, { "server.address": "[::1]", "server.port": 81 }],
    [undefined, {}],
  ])("name servers: %j", (endpoint, attributes) => {
    expect(serverAttributes({ endpoint })).toEqual(attributes);
  });

  it("name errors that are none", () => {
    expect(errorType("text")).toBe("_OTHER");
  });
});
