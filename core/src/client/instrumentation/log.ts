/** Hooks that write to the application's log. */

import { UsageError } from "../../wire/errors.ts";
import { errorFacts } from "../error-facts.ts";
import type { ConnectAttempt, Hooks, ObservedConnection, ObservedEvent } from "./hooks.ts";

/** How important a line is. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** What writes a log: `console` does, and loggers like pino, which take fields and a text. */
export interface Logger {
  /** For whoever looks for a fault. */
  debug(fields: object, message: string): void;
  /** What happens: connections that open, close and come back. */
  info(fields: object, message: string): void;
  /** What should be looked at. */
  warn(fields: object, message: string): void;
  /** What failed. */
  error(fields: object, message: string): void;
}

/** Options of {@link logTo}. */
export interface LogOptions {
  /**
   * The least important lines to write. Default `"info"`: what becomes of connections. With `"debug"` channels, every
   * message that is published, received and settled, and every attempt to connect are written too.
   */
  readonly level?: LogLevel | undefined;
}

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * Writes what happens to a log: `connect({ instrumentation: instrument(logTo(console)) })`. No line holds credentials,
 * headers or bodies.
 *
 * @throws UsageError INVALID_ARGUMENT when the logger lacks one of its functions, or there is no such level.
 */
export function logTo(logger: Logger, { level: least = "info" }: LogOptions = {}): Hooks {
  for (const name of levels) {
    if (typeof (logger as unknown as Record<string, unknown> | undefined)?.[name] !== "function") {
      throw new UsageError("INVALID_ARGUMENT", `A logger has a function ${name}`);
    }
  }
  if (!levels.includes(least)) throw new UsageError("INVALID_ARGUMENT", `level is one of ${levels.join(", ")}`);
  const write = (level: LogLevel, connection: ObservedConnection, fields: object, message: string): void => {
    if (levels.indexOf(level) < levels.indexOf(least)) return;
    const { name } = connection;
    logger[level](name === undefined ? fields : { connection: name, ...fields }, message);
  };
  const connecting: Hooks = {
    connection: (event, connection) => {
      const [level, message, fields] = lineOf(event);
      write(level, connection, fields, message);
    },
  };
  return least === "debug" ? { ...connecting, ...details(write) } : connecting;
}

type Write = (level: LogLevel, connection: ObservedConnection, fields: object, message: string) => void;

/** What is only written at the level debug. */
function details(write: Write): Hooks {
  return {
    connect: ({ connection, address, round }: ConnectAttempt) => {
      write("debug", connection, { address, round }, "connecting");
      return (error) => {
        if (error !== undefined) write("debug", connection, { address, round, ...failure(error) }, "not connected");
      };
    },
    channel: (event, connection) => {
      const fields = { channel: event.channel, ...(event.type === "closed" && failure(event.error)) };
      write("debug", connection, fields, event.type === "open" ? "channel open" : "channel closed");
    },
    publish: ({ connection, channel, exchange, routingKey, body }) => {
      const fields = { channel, exchange, routingKey, size: body.length };
      write("debug", connection, fields, "publish");
      return (error) => {
        if (error === undefined) write("debug", connection, fields, "published");
        else write("warn", connection, { ...fields, ...failure(error) }, "not published");
      };
    },
    deliver: ({ deliveryTag, redelivered, body }, { connection, channel, queue }, run) => {
      write("debug", connection, { channel, queue, deliveryTag, redelivered, size: body.length }, "delivered");
      run();
    },
    receive: ({ deliveryTag, redelivered, body }, { connection, channel, queue }) => {
      write("debug", connection, { channel, queue, deliveryTag, redelivered, size: body.length }, "received");
    },
    settle: ({ connection, channel, queue, delivery, action, requeue }) => {
      write("debug", connection, { channel, queue, deliveryTag: delivery.deliveryTag, requeue }, action);
    },
  };
}

/** An event as a line. */
function lineOf(event: ObservedEvent): [level: LogLevel, message: string, fields: object] {
  switch (event.type) {
    case "connected":
      return ["info", "connected", { epoch: event.epoch }];
    case "disconnected":
      return ["warn", "disconnected", { willRecover: event.willRecover, ...failure(event.cause) }];
    case "reconnecting":
      return ["info", "reconnecting", { attempt: event.attempt, delay: event.delay }];
    case "reconnect-failed":
      return ["warn", "reconnecting failed", { attempt: event.attempt, ...failure(event.error) }];
    case "recovered":
      return ["info", "recovered", { epoch: event.epoch, took: event.took, failures: event.failures.length }];
    case "topology-error":
      return ["warn", "not recovered", { kind: event.item.kind, action: event.action, ...failure(event.error) }];
    case "queue-renamed":
      return ["info", "queue renamed", { oldName: event.oldName, newName: event.newName }];
    case "channel-recovered":
      return ["debug", "channel recovered", { channel: event.channel }];
    case "blocked":
      return ["warn", "blocked by the server", { reason: event.reason }];
    case "unblocked":
      return ["info", "unblocked", {}];
    case "credentials-renewed":
      return ["info", "credentials renewed", { validFor: event.validFor }];
    case "credentials-failed":
      return ["warn", "no new credentials", { attempt: event.attempt, delay: event.delay, ...failure(event.error) }];
    case "state":
      return ["debug", `${event.before} to ${event.state}`, {}];
    case "callback-error":
      return ["error", "a callback failed", failure(event.error)];
    case "closed":
      return [event.error === undefined ? "info" : "error", "closed", failure(event.error)];
  }
}

/** What is said of an error: its facts, as far as there are any. */
function failure(error: unknown): object {
  if (error === undefined) return {};
  return { error: Object.fromEntries(Object.entries(errorFacts(error)).filter(([, fact]) => fact !== undefined)) };
}
