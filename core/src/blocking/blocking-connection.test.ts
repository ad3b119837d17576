/** A blocking connection beside a worker that is a few lines: how it ends, and what it keeps. */

import { expect, it } from "vitest";
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
