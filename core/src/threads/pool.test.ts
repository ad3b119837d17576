/** Pools of workers whose programs run in this thread. */

import { describe, expect, it } from "vitest";
import { connected } from "../client/testing/fixture.ts";
import { recovering } from "../client/testing/recovering.ts";
import { handleDeliveries } from "./handle-deliveries.ts";
import { openWorkerPool } from "./pool.ts";
import { failingListeners, result, until } from "./testing/apart.ts";
import type { WorkerLike, WorkerScope } from "./worker-like.ts";

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
