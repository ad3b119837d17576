import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { describe, expect, it } from "vitest";
import { instrument } from "../client/instrumentation/observer.ts";
import { settled } from "../client/testing/fixture.ts";
import { firstDelay, type Recovering, recovering } from "../client/testing/recovering.ts";
import type { OtelOptions } from "./index.ts";
import { spanNamed, spans, telemetryOf, useTelemetry } from "./testing/telemetry.ts";

useTelemetry();

describe("connecting", () => {
  const connectionSpans = (): ReadableSpan[] => spans().filter(({ name }) => /connect|recover/.test(name));

  async function outage(options: OtelOptions): Promise<Recovering> {
    return recovering({ instrumentation: instrument(telemetryOf(options)) });
  }

  it("has no spans unless that is asked for", async () => {
    const { cut, comeBack, events } = await outage({});
    await cut();
    await comeBack();
    expect(events.at(-1)).toBe("recovered");
    expect(spans()).toEqual([]);
  });

  it("has a span for each attempt, and an outage has one around them", async () => {
    const { io, cut, comeBack, connection, events } = await outage({ connectionSpans: true });
    const { accept } = io;
    await cut();
    io.accept = (stream) => stream.end();
    await io.advance(firstDelay);
    io.accept = accept;
    for (let tries = 0; tries < 20 && events.at(-1) !== "recovered"; tries += 1) await comeBack();
    await settled(io, connection.close());
    const [first, failed, again, recover] = connectionSpans() as ReadableSpan[];
    expect(connectionSpans().map(({ name }) => name)).toEqual([
      "connect broker:5672",
      "connect broker:5672",
      "connect broker:5672",
      "recover",
    ]);
    expect(first?.kind).toBe(SpanKind.CLIENT);
    expect(first?.parentSpanContext).toBeUndefined();
    expect(first?.attributes).toEqual({
      "messaging.system": "rabbitmq",
      "messaging.system.name": "rabbitmq",
      "server.address": "broker",
      "server.port": 5672,
    });
    expect(failed?.status.code).toBe(SpanStatusCode.ERROR);
    expect(failed?.attributes["error.type"]).toBe("CONNECTION_LOST");
    for (const attempt of [failed, again]) {
      expect(attempt?.parentSpanContext?.spanId).toBe(recover?.spanContext().spanId);
    }
    expect(recover?.status.code).toBe(SpanStatusCode.UNSET);
    expect(recover?.events.map(({ name }) => name)).toEqual(["disconnected", "reconnecting", "reconnecting"]);
    expect(recover?.events[0]?.attributes).toEqual({ "error.type": "CONNECTION_LOST" });
  });

  it("that is lost again before everything is back is one outage still", async () => {
    const telemetry = telemetryOf({ connectionSpans: true });
    const { io, cut, comeBack, connection, events } = await recovering(
      { instrumentation: instrument(telemetry) },
      (server, number) => {
        if (number === 1) server.on("channel.open");
      },
    );
    await settled(io, connection.openChannel());
    await cut();
    await comeBack();
    expect(connection.state).toBe("recovering");
    await cut();
    for (let tries = 0; tries < 20 && events.at(-1) !== "recovered"; tries += 1) await comeBack();
    await settled(io, connection.close());
    expect(connectionSpans().map(({ name }) => name.split(" ")[0])).toEqual([
      "connect",
      "connect",
      "connect",
      "recover",
    ]);
    const names = spanNamed("recover").events.map(({ name }) => name);
    expect(names).toEqual(["disconnected", "reconnecting", "disconnected", "reconnecting"]);
  });

  it("that never succeeds again ends the outage with its error", async () => {
    const telemetry = telemetryOf({ connectionSpans: true });
    const recovery = { backoff: { maxAttempts: 1 } };
    const { io, cut, connection } = await recovering({ instrumentation: instrument(telemetry), recovery });
    await cut();
    io.accept = (stream) => stream.end();
    await io.advance(firstDelay);
    expect(connection.state).toBe("closed");
    const recover = spanNamed("recover");
    expect(recover.status.code).toBe(SpanStatusCode.ERROR);
    expect(recover.attributes["error.type"]).toBeDefined();
  });
});
