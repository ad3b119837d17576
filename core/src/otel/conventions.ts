/**
 * The names of OpenTelemetry's messaging conventions, and what they say of RabbitMQ
 * (opentelemetry.io/docs/specs/semconv/messaging/rabbitmq). They are not stable yet: where names changed lately, both
 * are given, so that old and new back ends understand.
 */

import { type Attributes, type Span, SpanStatusCode } from "@opentelemetry/api";
import { type Endpoint, AmqpError, type ObservedConnection } from "../client/index.ts";

/** Names of attributes. */
export const attribute = {
  operationName: "messaging.operation.name",
  operationType: "messaging.operation.type",
  destination: "messaging.destination.name",
  anonymous: "messaging.destination.anonymous",
  messageId: "messaging.message.id",
  conversationId: "messaging.message.conversation_id",
  bodySize: "messaging.message.body.size",
  errorType: "error.type",
  serverAddress: "server.address",
  serverPort: "server.port",
} as const;

export const system: Attributes = { "messaging.system": "rabbitmq", "messaging.system.name": "rabbitmq" };

export function routingKeyAttributes(routingKey: string): Attributes {
  if (routingKey === "") return {};
  return { "messaging.rabbitmq.destination.routing_key": routingKey, "rabbitmq.destination.routing_key": routingKey };
}

export function deliveryTagAttributes(deliveryTag: number): Attributes {
  return { "messaging.rabbitmq.message.delivery_tag": deliveryTag, "rabbitmq.message.delivery_tag": deliveryTag };
}

/** A destination, for spans and for metrics. */
export interface Destination {
  /** As the conventions make it of exchange, routing key and queue. */
  readonly name: string;
  /** Whether a part of it was made up by the server, so that it says nothing to anybody. */
  readonly anonymous: boolean;
  /** What there are few of: the exchange, or the queue; `undefined` where there may be any number. */
  readonly coarse: string | undefined;
}

/** Where a message is published to. */
export function publishedTo(exchange: string, routingKey: string): Destination {
  const name = [exchange, routingKey].filter((part) => part !== "").join(":");
  const queue = madeUp(routingKey) ? undefined : routingKey;
  return {
    name: name === "" ? "amq.default" : name,
    anonymous: exchange === "" && madeUp(routingKey),
    coarse: exchange === "" ? queue : exchange,
  };
}

/** Where a message is consumed from. */
export function consumedFrom(exchange: string, routingKey: string, queue: string): Destination {
  const parts = [exchange, routingKey, queue === routingKey ? "" : queue].filter((part) => part !== "");
  return {
    name: parts.length === 0 ? "amq.default" : parts.join(":"),
    anonymous: madeUp(queue),
    coarse: madeUp(queue) ? undefined : queue,
  };
}

/** Names that the server makes up: of queues, and of direct reply-to. */
function madeUp(name: string): boolean {
  return name.startsWith("amq.gen") || name.startsWith("amq.rabbitmq.");
}

/** The server, as far as it is known. */
export function serverAttributes({ endpoint }: Pick<ObservedConnection, "endpoint">): Attributes {
  const [address, port] = endpoint === undefined ? [] : placeOf(endpoint);
  return {
    ...(address !== undefined && { [attribute.serverAddress]: address }),
    ...(port !== undefined && { [attribute.serverPort]: port }),
  };
}

function placeOf(endpoint: Endpoint): [address?: string, port?: number] {
  switch (endpoint.transport) {
    case "tcp":
      return [endpoint.host, endpoint.port];
    case "unix":
      return [endpoint.path];
    case "websocket": {
      const match = /^(wss?):\/\/(?:[^/?#]*@)?(\[[^\]]*\]|[^/?#:]*)(?::(\d+))?/.exec(endpoint.url);
      if (match === null) return [];
      return [match[2] as string, Number(match[3] ?? (match[1] === "wss" ? 443 : 80))];
    }
  }
}

/** What went wrong, as one of few words: the code of our own errors, the class of others. */
export function errorType(error: unknown): string {
  if (error instanceof AmqpError) return error.code;
  if (error instanceof Error && error.name !== "") return error.name;
  return "_OTHER";
}

/** Says of a span that it failed; returns what the conventions call the type of the error. */
export function fail(span: Span, error: unknown): string {
  const type = errorType(error);
  span.setAttribute(attribute.errorType, type);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
  return type;
}
