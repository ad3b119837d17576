import { describe, expect, it } from "vitest";
import { ChannelError, ConnectionError } from "../engine/errors.ts";
import { attemptOutcome, type ItemFailure, isRecoverable, judgeFailure } from "./causes.ts";

const refusal = (replyCode: number, replyText = "") =>
  new ChannelError("CHANNEL_CLOSED_BY_SERVER", replyText, { replyCode, replyText });
const failure = (more: Partial<ItemFailure>): ItemFailure => ({
  kind: "queue",
  error: refusal(406),
  attempt: 1,
  elapsed: 0,
  heartbeat: 60,
  dependencyRecorded: false,
  ...more,
});

describe("attemptOutcome", () => {
  const silent = { code: "CONNECTION_LOST", phase: "sasl" } as const;

  it("takes credentials and a virtual host that are refused for refusals, and a login that ends in silence", () => {
    expect(attemptOutcome({ code: "AUTHENTICATION_FAILED", phase: "sasl" })).toBe("refused");
    expect(attemptOutcome({ code: "VIRTUAL_HOST_REFUSED", phase: "open" })).toBe("refused");
    expect(attemptOutcome({ ...silent, cause: new ConnectionError("CONNECTION_LOST", "over") })).toBe("refused");
  });

  it("does not take a virtual host for one that is there and down", () => {
    const cause = new ConnectionError("VIRTUAL_HOST_REFUSED", "down", {
      reason: { replyCode: 541, replyText: "down" },
    });
    expect(attemptOutcome({ code: "VIRTUAL_HOST_REFUSED", phase: "open", cause })).toBe("failed");
  });

  it("takes nothing else for one: not a reset during the login, nor silence in another phase", () => {
    const cause = new ConnectionError("CONNECTION_LOST", "over", { cause: new Error("reset") });
    expect(attemptOutcome({ ...silent, cause })).toBe("failed");
    expect(attemptOutcome({ code: "CONNECTION_LOST", phase: "tune" })).toBe("failed");
  });
});

describe("judgeFailure", () => {
  it("waits for a half-open old connection to let go of an exclusive queue, three heartbeats and a bit", () => {
    const locked = refusal(405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue");
    expect(judgeFailure(failure({ error: locked, elapsed: 184_000 }))).toEqual({ action: "retry", delay: 1_000 });
    expect(judgeFailure(failure({ error: locked, elapsed: 185_000 }))).toEqual({ action: "skip" });
    expect(judgeFailure(failure({ error: locked, heartbeat: 1, elapsed: 14_999 })).action).toBe("retry");
    expect(judgeFailure(failure({ error: locked, heartbeat: 0, elapsed: 15_000 })).action).toBe("skip");
  });

  it("does the same for an exclusive consumer, and for no other 403", () => {
    const inUse = refusal(403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use");
    expect(judgeFailure(failure({ kind: "consumer", error: inUse })).action).toBe("retry");
    expect(
      judgeFailure(failure({ kind: "consumer", error: refusal(403, "ACCESS_REFUSED - access refused") })).action,
    ).toBe("skip");
  });

  it("declares again what a binding or a consumer needs, three times", () => {
    const missing = {
      kind: "consumer",
      error: refusal(404, "NOT_FOUND - no queue 'q'"),
      dependencyRecorded: true,
    } as const;
    expect(judgeFailure(failure(missing)).action).toBe("restore-dependency");
    expect(judgeFailure(failure({ ...missing, attempt: 4 })).action).toBe("skip");
    expect(judgeFailure(failure({ ...missing, dependencyRecorded: false })).action).toBe("skip");
  });

  it("waits for a queue whose node is down, five times", () => {
    const down = refusal(404, "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' is down or inaccessible");
    expect(judgeFailure(failure({ error: down, attempt: 2 }))).toEqual({ action: "retry", delay: 4_000 });
    expect(judgeFailure(failure({ error: down, attempt: 5 })).action).toBe("skip");
  });

  it("skips what is declared otherwise by now, and begins again when nobody knows what happened", () => {
    expect(judgeFailure(failure({ error: refusal(406, "PRECONDITION_FAILED - inequivalent arg") })).action).toBe(
      "skip",
    );
    expect(judgeFailure(failure({ error: new ChannelError("REQUEST_TIMEOUT", "late") })).action).toBe("abort");
    expect(judgeFailure(failure({ error: new ConnectionError("CONNECTION_LOST", "lost") })).action).toBe("abort");
  });
});

it("counts refused logins and virtual hosts apart from failures that time cures", () => {
  expect(attemptOutcome(new ConnectionError("AUTHENTICATION_FAILED", ""))).toBe("refused");
  expect(attemptOutcome(new ConnectionError("VIRTUAL_HOST_REFUSED", ""))).toBe("refused");
  expect(attemptOutcome(new ConnectionError("CONNECTION_LOST", "", { phase: "sasl" }))).toBe("refused");
  expect(attemptOutcome(new ConnectionError("CONNECTION_LOST", "", { phase: "header" }))).toBe("failed");
  expect(attemptOutcome({ code: "CONNECTION_REFUSED", phase: "tcp" })).toBe("failed");
});

it("recovers from every loss but the application's own close", () => {
  expect(isRecoverable(undefined)).toBe(false);
  expect(isRecoverable(new ConnectionError("CONNECTION_CLOSED", ""))).toBe(false);
  expect(isRecoverable(new ConnectionError("CLOSE_TIMEOUT", ""))).toBe(false);
  expect(isRecoverable(new ConnectionError("HEARTBEAT_TIMEOUT", ""))).toBe(true);
  expect(
    isRecoverable(
      new ConnectionError("CONNECTION_CLOSED_BY_SERVER", "", { reason: { replyCode: 504, replyText: "" } }),
    ),
  ).toBe(true);
});
