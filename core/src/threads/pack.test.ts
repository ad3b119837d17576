import { describe, expect, it } from "vitest";
import * as clientErrors from "../client/errors.ts";
import * as ioServices from "../client/io-services.ts";
import * as engineErrors from "../engine/errors.ts";
import * as wireErrors from "../wire/errors.ts";
import {
  AbortError,
  ChannelError,
  ConnectAttemptError,
  ConnectError,
  ConnectionError,
  ConsumerCancelledError,
  ConsumerRecoveryError,
  FlushError,
  NackError,
  NotConnectedError,
  SettlementError,
  TimeoutError,
  TransactionError,
  TransportError,
  UnroutableError,
} from "../client/index.ts";
import { Content } from "../engine/content.ts";
import { ReturnedMessage } from "../client/returned-message.ts";
import { AmqpError, ProtocolError, UsageError } from "../wire/errors.ts";
import { Decimal, TypedValue } from "../wire/field-values.ts";
import { EncodedProperties, encodeProperties } from "../wire/properties.ts";
import { pack, unpack } from "./pack.ts";
import { packError, unpackError } from "./pack-errors.ts";
import { ThreadError } from "./thread-error.ts";

const travelled = <T>(value: T): T => unpack(structuredClone(pack(value, "value"))) as T;
const travelledError = (error: unknown): Error => unpackError(structuredClone(packError(error)));

describe("values", () => {
  it("arrive as they were", () => {
    const table = {
      text: "é",
      yes: true,
      big: 2n ** 62n,
      nothing: null,
      when: new Date(1_700_000_000_000),
      bytes: new Uint8Array([1, 2, 3]),
      list: [1, "two", { three: new Decimal(2, 314) }],
      typed: new TypedValue("double", 10),
      nested: { typed: new TypedValue("int64", 5n), kind: "decimal" },
    };
    expect(travelled(table)).toEqual(table);
    expect(travelled(table).typed).toBeInstanceOf(TypedValue);
    expect(travelled(table).list[2]).toEqual({ three: new Decimal(2, 314) });
  });

  it("that look like stand-ins stay tables", () => {
    expect(travelled({ kind: "decimal", scale: 1, unscaled: 2 })).toEqual({ kind: "decimal", scale: 1, unscaled: 2 });
    expect(travelled({ kind: "decimal", scale: 1, unscaled: 2 })).not.toBeInstanceOf(Decimal);
  });

  it("keep properties encoded", () => {
    const { bytes } = encodeProperties({ type: "order" });
    const arrived = travelled(new EncodedProperties(bytes));
    expect(arrived).toBeInstanceOf(EncodedProperties);
    expect(arrived.bytes).toEqual(bytes);
  });

  it("change no prototype", () => {
    const arrived = travelled(JSON.parse('{"__proto__": {"polluted": true}}') as object);
    expect(Object.getPrototypeOf(arrived)).toBe(Object.prototype);
    expect(Object.keys(arrived)).toEqual(["__proto__"]);
  });

  it("do not carry the buffer that they are a view of", () => {
    const view = new Uint8Array(65_536).subarray(10, 20);
    expect((structuredClone(pack(view, "value")) as Uint8Array).buffer.byteLength).toBe(10);
  });

  it("that cannot travel are refused, by name", () => {
    expect(() => pack({ a: [{ b: () => {} }] }, "options")).toThrow("options.a[0].b is a function");
    const endless: Record<string, unknown> = {};
    endless["self"] = endless;
    expect(() => pack(endless, "options")).toThrow(UsageError);
  });
});

const reason = { replyCode: 404, replyText: "NOT_FOUND - no queue", method: "queue.declare" } as const;
const returned = new ReturnedMessage({
  ...{ type: "basic.return", channel: 1, replyCode: 312, replyText: "NO_ROUTE", exchange: "", routingKey: "nowhere" },
  content: new Content(new Uint8Array([7]), encodeProperties({ messageId: "m" }).bytes),
});
const lost = new ConnectionError("CONNECTION_LOST", "gone", { outcome: "unknown" });
const attempt = new ConnectAttemptError("CONNECTION_REFUSED", { endpoint: "a:1", round: 2, phase: "tcp" }, lost);

/** One of each class, with all that it can say. */
const samples: readonly AmqpError[] = [
  new AmqpError("SOME", "some", { outcome: "refused", cause: "because" }),
  new UsageError("LIMIT_REACHED", "too many"),
  new ProtocolError("FRAME_ERROR", "bad frame", { cause: new Error("inner") }),
  new TransportError("TLS_CERTIFICATE", "not trusted", { phase: "tls", errors: [new Error("one")] }),
  new ConnectionError("CONNECTION_CLOSED_BY_SERVER", "closed", { reason, phase: "open", outcome: "not-sent" }),
  new ConnectError("CONNECT_FAILED", "nothing worked", [attempt], { cause: attempt }),
  attempt,
  new ChannelError("CHANNEL_CLOSED_BY_SERVER", "closed", reason, { outcome: "refused" }),
  new NackError(),
  new UnroutableError(returned),
  new TimeoutError("too late", "not-sent"),
  new AbortError(new Error("enough"), "unknown"),
  new SettlementError("ALREADY_SETTLED", 5),
  new ConsumerCancelledError("tag"),
  new ConsumerRecoveryError("tag", lost),
  new FlushError(2, [new NackError()], "refused"),
  new NotConnectedError("not now", lost),
  new TransactionError("COMMIT_UNKNOWN", lost),
  new ThreadError("WORKER_LOST", "gone"),
];

/** All that an error says. */
function said(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { message, name, cause, retryable, errors } = error as AmqpError & { errors?: readonly unknown[] };
  return { ...error, message, name, retryable, cause: said(cause), errors: errors?.map(said) };
}

describe("errors", () => {
  it.each(samples.map((error) => [error.constructor.name, error] as const))("%s", (_name, error) => {
    const arrived = travelledError(error);
    expect(arrived).toBeInstanceOf(error.constructor);
    expect(said(arrived)).toEqual(said(error));
    // The stack is that of the thread that gets the error.
    expect(arrived.stack).toContain("travelledError");
  });

  it("of every class that a channel or a connection can reject with are known here", () => {
    const modules = [clientErrors, engineErrors, wireErrors, ioServices];
    const exported = modules
      .flatMap((module) => Object.values<unknown>(module))
      .filter((value) => typeof value === "function" && (value === AmqpError || value.prototype instanceof AmqpError));
    expect(exported.length).toBeGreaterThan(10);
    for (const one of exported) expect(samples.map((error) => error.constructor)).toContain(one);
  });

  it("bring back the message that nobody took", () => {
    const { returned: back } = travelledError(new UnroutableError(returned)) as UnroutableError;
    expect([back.replyCode, back.routingKey, [...back.body], back.properties]).toEqual([
      ...[312, "nowhere"],
      [7],
      { messageId: "m" },
    ]);
  });

  it("of others keep name, message, code and cause", () => {
    const error = Object.assign(new TypeError("broken", { cause: 5 }), { code: "ERR_X", secret: { a: 1 } });
    const arrived = travelledError(error);
    expect(arrived).toMatchObject({ name: "TypeError", message: "broken", code: "ERR_X", cause: 5 });
    expect(travelledError("just text").message).toBe("just text");
  });

  it("of an application's own class are the nearest one that is known", () => {
    class Own extends TimeoutError {}
    const arrived = travelledError(new Own("late", "unknown"));
    expect(arrived).toBeInstanceOf(TimeoutError);
  });

  it("do not carry causes without end", () => {
    const error = new Error("self");
    error.cause = error;
    expect(travelledError(error).message).toBe("self");
  });
});
