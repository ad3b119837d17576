/**
 * Spans, metrics and context propagation for OpenTelemetry, after its messaging conventions. It needs
 * `@opentelemetry/api`, which is an optional peer dependency of this package.
 *
 * @packageDocumentation
 */

import {
  type Attributes,
  type Context,
  context as contexts,
  type Link,
  metrics,
  type MeterProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type TextMapPropagator,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import {
  AmqpError,
  type ConnectAttempt,
  type Delivery,
  type Hooks,
  type Missed,
  type ObservedConnection,
  type ObservedEvent,
  type OutgoingMessage,
  type Reception,
} from "../client/index.ts";
import { ConnectionSpans } from "./connection-spans.ts";
import {
  attribute,
  consumedFrom,
  deliveryTagAttributes,
  type Destination,
  fail,
  publishedTo,
  routingKeyAttributes,
  serverAttributes,
  system,
} from "./conventions.ts";
import { Meters } from "./meters.ts";
import { getter, hasContext, setter } from "./propagation.ts";

/** Options of {@link otel}. */
export interface OtelOptions {
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Default: the global one, which has to be set before `otel` is called. */
  readonly meterProvider?: MeterProvider | undefined;
  /** How contexts are written into headers. Default: the global one. */
  readonly propagator?: TextMapPropagator | undefined;
  /**
   * How the span of a consumer belongs to that of the publisher: `"child"`, the default, makes one trace of both;
   * `"link"` leaves it in the trace it is in, or begins a new one. A link there is in any case.
   */
  readonly consumerSpans?: "child" | "link" | undefined;
  /** Spans for acknowledging and refusing messages. Default true. Metrics there are in any case. */
  readonly settleSpans?: boolean | undefined;
  /**
   * Spans for attempts to connect (`connect`), and for outages until everything is back (`recover`). Default false: the
   * conventions have none.
   */
  readonly connectionSpans?: boolean | undefined;
  /** The size of the body as an attribute, which the conventions leave to choice. Default false. */
  readonly bodySize?: boolean | undefined;
}

/** What {@link otel} makes: hooks for `instrument`, and help for messages that are not given to a handler. */
export interface OtelHooks extends Hooks {
  /**
   * Runs a function within a span that processes a delivery, for messages that are iterated over, taken or got. The
   * span ends when the function does, or its promise.
   */
  process<T>(delivery: Delivery, run: () => T): T;
}

/**
 * Instruments connections for OpenTelemetry: `connect({ instrumentation: instrument(otel()) })`.
 *
 * Spans: `publish` (PRODUCER, until the confirm), `process` around handlers (CONSUMER), `receive` and `get` for
 * messages that are asked for (CONSUMER), `ack`, `nack` and `reject` (CLIENT). The context is sent in the headers of a
 * message, unless there is one in them already. Metrics: `messaging.client.sent.messages`,
 * `messaging.client.consumed.messages`, `messaging.client.operation.duration` of everything but processing, which has
 * `messaging.process.duration`.
 */
export function otel(options: OtelOptions = {}): OtelHooks {
  return new Telemetry(options);
}

declare const performance: { now(): number };

/** The kinds of work with a message. */
const operations = {
  publish: { type: "send", kind: SpanKind.PRODUCER },
  process: { type: "process", kind: SpanKind.CONSUMER },
  receive: { type: "receive", kind: SpanKind.CONSUMER },
  get: { type: "receive", kind: SpanKind.CONSUMER },
  ack: { type: "settle", kind: SpanKind.CLIENT },
  nack: { type: "settle", kind: SpanKind.CLIENT },
  reject: { type: "settle", kind: SpanKind.CLIENT },
} as const;

type Operation = keyof typeof operations;

/** What is remembered of a delivery, for as long as somebody has it. */
interface Seen {
  readonly reception: Reception;
  /** That of its process or receive span: settling it belongs there. */
  context: Context;
}

/** A span that was begun, and what its metrics say of it. */
interface Begun {
  readonly span: Span;
  readonly metricAttributes: Attributes;
  readonly at: number;
  /** Of a span that is told of when it is over: when it ended. */
  readonly endTime: number | undefined;
}

class Telemetry implements OtelHooks {
  readonly #options: OtelOptions;
  readonly #tracer;
  readonly #meters: Meters;
  readonly #propagator: Pick<TextMapPropagator, "inject" | "extract" | "fields">;
  readonly #seen = new WeakMap<Delivery, Seen>();
  readonly #connections: ConnectionSpans | undefined;

  constructor(options: OtelOptions) {
    this.#options = options;
    this.#tracer = (options.tracerProvider ?? trace).getTracer("@leveret/core");
    this.#meters = new Meters((options.meterProvider ?? metrics).getMeter("@leveret/core"));
    this.#connections = options.connectionSpans === true ? new ConnectionSpans(this.#tracer) : undefined;
    this.#propagator = options.propagator ?? {
      inject: (context, carrier, by) => propagation.inject(context, carrier, by),
      extract: (context, carrier, by) => propagation.extract(context, carrier, by),
      fields: () => propagation.fields(),
    };
  }

  publish(message: OutgoingMessage): (error: unknown) => void {
    const { exchange, routingKey, headers, body, properties, connection } = message;
    const parent = contexts.active();
    const hasOwn = hasContext(this.#propagator, headers);
    const links = hasOwn ? linksTo(this.#propagator.extract(ROOT_CONTEXT, headers, getter)) : [];
    const begun = this.#begin("publish", publishedTo(exchange, routingKey), parent, links, {
      ...serverAttributes(connection),
      ...routingKeyAttributes(routingKey),
      ...this.#messageAttributes(properties.messageId, properties.correlationId, body),
    });
    if (!hasOwn) this.#propagator.inject(trace.setSpan(parent, begun.span), headers, setter);
    return (error) => {
      const attributes = end(begun, error);
      const attempted = !(error instanceof AmqpError) || error.outcome !== "not-sent";
      this.#meters.published(secondsSince(begun.at), attributes, attempted);
    };
  }

  deliver(delivery: Delivery, reception: Reception, run: () => unknown): void {
    const seen: Seen = { reception, context: ROOT_CONTEXT };
    this.#seen.set(delivery, seen);
    this.#process(delivery, seen, run, true);
  }

  receive(delivery: Delivery, reception: Reception, waited: number): void {
    const { parent, links } = this.#origin(delivery);
    const begun = this.#begin(asking(reception), ...this.#received(delivery, reception, parent, links), waited);
    this.#seen.set(delivery, { reception, context: trace.setSpan(parent, begun.span) });
    const attributes = end(begun, undefined);
    this.#meters.consumed(attributes);
    this.#meters.operated(waited / 1000, attributes);
  }

  missed(missed: Missed): void {
    const { queue, connection, waited, error } = missed;
    const operation = asking(missed);
    const destination = consumedFrom("", "", queue);
    const server = serverAttributes(connection);
    // Looking for a message where there is none is no event of a trace.
    const attributes =
      error === undefined
        ? metricAttributes(operation, destination, server)
        : end(this.#begin(operation, destination, contexts.active(), [], server, waited), error);
    this.#meters.operated(waited / 1000, attributes);
  }

  settle({ delivery, action, connection }: Parameters<NonNullable<Hooks["settle"]>>[0]): void {
    const seen = this.#seen.get(delivery);
    if (seen === undefined) return;
    const { exchange, routingKey, deliveryTag } = delivery;
    const destination = consumedFrom(exchange, routingKey, seen.reception.queue);
    const server = serverAttributes(connection);
    if (this.#options.settleSpans !== false) {
      const attributes = { ...server, ...deliveryTagAttributes(deliveryTag) };
      end(this.#begin(action, destination, seen.context, [], attributes), undefined);
    }
    this.#meters.operated(0, metricAttributes(action, destination, server));
  }

  connect(attempt: ConnectAttempt): ((error: unknown) => void) | undefined {
    return this.#connections?.connect(attempt);
  }

  connection(event: ObservedEvent, connection: ObservedConnection): void {
    this.#connections?.event(event, connection);
  }

  process<T>(delivery: Delivery, run: () => T): T {
    const seen = this.#seen.get(delivery);
    return seen === undefined ? run() : this.#process(delivery, seen, run, false);
  }

  #process<T>(delivery: Delivery, seen: Seen, run: () => T, isFirst: boolean): T {
    const { parent, links } = this.#origin(delivery);
    const begun = this.#begin("process", ...this.#received(delivery, seen.reception, parent, links));
    if (isFirst) this.#meters.consumed(begun.metricAttributes);
    seen.context = trace.setSpan(parent, begun.span);
    const finish = (error: unknown): void => this.#meters.processed(secondsSince(begun.at), end(begun, error));
    let result: T;
    try {
      result = contexts.with(seen.context, run);
    } catch (error) {
      finish(error);
      throw error;
    }
    if (isThenable(result)) result.then(() => finish(undefined), finish);
    else finish(undefined);
    return result;
  }

  /** The context that a message was published in, as parent or as link. */
  #origin(delivery: Delivery): { readonly parent: Context; readonly links: readonly Link[] } {
    const active = contexts.active();
    const origin = this.#propagator.extract(active, headersOf(delivery), getter);
    const links = linksTo(origin);
    if (this.#options.consumerSpans !== "link" || links.length === 0) return { parent: origin, links };
    const baggage = propagation.getBaggage(origin);
    return { parent: baggage === undefined ? active : propagation.setBaggage(active, baggage), links };
  }

  #received(
    delivery: Delivery,
    { queue, connection }: Reception,
    parent: Context,
    links: readonly Link[],
  ): [Destination, Context, readonly Link[], Attributes] {
    const { exchange, routingKey, deliveryTag, body } = delivery;
    const { messageId, correlationId } = propertiesOf(delivery);
    const attributes = {
      ...serverAttributes(connection),
      ...routingKeyAttributes(routingKey),
      ...deliveryTagAttributes(deliveryTag),
      ...this.#messageAttributes(messageId, correlationId, body),
    };
    return [consumedFrom(exchange, routingKey, queue), parent, links, attributes];
  }

  #messageAttributes(id: string | undefined, correlationId: string | undefined, body: Uint8Array): Attributes {
    return {
      ...(id !== undefined && { [attribute.messageId]: id }),
      ...(correlationId !== undefined && { [attribute.conversationId]: correlationId }),
      ...(this.#options.bodySize === true && { [attribute.bodySize]: body.length }),
    };
  }

  /** @param waited How long ago it began, in milliseconds, where it is over already. */
  #begin(
    operation: Operation,
    destination: Destination,
    parent: Context,
    links: readonly Link[],
    attributes: Attributes,
    waited?: number,
  ): Begun {
    const { name, anonymous } = destination;
    const endTime = waited === undefined ? undefined : Date.now();
    const span = this.#tracer.startSpan(
      anonymous ? operation : `${operation} ${name}`,
      {
        kind: operations[operation].kind,
        links: [...links],
        ...(endTime !== undefined && { startTime: endTime - (waited ?? 0) }),
        attributes: {
          ...operationAttributes(operation),
          [attribute.destination]: name,
          ...(anonymous && { [attribute.anonymous]: true }),
          ...attributes,
        },
      },
      parent,
    );
    const at = performance.now() - (waited ?? 0);
    return { span, metricAttributes: metricAttributes(operation, destination, attributes), at, endTime };
  }
}

function operationAttributes(operation: Operation): Attributes {
  return {
    ...system,
    [attribute.operationName]: operation,
    [attribute.operationType]: operations[operation].type,
  };
}

/** What metrics say of an operation: only what there are few of. */
function metricAttributes(operation: Operation, { coarse }: Destination, of: Attributes): Attributes {
  const address = of[attribute.serverAddress];
  const port = of[attribute.serverPort];
  return {
    ...operationAttributes(operation),
    ...(coarse !== undefined && { [attribute.destination]: coarse }),
    ...(address !== undefined && { [attribute.serverAddress]: address }),
    ...(port !== undefined && { [attribute.serverPort]: port }),
  };
}

/** How a message was asked for. */
function asking({ consumerTag }: Reception): "get" | "receive" {
  return consumerTag === undefined ? "get" : "receive";
}

/** Ends a span; returns the attributes of its metrics. */
function end({ span, metricAttributes: attributes, endTime }: Begun, error: unknown): Attributes {
  const type = error === undefined ? undefined : fail(span, error);
  span.end(endTime);
  return type === undefined ? attributes : { ...attributes, [attribute.errorType]: type };
}

function linksTo(origin: Context): Link[] {
  const context = trace.getSpanContext(origin);
  return context?.isRemote === true ? [{ context }] : [];
}

/** Headers that do not parse are no context. */
function headersOf(delivery: Delivery): NonNullable<Delivery["properties"]["headers"]> {
  return propertiesOf(delivery).headers ?? {};
}

function propertiesOf(delivery: Delivery): Delivery["properties"] {
  try {
    return delivery.properties;
  } catch {
    // The application gets the same error where it asks for them.
    return {};
  }
}

function secondsSince(at: number): number {
  return (performance.now() - at) / 1000;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
