/** Channels at the other end of a port: what is hard to bring about with a real server. */

import { describe, expect, it, vi } from "vitest";
import { bytes, connected, type Fixture, withChannel } from "../client/testing/fixture.ts";
import { recovering } from "../client/testing/recovering.ts";
import type { VirtualIo } from "../client/testing/virtual-io.ts";
import type { Channel } from "../client/channel.ts";
import { openWorkerPool } from "./pool.ts";
import { serveChannel, type ServedChannel } from "./serve.ts";
import { handleDeliveries } from "./handle-deliveries.ts";
import { workerChannel, type WorkerChannel } from "./worker-channel.ts";
import type { WorkerDelivery } from "./worker-delivery.ts";
import type { WorkerLike, WorkerScope } from "./worker-like.ts";

interface Apart extends Fixture {
  readonly channel: Channel;
  readonly served: ServedChannel;
  readonly worker: WorkerChannel;
}

/** A channel, and its other end; both in this thread. */
async function apart(): Promise<Apart> {
  const fixture = await withChannel();
  const { port1, port2 } = new MessageChannel();
  const [served, worker] = await Promise.all([serveChannel(fixture.channel, port1), workerChannel(port2)]);
  return { ...fixture, served, worker };
}

/** Lets both ends go on until something is so. */
async function until(io: VirtualIo, isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn += 1) {
    if (turn === 1000) throw new Error("It did not come about");
    await io.settle();
  }
}

async function result<T>(io: VirtualIo, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settledNow = (): void => void (isSettled = true);
  promise.then(settledNow, settledNow);
  await until(io, () => isSettled);
  return promise;
}

const large = 20_000;

/** Listeners that fail when they are told, but no more than a hundred times, so that it comes to an end whatever is told. */
const failingListeners: [string, (reports: string[], who: string) => unknown][] = [
  [
    "at once",
    (reports, who) => {
      if (reports.push(who) < 100) throw new Error(`${who} failed as well`);
    },
  ],
  [
    "later",
    async (reports, who) => {
      reports.push(who);
      await Promise.resolve();
      if (reports.length < 100) throw new Error(`${who} failed as well`);
    },
  ],
];

describe("a body that stays the caller's", () => {
  it.each<[string, () => Buffer]>([
    ["a Buffer of its own", () => Buffer.alloc(large, 1)],
    ["a part of one", () => Buffer.alloc(2 * large, 1).subarray(0, large)],
  ])("stays as it is: %s", async (_, make) => {
    const { io, server, worker } = await apart();
    const body = make();
    await result(io, worker.basicPublish({ exchange: "", routingKey: "q", body }));
    await until(io, () => server.sentOf("basic.publish").length === 1);
    expect(body.byteLength).toBe(large);
    expect(body.buffer.byteLength).toBeGreaterThanOrEqual(large);
  });
});

describe("basicRecover of another thread", () => {
  it("leaves alone what came with its answer", async () => {
    const { io, server, worker, served } = await apart();
    const taken: WorkerDelivery[] = [];
    const consuming = worker.basicConsume({ queue: "q", consumerTag: "c", settle: "manual" }, (delivery) => {
      taken.push(delivery);
    });
    await result(io, consuming);
    server.deliver(1, "c", ["one", "two"]);
    await until(io, () => taken.length === 2);
    server.on("basic.recover", ({ channel }) =>
      server.together((answer) => {
        answer.method(channel, "basic.recover-ok", {});
        const fields = { consumerTag: "c", deliveryTag: 3, redelivered: true, exchange: "", routingKey: "q" };
        answer.method(channel, "basic.deliver", fields).content(channel, bytes("one"));
      }),
    );
    await result(io, worker.basicRecover());
    await until(io, () => taken.length === 3);
    expect(taken.map(({ outstanding }) => outstanding)).toEqual([false, false, true]);
    expect(served.outstanding).toBe(1);
    expect(await result(io, (taken[2] as WorkerDelivery).ack())).toBe("settled");
    await until(io, () => server.sentOf("basic.ack").length === 1);
    expect(served.outstanding).toBe(0);
  });
});

describe("a publish that waits for room in its thread", () => {
  it("can be given up at once", async () => {
    const { io, server, worker } = await apart();
    server.on("confirm.select", ({ channel }) => server.method(channel, "confirm.select-ok", {}));
    await result(io, worker.confirmSelect());
    const message = { exchange: "", routingKey: "q", body: bytes("m") };
    for (let i = 0; i < 1000; i += 1) worker.basicPublish(message).catch(() => {});
    const givingUp = new AbortController();
    const waiting = worker.basicPublish({ ...message, signal: givingUp.signal });
    const behind = worker.basicPublish(message);
    behind.catch(() => {});
    givingUp.abort(new Error("enough"));
    await expect(result(io, waiting)).rejects.toMatchObject({ code: "ABORTED", outcome: "not-sent" });
    await until(io, () => server.sentOf("basic.publish").length === 1000);
    server.confirm(1, 1000, true);
    await until(io, () => server.sentOf("basic.publish").length === 1001);
    server.confirm(1, 1001);
    await result(io, behind);
    expect(worker.unconfirmed).toBe(0);
  });
});

describe("the end of a transaction in another thread", () => {
  const aborted = { code: "ABORTED", outcome: "unknown" };

  it.each(["txCommit", "txRollback"] as const)("is unknown to who gives up after it was sent: %s", async (end) => {
    const { io, server, worker } = await apart();
    const method = end === "txCommit" ? "tx.commit" : "tx.rollback";
    server.on(method);
    await result(io, worker.txSelect());
    const givingUp = new AbortController();
    const ending = worker[end]({ signal: givingUp.signal });
    ending.catch(() => {});
    await until(io, () => server.sentOf(method).length === 1);
    givingUp.abort(new Error("enough"));
    await expect(result(io, ending)).rejects.toMatchObject(aborted);
  });

  it("is not asked for when its caller gives up before", async () => {
    const { io, server, worker } = await apart();
    await result(io, worker.txSelect());
    server.method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const message = { exchange: "", routingKey: "q", body: bytes("m") };
    const publishing = Array.from({ length: 1001 }, () => worker.basicPublish(message));
    const givingUp = new AbortController();
    const ending = worker.txCommit({ signal: givingUp.signal });
    ending.catch(() => {});
    givingUp.abort(new Error("enough"));
    await expect(result(io, ending)).rejects.toMatchObject({ ...aborted, outcome: "not-sent" });
    server.method(0, "connection.unblocked", {});
    await result(io, Promise.all(publishing));
    await result(io, worker.txCommit());
    expect(server.sentOf("tx.commit")).toHaveLength(1);
  });
});

describe("what is called in another thread while publishes wait there", () => {
  it("keeps its order where a transaction begins and ends: settlements too", async () => {
    const { io, server, worker } = await apart();
    const consumed: number[] = [];
    const options = { queue: "q", consumerTag: "c", settle: "manual" } as const;
    await result(
      io,
      worker.basicConsume(options, ({ deliveryTag }) => void consumed.push(deliveryTag)),
    );
    server.deliver(1, "c", ["a", "b", "c"]);
    await until(io, () => consumed.length === 3);
    server.method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const message = { exchange: "", routingKey: "q", body: bytes("m") };
    const calls: Promise<unknown>[] = Array.from({ length: 1001 }, () => worker.basicPublish(message));
    calls.push(worker.txSelect(), worker.basicAck({ deliveryTag: 1 }), worker.basicPublish(message), worker.txCommit());
    calls.push(worker.basicNack({ deliveryTag: 2 }));
    calls.push(worker.basicRecover());
    await io.settle();
    server.method(0, "connection.unblocked", {});
    await result(io, Promise.all(calls));
    const since = server.log.slice(server.log.lastIndexOf("1 tx.select") - 1);
    const select = ["1 basic.publish", "1 tx.select", "1 basic.publish", "1 basic.ack 1", "1 tx.commit"];
    expect(since).toEqual([...select, "1 basic.nack 2 requeue", "1 basic.recover"]);
  });
});

describe("the time of a publish", () => {
  /** A worker's channel whose window is full, in confirm mode. */
  async function full(): Promise<Apart & { readonly running: () => Promise<void> }> {
    const made = await apart();
    const { io, server, worker } = made;
    server.on("confirm.select", ({ channel }) => server.method(channel, "confirm.select-ok", {}));
    await result(io, worker.confirmSelect());
    for (let i = 0; i < 1000; i += 1) worker.basicPublish(message).catch(() => {});
    await until(io, () => server.sentOf("basic.publish").length === 1000);
    const timers = io.timers;
    return { ...made, running: () => until(io, () => io.timers > timers) };
  }
  const message = { exchange: "", routingKey: "q", body: bytes("m") };

  it("runs while it waits for room in its thread", async () => {
    const { io, server, worker, served, running } = await full();
    const waiting = worker.basicPublish({ ...message, timeout: 5_000 });
    const failed = vi.fn<() => void>();
    waiting.catch(failed);
    await running();
    await io.advance(4_999);
    await io.settle();
    expect(failed).not.toHaveBeenCalled();
    await io.advance(1);
    await expect(result(io, waiting)).rejects.toMatchObject({ name: "TimeoutError", outcome: "not-sent" });
    expect(server.sentOf("basic.publish")).toHaveLength(1000);
    server.confirm(1, 1000, true);
    await until(io, () => worker.unconfirmed === 0);
    expect(served.channel.state).toBe("open");
  });

  it("goes on running when it is sent", async () => {
    const { io, server, worker, running } = await full();
    const waiting = worker.basicPublish({ ...message, timeout: 5_000 });
    waiting.catch(() => {});
    await running();
    await io.advance(3_000);
    server.confirm(1, 1000, true);
    await until(io, () => server.sentOf("basic.publish").length === 1001);
    await io.advance(2_000);
    await expect(result(io, waiting)).rejects.toMatchObject({ name: "TimeoutError", outcome: "unknown" });
  });

  it("is over with the message", async () => {
    const { io, server, worker, running } = await full();
    const before = io.timers;
    const waiting = worker.basicPublish({ ...message, timeout: 5_000 });
    await running();
    server.confirm(1, 1000, true);
    await until(io, () => server.sentOf("basic.publish").length === 1001);
    server.confirm(1, 1001);
    await result(io, waiting);
    await io.settle();
    await io.advance(10_000);
    expect(io.timers).toBe(before);
    expect(worker.unconfirmed).toBe(0);
  });

  it("can be given up by its signal as before", async () => {
    const { io, worker } = await full();
    const controller = new AbortController();
    const reason = new Error("enough");
    const waiting = worker.basicPublish({ ...message, timeout: 5_000, signal: controller.signal });
    waiting.catch(() => {});
    controller.abort(reason);
    await expect(result(io, waiting)).rejects.toMatchObject({ code: "ABORTED", outcome: "not-sent", cause: reason });
  });

  it("is a number", async () => {
    const { worker } = await apart();
    await expect(worker.basicPublish({ ...message, timeout: Number.NaN })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});

describe("messages that wait for a handler", () => {
  it("are not handled any more when the channel is closed", async () => {
    const { io, server, worker } = await apart();
    const handled: string[] = [];
    const ends: (() => void)[] = [];
    const consuming = worker.basicConsume({ queue: "q", consumerTag: "c", concurrency: 1 }, ({ deliveryTag }) => {
      handled.push(String(deliveryTag));
      return new Promise<void>((resolve) => ends.push(resolve));
    });
    const consumer = await result(io, consuming);
    server.deliver(1, "c", ["one", "two"]);
    await until(io, () => consumer.buffered === 1);
    server.closeChannel(1, 406, "");
    await result(io, worker.closed);
    ends[0]?.();
    await io.settle();
    expect(handled).toEqual(["1"]);
  });
});

/** A worker that is none: its program runs in this thread, once it begins. */
class FakeWorker implements WorkerLike {
  terminated = false;
  readonly #started: unknown[] = [];
  #failed: (cause: unknown) => void = () => {};

  /** Takes what the pool sent. */
  begin(): void {
    const scope = {
      addEventListener: (_: string, listener: (message: { data: unknown }) => void) => {
        for (const data of this.#started) listener({ data });
      },
      removeEventListener: () => {},
    } as unknown as WorkerScope;
    void handleDeliveries(scope, () => {});
  }

  postMessage(data: unknown): void {
    this.#started.push(data);
  }

  terminate(): void {
    this.terminated = true;
  }

  on(event: string, listener: (value: unknown) => void): void {
    if (event === "error") this.#failed = listener;
  }

  fail(): void {
    this.#failed(new Error("It failed"));
  }
}

describe("a pool", () => {
  /** What makes workers, and those that it has made. `begins`: whether they begin by themselves. */
  function makers(begins: boolean): { readonly workers: FakeWorker[]; readonly start: () => FakeWorker } {
    const workers: FakeWorker[] = [];
    const start = (): FakeWorker => {
      const worker = new FakeWorker();
      workers.push(worker);
      if (begins) queueMicrotask(() => worker.begin());
      return worker;
    };
    return { workers, start };
  }

  it.each(failingListeners)("tells a listener of callback-error that fails itself once: %s", async (_, told) => {
    const { io, connection } = await connected();
    const { workers, start } = makers(true);
    const pool = await result(io, openWorkerPool(connection, { queue: "q", size: 1, start }));
    const reports: string[] = [];
    pool.on("callback-error", () => told(reports, "the pool"));
    pool.on("worker-lost", () => Promise.reject(new Error("first")));
    workers[0]?.fail();
    await until(io, () => workers.length === 2 && pool.size === 1);
    await io.settle();
    expect(reports).toEqual(["the pool"]);
    await result(io, pool.close());
  });

  it("ends all workers when one of them does not start, also those that were never ready", async () => {
    const { io, connection } = await connected();
    const { workers, start } = makers(false);
    const opening = openWorkerPool(connection, { queue: "q", size: 3, start });
    opening.catch(() => {});
    await until(io, () => workers.length === 3);
    workers[0]?.begin();
    workers[1]?.fail();
    await expect(result(io, opening)).rejects.toMatchObject({ code: "WORKER_LOST" });
    await until(io, () => workers.every(({ terminated }) => terminated));
    await until(io, () => connection.channelCount === 0);
  });

  it("does not wait for ever for a worker that is never ready", async () => {
    const { io, connection } = await connected();
    const { workers, start } = makers(false);
    const opening = openWorkerPool(connection, { queue: "q", size: 2, start, startTimeout: 5_000 });
    opening.catch(() => {});
    await until(io, () => workers.length === 2);
    workers[0]?.begin();
    await io.advance(4_999);
    expect(workers.some(({ terminated }) => terminated)).toBe(false);
    await io.advance(1);
    await expect(result(io, opening)).rejects.toMatchObject({
      name: "ThreadError",
      code: "WORKER_LOST",
      message: "A worker was not ready within 5000 ms",
    });
    await until(io, () => workers.every(({ terminated }) => terminated) && connection.channelCount === 0);
  });

  it("whose worker never becomes ready after a restart tries again, and gives up after three", async () => {
    const { io, connection } = await connected();
    const { workers, start } = makers(false);
    const opening = openWorkerPool(connection, { queue: "q", size: 1, start });
    await until(io, () => workers.length === 1);
    workers[0]?.begin();
    const pool = await result(io, opening);
    const told: unknown[] = [];
    pool.on("worker-lost", ({ error, willRestart }) => told.push([error.message, willRestart]));
    workers[0]?.fail();
    for (let started = 2; started <= 3; started += 1) {
      await until(io, () => workers.length === started);
      await io.advance(30_000);
      await until(io, () => told.length === started);
    }
    expect(told).toEqual([
      ["A worker was lost: It failed", true],
      ["A worker was not ready within 30000 ms", true],
      ["A worker was not ready within 30000 ms", false],
    ]);
    await until(io, () => connection.channelCount === 0);
    expect(workers).toHaveLength(3);
  });

  it.each([0, -1, Number.NaN, "5"])("refuses a startTimeout of %j", async (startTimeout) => {
    const { connection } = await connected();
    const { workers, start } = makers(true);
    const opening = openWorkerPool(connection, { queue: "q", size: 1, start, startTimeout: startTimeout as number });
    await expect(opening).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(workers).toHaveLength(0);
  });

  it.each(["wait", "fail"] as const)(
    "replaces a worker that is lost in an outage, when that is over, where calls meanwhile %s",
    async (whenDown) => {
      const { io, connection, cut } = await recovering({ recovery: { whenDown } });
      const { workers, start } = makers(true);
      const pool = await result(io, openWorkerPool(connection, { queue: "q", size: 1, start }));
      const reported: unknown[] = [];
      pool.on("callback-error", ({ error }) => reported.push(error));
      const { accept } = io;
      io.accept = (stream) => stream.hangUp();
      await cut();
      workers[0]?.fail();
      await until(io, () => pool.size === 0);
      await io.advance(60_000);
      expect(reported).toEqual([]);
      io.accept = accept;
      await io.advance(60_000);
      await until(io, () => pool.size === 1);
      expect(workers).toHaveLength(2);
      await result(io, pool.close());
    },
  );

  it("that is closed while it waits for a connection to replace a worker starts none any more", async () => {
    const { io, connection, cut, comeBack } = await recovering();
    const { workers, start } = makers(true);
    const pool = await result(io, openWorkerPool(connection, { queue: "q", size: 1, start }));
    const reported: unknown[] = [];
    pool.on("callback-error", ({ error }) => reported.push(error));
    await cut();
    workers[0]?.fail();
    await until(io, () => pool.size === 0);
    await result(io, pool.close());
    await comeBack();
    await until(io, () => connection.state === "open" && connection.channelCount === 0);
    expect([workers.length, reported]).toEqual([1, []]);
  });

  it("that is closed while it replaces a worker starts none any more", async () => {
    const { io, connection, server } = await connected();
    const { workers, start } = makers(true);
    const pool = await result(io, openWorkerPool(connection, { queue: "q", size: 1, start }));
    const reported: unknown[] = [];
    pool.on("callback-error", ({ error }) => reported.push(error));
    server.on("channel.open");
    workers[0]?.fail();
    await until(io, () => server.sentOf("channel.open").length === 3);
    await result(io, pool.close());
    server.method(server.sentOf("channel.open")[2]?.channel as number, "channel.open-ok", {});
    await until(io, () => connection.channelCount === 0);
    expect(workers).toHaveLength(1);
    expect(reported).toEqual([]);
  });

  it("refuses a drain that is no number, and can be closed afterwards", async () => {
    const { io, connection } = await connected();
    const { workers, start } = makers(true);
    const pool = await result(io, openWorkerPool(connection, { queue: "q", size: 1, start }));
    await expect(pool.close({ drain: Number.NaN })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await result(io, pool.close());
    expect(workers[0]?.terminated).toBe(true);
  });

  it("whose workers are all lost before its consumer has started fails to open", async () => {
    const { io, connection, server } = await connected();
    const { workers, start } = makers(true);
    server.on("basic.consume");
    const opening = openWorkerPool(connection, { queue: "q", size: 1, start, restart: false });
    opening.catch(() => {});
    await until(io, () => server.sentOf("basic.consume").length === 1);
    workers[0]?.fail();
    await until(io, () => workers[0]?.terminated === true && connection.channelCount === 1);
    const { channel, fields } = server.sentOf("basic.consume")[0] as (typeof server.sent)[0];
    server.method(channel, "basic.consume-ok", { consumerTag: String(fields["consumerTag"]) });
    await expect(result(io, opening)).rejects.toMatchObject({ code: "WORKER_LOST" });
    await until(io, () => connection.channelCount === 0);
  });
});

describe("a listener of callback-error that fails itself", () => {
  it.each(failingListeners)(
    "is told once, by a channel of another thread and by the one that is served: %s",
    async (_, told) => {
      const { io, server, served, worker } = await apart();
      const reports: string[] = [];
      worker.on("callback-error", () => told(reports, "the other thread"));
      served.on("callback-error", () => told(reports, "this thread"));
      worker.on("flow", () => Promise.reject(new Error("first")));
      server.method(1, "channel.flow", { active: true });
      await until(io, () => reports.includes("this thread"));
      // Whatever else was reported has arrived with the answer.
      await result(io, worker.queueDeclare({ queue: "q" }));
      await io.settle();
      expect(reports).toEqual(["the other thread", "this thread"]);
    },
  );

  it.each(failingListeners)(
    "is told once, by a channel that is served, whose end is listened to: %s",
    async (_, told) => {
      const { io, served } = await apart();
      const reports: string[] = [];
      served.on("callback-error", () => told(reports, "this thread"));
      served.on("closed", () => Promise.reject(new Error("first")));
      await result(io, served.close());
      await until(io, () => reports.length > 0);
      await io.settle();
      expect(reports).toEqual(["this thread"]);
    },
  );
});
