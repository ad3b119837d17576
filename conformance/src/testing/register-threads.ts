/** A pool of real workers, in whichever runtime, against RabbitMQ. */

import { Worker } from "node:worker_threads";
import { connect, decodeText, encodeText, type IoServices } from "@leveret/core/client";
import { openWorkerPool, type ThreadError } from "@leveret/core/threads";
import { expect, inject, it } from "vitest";

const limit = 60_000;

/** Registers the tests, with the I/O services of a runtime. */
export function registerThreads(io: IoServices): void {
  const { url } = inject("rabbitmq");
  const program = new URL("burn-worker.ts", import.meta.url);

  const opened = async () => {
    const connection = await connect(io, { uri: url, heartbeat: 1, recovery: false });
    const channel = await connection.openChannel();
    const { queue } = await channel.queueDeclare({ exclusive: true });
    const { queue: answers } = await channel.queueDeclare({ exclusive: true });
    const answered: string[] = [];
    await channel.basicConsume({ queue: answers }, ({ body }) => void answered.push(decodeText(body)));
    const publisher = await connection.openPublisher({ routingKey: queue, properties: { replyTo: answers } });
    const pool = await openWorkerPool(connection, { queue, size: 2, concurrency: 1, start: () => new Worker(program) });
    return { connection, answered, publisher, pool };
  };

  it("heartbeats are answered while workers compute for longer than two of them", { timeout: limit }, async () => {
    const { connection, answered, publisher, pool } = await opened();
    for (const order of ["3500", "3501"]) await publisher.publish(encodeText(order));
    await expect.poll(() => pool.load, { timeout: 10_000 }).toEqual([1, 1]);
    await expect.poll(() => answered.length, { timeout: 30_000 }).toBe(2);
    expect(answered.toSorted()).toEqual(["3500 UNROUTABLE", "3501 UNROUTABLE"]);
    expect(connection.state).toBe("open");
    expect(await pool.close()).toEqual({ requeued: 0, unfinished: 0 });
    await connection.close();
  });

  it("what a worker had that ended goes back, and another one takes its place", { timeout: limit }, async () => {
    const { connection, answered, publisher, pool } = await opened();
    const lost: { error: ThreadError; requeued: number; willRestart: boolean }[] = [];
    pool.on("worker-lost", (event) => void lost.push(event));
    await publisher.publish(encodeText("die"));
    // It kills each worker that gets it; three in a row that handled nothing are the end of a place.
    await expect.poll(() => lost.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(3);
    expect(lost[0]).toMatchObject({ error: { name: "ThreadError", code: "WORKER_LOST" }, requeued: 1 });
    expect(lost[0]?.willRestart).toBe(true);
    expect(answered).toEqual([]);
    await pool.close({ drain: 0 });
    await connection.close();
  });
}
