/** Channels at the other end of a port: what is hard to bring about with a real server. */

import { describe, expect, it, vi } from "vitest";
import { bytes } from "../client/testing/fixture.ts";
import { type Apart, apart, failingListeners, result, until } from "./testing/apart.ts";
import type { WorkerDelivery } from "./worker-delivery.ts";

const large = 20_000;

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
