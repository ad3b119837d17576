import { expect, it } from "vitest";
import type { ThreadPort } from "../threads/port.ts";
import { protocolVersion } from "../threads/protocol.ts";
import type { BlockingServices } from "./services.ts";
import { SyncPort } from "./sync-port.ts";

/** A thread whose worker has said hello, and says what is put into `messages`. Its clock stands still, unless it is given. */
function greeted(sent: unknown[] = [], messages: unknown[] = [], now = (): number => 0): SyncPort {
  const port: ThreadPort = {
    postMessage: (message) => void sent.push(message),
    addEventListener: () => {},
    removeEventListener: () => {},
    close: () => {},
  };
  const hello = { type: "hello", lane: 0, version: protocolVersion, facts: {} };
  messages.push({ leveret: protocolVersion, items: [hello], bodies: undefined });
  const services: BlockingServices = {
    runtime: "a test",
    now,
    startWorker: () => ({ port, terminate: () => {} }),
    messageChannel: () => ({ port1: port, port2: port }),
    receive: () => (messages.length === 0 ? undefined : { message: messages.shift() }),
  };
  return new SyncPort(services, 1000);
}

it("does not sleep on what another thread brought right before", () => {
  const port = greeted();
  let sleeps = 0;
  port.state.wait = () => {
    sleeps += 1;
  };
  let calls = 1;
  port.watch(() => {
    calls -= 1;
    return calls >= 0;
  });
  // Whoever called has woken this thread already, so nobody would wake it again.
  port.lookOnce(Infinity);
  expect(sleeps).toBe(0);
  port.lookOnce(Infinity);
  expect(sleeps).toBe(1);
});

it.each([Number.NaN, "5" as unknown as number])("refuses a timeout of %s, which would never be over", (timeout) => {
  expect(() => greeted().call(1, "queueDeclare", {}, { timeout })).toThrow("timeout is a number of milliseconds");
});

it("does not go to sleep over something to say", () => {
  const sent: unknown[] = [];
  const port = greeted(sent);
  let sentBefore = 0;
  port.state.wait = () => {
    sentBefore = sent.length;
  };
  let looks = 0;
  port.watch(() => {
    looks += 1;
    port.outbox.post({ type: "done", lane: 1, tag: looks });
    return false;
  });
  port.lookOnce(Infinity);
  expect(looks).toBe(1);
  expect(sentBefore).toBe(1);
});

it("sleeps when its worker is gone, where time is to pass all the same", () => {
  const port = greeted();
  const sleeps: number[] = [];
  port.state.wait = (_, time) => void sleeps.push(time);
  port.state.end();
  port.lookOnce(50);
  expect(sleeps).toEqual([]);
  port.lookOnce(50, true);
  expect(sleeps).toEqual([50]);
});

/** A thread with a clock. @param timePassed - How much time passes in a sleep. */
function sleeper(timePassed: (slept: number) => number = (slept) => slept) {
  let now = 0;
  const sent: { readonly items: readonly { readonly method?: string }[] }[] = [];
  const messages: unknown[] = [];
  const port = greeted(sent, messages, () => now);
  const asked = (): number => sent.flatMap(({ items }) => items).filter(({ method }) => method === "look").length;
  port.state.wait = (_, time) => {
    now += timePassed(time);
  };
  const answer = (): void => {
    const reply = { type: "reply", lane: 0, id: 0, value: undefined };
    messages.push({ leveret: protocolVersion, items: [reply], bodies: undefined });
  };
  return { port, asked, answer, now: () => now };
}

it("does not wait for ever for a worker that died without a word", () => {
  const { port, asked, now } = sleeper();
  expect(() => port.call(1, "queueDeclare", {}, { timeout: Infinity })).toThrow(
    expect.objectContaining({ code: "WORKER_LOST", outcome: "unknown" }),
  );
  expect(asked()).toBe(1);
  expect(now()).toBe(35_000);
  expect(port.state.isOver).toBe(true);
});

it("finds out in many short sleeps as well", () => {
  const { port, now } = sleeper();
  while (!port.state.isOver && now() < 100_000) port.lookOnce(now() + 700);
  expect(now()).toBe(35_000);
});

it("goes on waiting for a worker that answers", () => {
  const { port, asked, answer, now } = sleeper();
  let answered = 0;
  while (now() < 3_600_000) {
    port.lookOnce(Infinity);
    if (asked() === answered) continue;
    answered = asked();
    answer();
  }
  expect(port.state.isOver).toBe(false);
  expect(answered).toBe(720);
});

it("takes a suspended machine for no silence", () => {
  const { port } = sleeper(() => 3_600_000);
  for (let sleeps = 0; sleeps < 6; sleeps += 1) port.lookOnce(Infinity);
  expect(port.state.isOver).toBe(false);
});
