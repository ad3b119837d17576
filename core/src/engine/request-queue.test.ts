import { describe, expect, it } from "vitest";
import { ProtocolError, UsageError } from "../wire/errors.ts";
import { FrameWriter, newCounters } from "./frame-writer.ts";
import { PendingRequest } from "./request.ts";
import { RequestQueue } from "./request-queue.ts";
import { SentFrames } from "./testing/server.ts";

interface Queue {
  readonly queue: RequestQueue;
  /** What was written since the last look: the queues that were declared or purged, by name. */
  written(): string[];
}

function queueOf(limit = 10): Queue {
  const writer = new FrameWriter(newCounters());
  writer.header();
  const sent = new SentFrames();
  const queue = new RequestQueue(limit, { writer, requestWritten: () => undefined });
  const written = (): string[] =>
    sent.read(writer.take()).flatMap((frame) => {
      if (frame.type !== "method") return [];
      return "queue" in frame.method.fields ? [frame.method.fields.queue] : [frame.method.name];
    });
  return { queue, written };
}

function declare({ queue }: Queue, name: string, noWait = false): PendingRequest<"queue.declare"> {
  const request = new PendingRequest("queue.declare", 1, noWait);
  queue.add(request, { queue: name, noWait });
  return request;
}

describe("RequestQueue", () => {
  it("has one request in flight, and sends the next with each reply", () => {
    const queue = queueOf();
    const requests = ["a", "b", "c"].map((name) => declare(queue, name));
    expect(queue.written()).toEqual(["a"]);
    expect(requests.map(({ sent }) => sent)).toEqual([true, false, false]);
    expect(queue.queue.reply("queue.declare-ok")).toBe(requests[0]);
    expect(queue.written()).toEqual(["b"]);
    expect(queue.queue.reply("queue.declare-ok")).toBe(requests[1]);
    expect(queue.queue.reply("queue.declare-ok")).toBe(requests[2]);
    expect(requests.every(({ ended }) => ended)).toBe(true);
    expect(queue.queue.drain()).toEqual([]);
  });

  it("sends a no-wait request at once when no other waits, and else when its turn comes", () => {
    const queue = queueOf();
    declare(queue, "n1", true);
    declare(queue, "a");
    declare(queue, "n2", true);
    expect(queue.written()).toEqual(["n1", "a", "n2"]);
    declare(queue, "b");
    declare(queue, "n3", true);
    declare(queue, "n4", true);
    declare(queue, "c");
    expect(queue.written()).toEqual([]);
    queue.queue.reply("queue.declare-ok");
    expect(queue.written()).toEqual(["b"]);
    queue.queue.reply("queue.declare-ok");
    expect(queue.written()).toEqual(["n3", "n4", "c"]);
  });

  it("sends a waiting request as it was at the call", () => {
    const queue = queueOf();
    declare(queue, "a");
    const fields = { queue: "before" };
    queue.queue.add(new PendingRequest("queue.purge", 1), fields);
    fields.queue = "after";
    queue.written();
    queue.queue.reply("queue.declare-ok");
    expect(queue.written()).toEqual(["before"]);
  });

  it("refuses a reply that nothing waits for, or that answers something else", () => {
    const queue = queueOf();
    expect(() => queue.queue.reply("queue.declare-ok")).toThrow(ProtocolError);
    const request = declare(queue, "a");
    expect(() => queue.queue.reply("queue.purge-ok")).toThrow(
      expect.objectContaining({ code: "COMMAND_INVALID", message: expect.stringContaining("queue.purge-ok") }),
    );
    expect(request.ended).toBe(false);
    expect(queue.queue.reply("queue.declare-ok")).toBe(request);
  });

  it("takes either reply of a request that has two", () => {
    const queue = queueOf();
    for (const reply of ["basic.get-ok", "basic.get-empty"] as const) {
      const request = new PendingRequest("basic.get", 1);
      queue.queue.add(request, { queue: "q" });
      expect(queue.queue.expect(reply)).toBe(request);
      expect(queue.queue.reply(reply)).toBe(request);
    }
  });

  it("refuses what exceeds the limit, except for the last", () => {
    const queue = queueOf(2);
    for (const name of ["a", "b", "c"]) declare(queue, name);
    expect(() => declare(queue, "d")).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED", message: expect.stringContaining("limits.maxWaitingRequests") }),
    );
    queue.queue.addLast(new PendingRequest("channel.close", 1), {
      replyCode: 200,
      replyText: "",
      classId: 0,
      methodId: 0,
    });
    for (let i = 0; i < 3; i += 1) queue.queue.reply("queue.declare-ok");
    expect(queue.written()).toEqual(["a", "b", "c", "channel.close"]);
  });

  it.each(["at once", "later"])("refuses what cannot be encoded, and forgets it, when it would be sent %s", (when) => {
    const queue = queueOf();
    if (when === "later") declare(queue, "a");
    expect(() => declare(queue, "x".repeat(256))).toThrow(UsageError);
    const next = declare(queue, "b");
    if (when === "later") queue.queue.reply("queue.declare-ok");
    expect(queue.queue.drain()).toEqual([next]);
  });

  it("drains everything that was not answered, oldest first, without what needs no answer", () => {
    const queue = queueOf();
    const a = declare(queue, "a");
    const b = declare(queue, "b");
    const n = declare(queue, "n", true);
    const c = declare(queue, "c");
    expect(queue.queue.drain()).toEqual([a, b, c]);
    expect([a, b, n, c].every(({ ended }) => ended)).toBe(true);
    expect([a.sent, b.sent]).toEqual([true, false]);
    expect(queue.queue.drain()).toEqual([]);
    expect(() => queue.queue.reply("queue.declare-ok")).toThrow(ProtocolError);
  });
});
