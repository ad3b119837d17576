/** Who gives up waiting behind other messages leaves nothing in memory, however long those have to wait still. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { bytes, connected, type Fixture, settled } from "./testing/fixture.ts";
import { message, recoveringChannel } from "./testing/recovering.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const count = 2000;

/** Bytes of memory that each of many calls takes which are given up. */
async function keptOf({ io }: Pick<Fixture, "io">, call: (signal: AbortSignal) => Promise<unknown>): Promise<number> {
  const giveUp = async (): Promise<number> => {
    for (let i = 0; i < count; i += 1) {
      const controller = new AbortController();
      call(controller.signal).catch(() => {});
      controller.abort();
    }
    await io.settle();
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await giveUp();
  return ((await giveUp()) - before) / count;
}

it("flushes of what is not confirmed, and of what waits for room", async () => {
  const fixture = await connected();
  const { io, server, connection } = fixture;
  const publisher = await settled(io, connection.openPublisher({ routingKey: "q" }));
  const publishes = [publisher.publish(bytes("sent"))];
  expect(await keptOf(fixture, (signal) => publisher.flush({ signal }))).toBeLessThan(200);
  server.method(0, "connection.blocked", { reason: "memory" });
  await io.settle();
  publishes.push(publisher.publish(bytes("waits")));
  expect(await keptOf(fixture, (signal) => publisher.flush({ signal }))).toBeLessThan(200);
  server.method(0, "connection.unblocked", {});
  await io.settle();
  server.confirm(1, 2, true);
  await settled(io, Promise.all([...publishes, publisher.flush()]));
});

it("commits and rollbacks of messages that wait for room", async () => {
  const fixture = await connected();
  const { io, server, connection } = fixture;
  const channel = await settled(io, connection.openChannel());
  await settled(io, channel.txSelect());
  server.method(0, "connection.blocked", { reason: "memory" });
  await io.settle();
  const publish = channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("m") });
  for (const end of ["txCommit", "txRollback"] as const) {
    expect(await keptOf(fixture, (signal) => channel[end]({ signal }))).toBeLessThan(200);
  }
  const commit = channel.txCommit();
  server.method(0, "connection.unblocked", {});
  await settled(io, Promise.all([publish, commit]));
  expect(server.log.slice(-2)).toEqual(["1 basic.publish", "1 tx.commit"]);
});

it("messages that wait for room, after an outage that others were given up in", async () => {
  const fixture = await recoveringChannel({ recovery: { whenDown: "fail" } });
  const { io, channel, server, cut, comeBack } = fixture;
  const block = async (): Promise<void> => {
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
  };
  await block();
  const givingUp = new AbortController();
  const publish = (signal?: AbortSignal): Promise<void> => channel.basicPublish({ ...message("m"), signal });
  const failed = [];
  for (let i = 0; i <= 2 * count; i += 1) failed.push(publish(i % 2 === 0 ? undefined : givingUp.signal));
  const settling = Promise.allSettled(failed);
  givingUp.abort();
  await cut();
  await settling;
  await comeBack();
  await block();
  const waits = publish();
  expect(await keptOf(fixture, publish)).toBeLessThan(200);
  server().method(0, "connection.unblocked", {});
  await settled(io, waits);
});
