/** Spans of connections: of each attempt to connect, and of an outage from the loss until everything is back. */

import {
  type Context,
  context as contexts,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { ConnectAttempt, ObservedConnection, ObservedEvent } from "../client/index.ts";
import { attribute, errorType, fail, serverAttributes, system } from "./conventions.ts";

/** An outage that is not over. */
interface Outage {
  readonly span: Span;
  readonly context: Context;
}

export class ConnectionSpans {
  readonly #tracer: Tracer;
  readonly #outages = new WeakMap<ObservedConnection, Outage>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** Attempts of an outage are its children. */
  connect({ connection, endpoint, address }: ConnectAttempt): (error: unknown) => void {
    const attributes = { ...system, ...serverAttributes({ endpoint }) };
    const parent = this.#outages.get(connection)?.context ?? contexts.active();
    const span = this.#tracer.startSpan(`connect ${address}`, { kind: SpanKind.CLIENT, attributes }, parent);
    return (error) => {
      if (error !== undefined) fail(span, error);
      span.end();
    };
  }

  event(event: ObservedEvent, connection: ObservedConnection): void {
    switch (event.type) {
      case "disconnected":
        if (event.willRecover) this.#lost(connection, event.cause);
        return;
      case "reconnecting":
        this.#outages.get(connection)?.span.addEvent("reconnecting", { attempt: event.attempt, delay: event.delay });
        return;
      case "recovered":
        return this.#over(connection, undefined);
      case "closed":
        return this.#over(connection, event.error);
      default:
    }
  }

  #lost(connection: ObservedConnection, cause: unknown): void {
    const type = { [attribute.errorType]: errorType(cause) };
    const outage = this.#outages.get(connection);
    // Lost again before everything was back: it is one outage.
    if (outage !== undefined) return void outage.span.addEvent("disconnected", type);
    const attributes = { ...system, ...serverAttributes(connection) };
    // Whoever happened to be at work when the loss was noticed has nothing to do with it.
    const span = this.#tracer.startSpan("recover", { kind: SpanKind.INTERNAL, attributes }, ROOT_CONTEXT);
    span.addEvent("disconnected", type);
    this.#outages.set(connection, { span, context: trace.setSpan(ROOT_CONTEXT, span) });
  }

  #over(connection: ObservedConnection, error: unknown): void {
    const outage = this.#outages.get(connection);
    if (outage === undefined) return;
    this.#outages.delete(connection);
    if (error !== undefined) fail(outage.span, error);
    outage.span.end();
  }
}
