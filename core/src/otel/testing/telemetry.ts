/** What tests of telemetry begin with: the real SDK, whose exporters keep what they get. */

import { context, propagation } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, beforeEach } from "vitest";
import { instrument } from "../../client/instrumentation/observer.ts";
import { connected, type Fixture } from "../../client/testing/fixture.ts";
import { otel, type OtelHooks, type OtelOptions } from "../index.ts";

let spanExporter: InMemorySpanExporter;
let metricExporter: InMemoryMetricExporter;
let reader: PeriodicExportingMetricReader;
export let tracerProvider: TracerProvider;
let meterProvider: MeterProvider;

/** Starts the SDK anew for each test of the file. */
export function useTelemetry(): void {
  beforeEach(() => {
    spanExporter = new InMemorySpanExporter();
    metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    reader = new PeriodicExportingMetricReader({
      exporter: metricExporter,
      exportIntervalMillis: 1e9,
      exportTimeoutMillis: 1e8,
    });
    tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spanExporter })] });
    meterProvider = new MeterProvider({ readers: [reader] });
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(
      new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
    );
  });

  afterEach(async () => {
    context.disable();
    propagation.disable();
    await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()]);
  });
}

/** Hooks that tell the SDK of the present test. */
export function telemetryOf(options: OtelOptions = {}): OtelHooks {
  return otel({ tracerProvider, meterProvider, ...options });
}

/** A connection that is traced. */
export async function traced(options: OtelOptions = {}): Promise<Fixture & { readonly telemetry: OtelHooks }> {
  const telemetry = telemetryOf(options);
  return { ...(await connected({ instrumentation: instrument(telemetry) })), telemetry };
}

/** Spans that have ended. */
export const spans = (): ReadableSpan[] => spanExporter.getFinishedSpans();
export const spanNamed = (name: string): ReadableSpan => {
  const found = spans().find((span) => span.name === name);
  if (found === undefined)
    throw new Error(
      `no span ${name} in ${spans()
        .map((span) => span.name)
        .join(", ")}`,
    );
  return found;
};

/** The data points of a metric. */
export async function metric(name: string): Promise<DataPoint<number | Histogram>[]> {
  await reader.forceFlush();
  const scopes = metricExporter.getMetrics().at(-1)?.scopeMetrics ?? [];
  const found = scopes.flatMap(({ metrics }) => metrics).find(({ descriptor }) => descriptor.name === name);
  return (found?.dataPoints ?? []) as DataPoint<number | Histogram>[];
}
