import { expect, it } from "vitest";
import type { ThreadPort } from "../threads/port.ts";
import { protocolVersion } from "../threads/protocol.ts";
import type { BlockingServices } from "./services.ts";
import { SyncPort } from "./sync-port.ts";

/** A thread whose worker has said hello, and says nothing more. Its clock stands still. */
function greeted(sent: unknown[] = []): SyncPort {
  const port: ThreadPort = {
    postMessage: (message) => void sent.push(message),
    addEventListener: () => {},
    removeEventListener: () => {},
    close: () => {},
  };
  const hello = { type: "hello", lane: 0, version: protocolVersion, facts: {} };
  const messages: unknown[] = [{ leveret: protocolVersion, items: [hello], bodies: undefined }];
  const services: BlockingServices = {
    runtime: "a test",
    now: () => 0,
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
