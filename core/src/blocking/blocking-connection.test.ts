/** A blocking connection beside a worker that is a few lines: how it ends, and what it keeps. */

import { expect, it } from "vitest";
import { ChannelError } from "../engine/errors.ts";
import { packError } from "../threads/pack-errors.ts";
import { pack, unpack } from "../threads/pack.ts";
import type { ThreadPort } from "../threads/port.ts";
import { type CallItem, type GuestItem, type HostItem, protocolVersion } from "../threads/protocol.ts";
import { BlockingConnection } from "./blocking-connection.ts";
import type { BlockingServices } from "./services.ts";
import { SharedState } from "./shared-state.ts";

const facts = { state: "open", blocked: undefined, negotiated: {}, serverProperties: {} };

/** A connection whose worker answers calls, unless `answers` has something else for a method; silence is `undefined`. */
function connected(
  answers: Record<string, ((call: CallItem, options: unknown) => HostItem[] | undefined) | undefined>,
) {
  let now = 0;
  let terminated = 0;
  let state = new SharedState();
  const calls: string[] = [];
  const items: GuestItem[] = [];
  const messages: unknown[] = [];
  const say = (...said: HostItem[]): void => {
    messages.push({ leveret: protocolVersion, items: said, bodies: undefined });
  };
  const port: ThreadPort = {
    postMessage: (message) => {
      for (const item of (message as { items: GuestItem[] }).items) {
        items.push(item);
        if (item.type !== "call") continue;
        calls.push(item.method);
        const own = answers[item.method];
        if (own === undefined) say(replyTo(item, facts));
        else say(...(own(item, unpack(item.options)) ?? []));
      }
    },
    addEventListener: () => {},
    removeEventListener: () => {},
    close: () => {},
  };
  const services: BlockingServices = {
    runtime: "a test",
    // Looking at the clock takes a second: whoever sleeps ends soon.
    now: () => (now += 1000),
    startWorker: (buffer) => {
      state = new SharedState(buffer);
      say({ type: "hello", lane: 0, version: protocolVersion, facts: new Map() as never });
      return { port, terminate: () => void (terminated += 1) };
    },
    messageChannel: () => ({ port1: port, port2: port }),
    receive: () => (messages.length === 0 ? undefined : { message: messages.shift() }),
  };
  const wait = SharedState.prototype.wait;
  SharedState.prototype.wait = () => {};
  try {
    const connection = new BlockingConnection(services, {});
    return { connection, calls, items, state, say, terminated: () => terminated, now: () => now };
  } finally {
    SharedState.prototype.wait = wait;
  }
}

const replyTo = ({ lane, id }: CallItem, value: unknown): HostItem => ({
  ...{ type: "reply", lane, id },
  value: pack(value, "a value"),
});

it("is closed when its worker is gone, and closing it then does not ask the worker", () => {
  const { connection, calls, state, terminated } = connected({
    openChannel: (call) => [replyTo(call, { lane: 1, number: 1, mode: "plain", state: "open" })],
  });
  const channel = connection.openChannel();
  expect([connection.state, channel.state]).toEqual(["open", "open"]);
  expect(connection.closeReason).toBeUndefined();
  state.end();
  expect([connection.state, channel.state]).toEqual(["closed", "closed"]);
  expect(connection.closeReason).toMatchObject({ name: "ThreadError", code: "WORKER_LOST" });
  expect(connection.blocked).toBeUndefined();
  expect(() => connection.processDataEvents()).toThrow(expect.objectContaining({ code: "WORKER_LOST" }));
  channel.close();
  connection.close();
  connection.close();
  expect(connection.state).toBe("closed");
  expect(calls).toEqual(["connect", "openChannel"]);
  expect(terminated()).toBe(1);
  expect(() => connection.addCallbackThreadsafe(() => {})).toThrow("The connection is closed");
});

it("has no reason when it was closed here", () => {
  const { connection } = connected({});
  connection.close();
  expect([connection.state, connection.closeReason]).toEqual(["closed", undefined]);
});

it("tells calls that come after a close that the connection was closed, as the promise client does", () => {
  const { connection } = connected({
    openChannel: (call) => [replyTo(call, { lane: 1, number: 1, mode: "plain", state: "open" })],
  });
  const channel = connection.openChannel();
  connection.close();
  const closed = { name: "ConnectionError", code: "CONNECTION_CLOSED", outcome: "not-sent", retryable: false };
  for (const call of [() => connection.openChannel(), () => channel.queueDeclare({ queue: "q" })])
    expect(call).toThrow(expect.objectContaining(closed));
});

it.each([Number.NaN, "5" as unknown as number])(
  "stays open when it is to be closed with a timeout of %s",
  (timeout) => {
    const { connection, calls } = connected({});
    expect(() => connection.close({ timeout })).toThrow("timeout is a number of milliseconds");
    expect(connection.state).toBe("open");
    connection.close();
    expect(connection.state).toBe("closed");
    expect(calls).toEqual(["connect", "close"]);
  },
);

it("tells the worker how long to wait for the answer to a close", () => {
  const given: unknown[] = [];
  const { connection } = connected({
    close: (call, options) => {
      given.push(options);
      return [replyTo(call, undefined)];
    },
  });
  connection.close({ timeout: 50, replyText: "bye" });
  expect(given).toEqual([{ timeout: 50, replyText: "bye" }]);
});

it("waits as long as the worker takes to close, where the connection's closeTimeout is long", () => {
  const { connection, say, now } = connected({
    // The answer comes two minutes later.
    close: (call) => {
      const began = now();
      waiting = () => {
        if (now() - began > 120_000) say(replyTo(call, undefined));
      };
      return undefined;
    },
  });
  let waiting = (): void => {};
  const { wait } = SharedState.prototype;
  SharedState.prototype.wait = () => waiting();
  try {
    connection.close();
  } finally {
    SharedState.prototype.wait = wait;
  }
  expect(connection.state).toBe("closed");
});

/** Answers the first call of each name as a channel's. */
function withChannel(more: Parameters<typeof connected>[0] = {}) {
  let opened = 0;
  const made = connected({
    openChannel: (call) => {
      opened += 1;
      return [replyTo(call, { lane: opened, number: opened, mode: "plain", state: "open" })];
    },
    ...more,
  });
  return { ...made, channel: made.connection.openChannel() };
}

const closedEvent = (lane: number, error?: Error): HostItem => ({
  ...{ type: "event", lane, name: "closed" },
  value: { error: error && packError(error) },
});
const got = (lane: number, id: number, tag: number): HostItem => ({
  ...{ type: "got", lane, id, tag, exchange: "", routingKey: "q", redelivered: false, channel: 1, noAck: false },
  ...{ properties: new Uint8Array(2), messageCount: 0, body: new Uint8Array(1) },
});

it("has the worker forget a channel that is closed, and asks it nothing more about that", () => {
  const { channel, calls, items } = withChannel({
    close: (call) => [replyTo(call, undefined), closedEvent(call.lane)],
    basicGet: ({ lane, id }) => [got(lane, id, 1)],
  });
  const message = channel.basicGet({ queue: "q" });
  channel.close();
  expect(items.at(-1)).toEqual({ type: "done", lane: 1, tag: 0 });
  const before = calls.length;
  const closed = { name: "ChannelError", code: "CHANNEL_CLOSED", outcome: "not-sent" };
  expect(() => channel.queueDeclare()).toThrow(expect.objectContaining(closed));
  expect(() => channel.basicPublish({ exchange: "", routingKey: "q", body: new Uint8Array(0) })).toThrow(
    expect.objectContaining(closed),
  );
  const stale = expect.objectContaining({ name: "SettlementError", code: "STALE_DELIVERY" });
  expect(() => message?.ack()).toThrow(stale);
  expect(() => channel.basicAck({ deliveryTag: 1 })).toThrow(stale);
  expect(calls).toHaveLength(before);
});

it("throws what the server closed a channel for again, without the worker", () => {
  const reason = { replyCode: 404, replyText: "NOT_FOUND", method: "queue.declare" } as const;
  const error = new ChannelError("CHANNEL_CLOSED", "not there", reason);
  const { channel, calls } = withChannel({
    queueDeclare: ({ lane, id }) => [{ type: "failed", lane, id, error: packError(error) }, closedEvent(lane, error)],
  });
  const refused = expect.objectContaining({ name: "ChannelError", replyCode: 404 });
  expect(() => channel.queueDeclare({ queue: "q", passive: true })).toThrow(refused);
  const before = calls.length;
  expect(() => channel.basicQos({ prefetchCount: 1 })).toThrow(refused);
  expect(channel.state).toBe("closed");
  expect(calls).toHaveLength(before);
});

it("says that a delivery is stale whose connection was lost", () => {
  const { channel, connection, say } = withChannel({ basicGet: ({ lane, id }) => [got(lane, id, 1)] });
  const message = channel.basicGet({ queue: "q" });
  say({ type: "lost", lane: 1 });
  connection.processDataEvents();
  expect([message?.outstanding, message?.ack(), message?.nack()]).toEqual([false, "stale", "stale"]);
});
