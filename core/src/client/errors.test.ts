import { describe, expect, it } from "vitest";
import { ChannelError, ConnectionError } from "../engine/errors.ts";
import { AmqpError, UsageError } from "../wire/errors.ts";
import {
  AbortError,
  ConnectAttemptError,
  ConnectError,
  ConsumerCancelledError,
  endedWith,
  FlushError,
  NackError,
  SettlementError,
  TimeoutError,
} from "./errors.ts";
import { TransportError } from "./io-services.ts";

const where = { endpoint: "broker:5672", round: 1, phase: "tcp" } as const;
const refused = new TransportError("CONNECTION_REFUSED", "connection refused", { phase: "tcp" });
const badCertificate = new TransportError("TLS_CERTIFICATE", "self-signed", { phase: "tls" });

describe("every error", () => {
  it.each<[AmqpError, string, string | undefined, boolean]>([
    [new NackError(), "NACKED", "refused", true],
    [new TimeoutError("late", "unknown"), "TIMEOUT", "unknown", true],
    [new AbortError("enough", "not-sent"), "ABORTED", "not-sent", false],
    [new SettlementError("STALE_DELIVERY", 3), "STALE_DELIVERY", "not-sent", false],
    [new ConsumerCancelledError("tag"), "CONSUMER_CANCELLED", undefined, true],
    [new FlushError(1, [new NackError()], "refused"), "FLUSH_FAILED", "refused", true],
    [new FlushError(1, [new AbortError("enough", "unknown")], "unknown"), "FLUSH_FAILED", "unknown", false],
    [new UsageError("INVALID_ARGUMENT", "no"), "INVALID_ARGUMENT", "not-sent", false],
    [new UsageError("LIMIT_REACHED", "full"), "LIMIT_REACHED", "not-sent", true],
    [new ConnectAttemptError("CONNECTION_REFUSED", where, refused), "CONNECTION_REFUSED", "not-sent", true],
    [new ConnectAttemptError("TLS_CERTIFICATE", where, badCertificate), "TLS_CERTIFICATE", "not-sent", false],
    [new ConnectAttemptError("ENDPOINTS_FAILED", where, "not an error"), "ENDPOINTS_FAILED", "not-sent", true],
  ])("%s has a code, an outcome and a word on retrying", (error, code, outcome, retryable) => {
    expect(error).toBeInstanceOf(AmqpError);
    expect(error).toMatchObject({ code, outcome, retryable, name: error.constructor.name });
  });

  it("of connecting is worth a retry when one of its attempts is", () => {
    const attempts = [badCertificate, refused].map((cause) => new ConnectAttemptError(cause.code, where, cause));
    expect(new ConnectError("CONNECT_FAILED", "failed", attempts, {}).retryable).toBe(true);
    expect(new ConnectError("CONNECT_FAILED", "failed", attempts.slice(0, 1), {}).retryable).toBe(false);
    expect(new ConnectError("AUTHENTICATION_FAILED", "failed", attempts, {}).retryable).toBe(false);
  });
});

describe("the error of an operation that a channel or a connection took with it", () => {
  it("says the same, and what became of the operation", () => {
    const reason = { replyCode: 404, replyText: "no queue", method: "queue.declare" } as const;
    const channel = new ChannelError("CHANNEL_CLOSED_BY_SERVER", "closed", reason);
    expect(endedWith(channel, "refused")).toMatchObject({ ...reason, code: channel.code, outcome: "refused" });
    const timeout = new ChannelError("REQUEST_TIMEOUT", "late", { method: "queue.declare" });
    expect(endedWith(timeout, "unknown")).toMatchObject({ method: "queue.declare", replyCode: undefined });
    const cause = new Error("ECONNRESET");
    const lost = new ConnectionError("CONNECTION_LOST", "lost", { cause });
    const ended = endedWith(lost, "unknown");
    expect(ended).toBeInstanceOf(ConnectionError);
    expect(ended).toMatchObject({ code: "CONNECTION_LOST", cause, outcome: "unknown", replyCode: undefined });
    expect(ended).not.toBe(lost);
    const closed = new ConnectionError("CONNECTION_CLOSED_BY_SERVER", "closed", {
      reason: { replyCode: 320, replyText: "bye" },
    });
    expect(endedWith(closed, "not-sent")).toMatchObject({ replyCode: 320, replyText: "bye", method: undefined });
  });
});
