/** An engine in a test's hands: the test is its driver and its server, and time is a number. */

import type { Arguments, Method, MethodName } from "../../wire/method-types.ts";
import { encodeText } from "../../wire/text.ts";
import type { ChannelEngine } from "../channel-engine.ts";
import type { ConnectionConfig, Millis } from "../config.ts";
import { ConnectionEngine } from "../connection-engine.ts";
import type { ConnectionEvent } from "../events.ts";
import { plain } from "../sasl.ts";
import { type SentFrame, SentFrames, ServerBytes } from "./server.ts";

/** What a server says in `connection.start`, as RabbitMQ does. */
export const start: Arguments<"connection.start"> = {
  versionMajor: 0,
  versionMinor: 9,
  serverProperties: { product: "RabbitMQ", version: "3.13.7" },
  mechanisms: encodeText("PLAIN AMQPLAIN"),
  locales: encodeText("en_US"),
};

/** RabbitMQ's proposal, without heartbeats: they have tests of their own. */
export const tune: Arguments<"connection.tune"> = { channelMax: 2047, frameMax: 131_072, heartbeat: 0 };

/** The type of one kind of event. */
export type EventOf<T extends ConnectionEvent["type"]> = Extract<ConnectionEvent, { type: T }>;

/** Drives an engine, and plays its server. */
export class Driver {
  readonly engine: ConnectionEngine;
  readonly #sent = new SentFrames();
  now: Millis = 1000;

  constructor(config: Partial<ConnectionConfig> = {}) {
    this.engine = new ConnectionEngine({ mechanisms: [plain("guest", "secret")], ...config }, this.now);
  }

  /** The server writes; returns the events that follow. */
  serve(write: (server: ServerBytes) => void): ConnectionEvent[] {
    const server = new ServerBytes(0);
    write(server);
    return this.receive(server.take());
  }

  /** The server sends one method. */
  method<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): ConnectionEvent[] {
    return this.serve((server) => server.method(channel, name, fields));
  }

  receive(bytes: Uint8Array): ConnectionEvent[] {
    this.engine.receive(bytes, this.now);
    return this.events();
  }

  /** The transport ends. */
  hangUp(cause?: unknown): ConnectionEvent[] {
    this.engine.transportClosed(this.now, cause);
    return this.events();
  }

  /** Time passes, and the engine is told. */
  pass(time: Millis): ConnectionEvent[] {
    this.now += time;
    this.engine.advance(this.now);
    return this.events();
  }

  events(): ConnectionEvent[] {
    const events: ConnectionEvent[] = [];
    for (let event = this.engine.nextEvent(); event !== undefined; event = this.engine.nextEvent()) events.push(event);
    return events;
  }

  /** Takes the output, frame by frame. */
  sent(): SentFrame[] {
    return this.#sent.read(this.engine.takeOutput());
  }

  /** Takes the output: the methods in it. */
  sentMethods(): Method[] {
    return this.sent().flatMap((frame) => (frame.type === "method" ? [frame.method] : []));
  }

  /** Takes the output: the names of the methods in it, and the types of other frames. */
  sentNames(): string[] {
    return this.sent().map((frame) => (frame.type === "method" ? frame.method.name : frame.type));
  }

  /** Goes through the handshake; returns this. */
  open(proposal: Partial<Arguments<"connection.tune">> = {}): this {
    this.serve((server) =>
      server
        .method(0, "connection.start", start)
        .method(0, "connection.tune", { ...tune, ...proposal })
        .method(0, "connection.open-ok", {}),
    );
    if (this.engine.state !== "open") throw new Error(`The handshake ended in state ${this.engine.state}`);
    this.sent();
    return this;
  }

  /** Opens a channel, with the server's consent. */
  channel(number?: number): ChannelEngine {
    const channel = this.engine.openChannel(number);
    this.sent();
    this.method(channel.number, "channel.open-ok", {});
    return channel;
  }

  /** Opens a channel in confirm mode. */
  confirmChannel(): ChannelEngine {
    const channel = this.channel();
    channel.request("confirm.select", {});
    this.sent();
    this.method(channel.number, "confirm.select-ok", {});
    return channel;
  }
}

/** The only event there is, of that type. */
export function only<T extends ConnectionEvent["type"]>(events: readonly ConnectionEvent[], type: T): EventOf<T> {
  const [event] = events;
  if (event === undefined || events.length > 1 || event.type !== type) {
    throw new Error(`Expected one ${type}, got: ${events.map((each) => each.type).join(", ") || "nothing"}`);
  }
  return event as EventOf<T>;
}

/** The types of events. */
export function types(events: readonly ConnectionEvent[]): string[] {
  return events.map(({ type }) => type);
}

/** The error of a `closed` event, the last of those given. */
export function closedBy(events: readonly ConnectionEvent[]): EventOf<"closed">["error"] {
  const event = events.at(-1);
  if (event?.type !== "closed") throw new Error(`Expected closed, got: ${types(events).join(", ") || "nothing"}`);
  return event.error;
}
