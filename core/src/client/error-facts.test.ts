import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { ChannelError, ConnectionError } from "../engine/errors.ts";
import { AmqpError, ProtocolError, UsageError } from "../wire/errors.ts";
import { callSite, calledFrom } from "./call-site.ts";
import { connect } from "./connect.ts";
import { errorFacts, failureKind } from "./error-facts.ts";
import * as client from "./index.ts";
import type { ConnectOptions } from "./parameters.ts";
import { ReturnedMessage } from "./returned-message.ts";
import { bytes, connected, failure, settled } from "./testing/fixture.ts";
import { VirtualIo } from "./testing/virtual-io.ts";

const {
  AbortError,
  BatchError,
  CodecError,
  ConnectAttemptError,
  ConnectError,
  ConsumerCancelledError,
  ConsumerRecoveryError,
  FlushError,
  NackError,
  NotConnectedError,
  RpcError,
  SettlementError,
  TimeoutError,
  TransactionError,
  TransportError,
  UnroutableError,
} = client;

const body = "the body of a message";
const returned = new ReturnedMessage({
  type: "basic.return",
  channel: 1,
  replyCode: 312,
  replyText: "NO_ROUTE",
  exchange: "e",
  routingKey: "r",
  content: { body: bytes(body), properties: { headers: { note: body } }, encodedProperties: bytes(body) },
} as never);
const closedByServer = new ConnectionError("CONNECTION_CLOSED_BY_SERVER", "closed", {
  reason: { replyCode: 320, replyText: "CONNECTION_FORCED", method: "basic.publish" },
});
const lost = new ConnectionError("CONNECTION_LOST", "lost", { outcome: "unknown" });
const channelGone = new ChannelError("CHANNEL_CLOSED_BY_SERVER", "gone", { replyCode: 404, method: "queue.declare" });
const refused = new TransportError("CONNECTION_REFUSED", "refused", { phase: "tcp" });
const attempt = new ConnectAttemptError("CONNECTION_REFUSED", { endpoint: "h:1", round: 1, phase: "tcp" }, refused);
const unroutable = new UnroutableError(returned);
const message = { exchange: "e", routingKey: "r", body: bytes(body) };

/** One of each class, with the kind that it is of. */
const errors: readonly (readonly [AmqpError, client.FailureKind])[] = [
  [closedByServer, "closed-by-server"],
  [lost, "connection"],
  [new ConnectionError("CONNECTION_CLOSED", "by us"), "other"],
  [new ConnectError("CONNECT_FAILED", "failed", [attempt], { cause: attempt, phase: "tcp" }), "connection"],
  [new ConnectError("CONNECT_ABORTED", "aborted", [], {}), "other"],
  [attempt, "connection"],
  [refused, "connection"],
  [new NotConnectedError("down", lost), "connection"],
  [channelGone, "channel"],
  [new ChannelError("CHANNEL_CLOSED", "by us"), "other"],
  [new NackError(), "channel"],
  [unroutable, "channel"],
  [new ConsumerCancelledError("c"), "channel"],
  [new ConsumerRecoveryError("c", channelGone), "channel"],
  [new FlushError(1, [unroutable], "refused"), "channel"],
  [new BatchError([{ index: 0, error: new NackError(), message } as never], 1), "channel"],
  [new TransactionError("COMMIT_UNKNOWN", lost), "connection"],
  [new UsageError("INVALID_ARGUMENT", "no"), "usage"],
  [new SettlementError("ALREADY_SETTLED", 1), "other"],
  [new TimeoutError("late", "unknown"), "other"],
  [new AbortError("enough", "not-sent"), "other"],
  [new ProtocolError("FRAME_ERROR", "bad"), "other"],
  [new RpcError("NOT_FOUND", "no such thing"), "other"],
  [new CodecError("DECODE_FAILED", "no JSON", { contentType: "application/json" }), "other"],
];

describe("an error", () => {
  it.each(errors)("%s is of a kind", (error, kind) => {
    expect(failureKind(error)).toBe(kind);
    expect(errorFacts(error)).toMatchObject({ kind, name: error.name, code: error.code, message: error.message });
    expect(errorFacts(error)).toMatchObject({ outcome: error.outcome, retryable: error.retryable });
  });

  it("of somebody else is of none", () => {
    expect(failureKind(new TypeError("x"))).toBe("other");
    expect(errorFacts("text")).toMatchObject({ kind: "other", name: "string", code: undefined, message: "text" });
  });

  it("says what the server said, also when it was the cause of another", () => {
    const reason = { replyCode: 320, replyText: "CONNECTION_FORCED", method: "basic.publish" };
    expect(errorFacts(closedByServer)).toMatchObject(reason);
    expect(errorFacts(new NotConnectedError("down", closedByServer))).toMatchObject(reason);
    expect(errorFacts(new NotConnectedError("down", attempt))).toMatchObject({ phase: "tcp", replyCode: undefined });
  });

  it("of every class is in this table", () => {
    const classes = Object.values(client).filter(
      (value) => typeof value === "function" && value.prototype instanceof AmqpError,
    );
    expect(classes.filter((one) => !errors.some(([error]) => error.constructor === one))).toEqual([]);
  });
});

describe("secrets", () => {
  it.each(errors)("and bodies are not in %s", (error) => {
    for (const shown of [
      JSON.stringify(error),
      inspect(error, { depth: Infinity }),
      String(error.stack),
      JSON.stringify(errorFacts(error)),
    ]) {
      expect(shown).not.toContain(body);
      // As the bytes of the body are written.
      expect(shown).not.toContain("116, 104, 101, 32");
      expect(shown).not.toContain('"116"');
      expect(shown).not.toContain("116,104");
    }
  });

  it.each<[string, ConnectOptions | string]>([
    ["a server that hangs up", { credentials: { username: "u", password: "hush hush" } }],
    ["a URI", "amqp://u:hush%20hush@host:1"],
    ["a URI with a mistake", "amqp://u:hush%20hush@host:port"],
    ["a function", { credentials: () => ({ username: "u", password: "hush hush" }) }],
    ["an option that is wrong", { credentials: { username: "u", password: "hush hush\0" } }],
  ])("are not in the error of connecting with %s", async (_, options) => {
    const io = new VirtualIo();
    io.accept = (stream) => {
      stream.written = () => stream.hangUp();
      stream.open();
    };
    const error = await failure(io, connect(io, options));
    expect(error).toBeInstanceOf(AmqpError);
    expect(inspect(error, { depth: Infinity }) + JSON.stringify(error)).not.toMatch(/hush/);
  });
});

describe("stacks", () => {
  it("point at whoever made a call, also when nobody awaits it", async () => {
    const { io, server, connection } = await connected();
    const channel = await settled(io, connection.openChannel());
    server.on("queue.declare", ({ channel: number }) => server.closeChannel(number, 404, "NOT_FOUND"));
    function whoeverDeclares(): Promise<unknown> {
      return channel.queueDeclare({ queue: "none", passive: true });
    }
    const error = (await failure(io, whoeverDeclares())) as Error;
    expect(error.stack).toMatch(/^ChannelError: .*NOT_FOUND/);
    expect(error.stack).toContain("whoeverDeclares");

    const { signal } = new AbortController();
    const failing = new VirtualIo();
    failing.accept = (stream) => stream.hangUp();
    const whoeverConnects = (): Promise<unknown> => connect(failing, { host: "a", signal });
    expect(((await failure(failing, whoeverConnects())) as Error).stack).toContain("whoeverConnects");
  });

  it("stay as they are where there is no other", () => {
    const error = new Error("x");
    const { stack } = error;
    expect(calledFrom({}, error).stack).toBe(stack);
    expect(calledFrom(callSite(), "text")).toBe("text");
    // An engine that writes frames only.
    expect(calledFrom({ stack: "a@b" }, error).stack).toBe("a@b");
  });
});
