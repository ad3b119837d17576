import { describe, expect, it } from "vitest";
import { bytes, errorOf, failure, settled, withChannel } from "./testing/fixture.ts";

const refused = { name: "UsageError", code: "INVALID_ARGUMENT", outcome: "not-sent" };

describe("a signal", () => {
  it("ends the wait, and the late answer is not taken for another's", async () => {
    const { io, server, channel } = await withChannel();
    server.on("queue.declare");
    const controller = new AbortController();
    const error = errorOf(channel.queueDeclare({ queue: "slow", signal: controller.signal }));
    const next = channel.queuePurge({ queue: "q" });
    await io.settle();
    controller.abort("enough");
    await io.settle();
    expect(await error).toMatchObject({ name: "AbortError", code: "ABORTED", cause: "enough", outcome: "unknown" });
    server.method(1, "queue.declare-ok", { queue: "slow", messageCount: 0, consumerCount: 0 });
    expect(await settled(io, next)).toEqual({ messageCount: 7 });
  });

  it("does not take back a call that waits for its turn, and says so", async () => {
    const { io, server, channel } = await withChannel();
    server.on("queue.declare");
    const before = channel.queueDeclare({ queue: "slow" });
    const controller = new AbortController();
    const error = errorOf(channel.queuePurge({ queue: "q", signal: controller.signal }));
    await io.settle();
    controller.abort();
    await io.settle();
    expect(server.sentOf("queue.purge")).toEqual([]);
    expect(await error).toMatchObject({ code: "ABORTED", outcome: "unknown" });
    server.method(1, "queue.declare-ok", { queue: "slow", messageCount: 0, consumerCount: 0 });
    await settled(io, before);
    expect(server.sentOf("queue.purge")).toHaveLength(1);
  });

  it("that is aborted already sends nothing", async () => {
    const { io, server, channel } = await withChannel();
    const signal = AbortSignal.abort();
    expect(await failure(io, channel.queueDeclare({ signal }))).toMatchObject({ code: "ABORTED", outcome: "not-sent" });
    expect(await failure(io, channel.basicConsume({ queue: "q", signal }))).toMatchObject({ outcome: "not-sent" });
    expect(await failure(io, channel.basicGet({ queue: "q", signal }))).toMatchObject({ outcome: "not-sent" });
    expect(server.log).toEqual([]);
    expect(channel.consumerTags).toEqual([]);
  });

  it("gives back a message that nobody waits for any more", async () => {
    const { io, server, channel } = await withChannel();
    server.on("basic.get");
    const controller = new AbortController();
    const error = errorOf(channel.basicGet({ queue: "q", signal: controller.signal }));
    await io.settle();
    controller.abort();
    server.gotMessage(1, "late");
    await io.settle();
    expect(await error).toMatchObject({ code: "ABORTED" });
    expect(server.log).toEqual(["1 basic.get", "1 basic.nack 1 requeue"]);
  });

  it("cancels a consumer that nobody waits for any more", async () => {
    const { io, server, channel } = await withChannel();
    server.on("basic.consume");
    const controller = new AbortController();
    const consumer = channel.basicConsume({ queue: "q", consumerTag: "t", signal: controller.signal }, () => {});
    const error = errorOf(consumer);
    await io.settle();
    controller.abort();
    await io.settle();
    expect(await error).toMatchObject({ code: "ABORTED" });
    server.method(1, "basic.consume-ok", { consumerTag: "t" });
    server.deliver(1, "t", ["a", "b"]);
    await io.settle();
    expect(server.log.slice(-3)).toEqual(["1 basic.cancel t", "1 basic.nack 1 requeue", "1 basic.nack 2 requeue"]);
    expect(channel.consumerTags).toEqual([]);
  });

  it("cancels it also when as many requests wait as may", async () => {
    const { io, server, channel } = await withChannel({ limits: { maxWaitingRequests: 1 } });
    server.on("queue.purge");
    void channel.queuePurge({ queue: "q" });
    const controller = new AbortController();
    const consumer = { queue: "q", consumerTag: "t", noAck: true, signal: controller.signal };
    const error = errorOf(channel.basicConsume(consumer, () => {}));
    controller.abort();
    await io.settle();
    expect(await error).toMatchObject({ code: "ABORTED", outcome: "unknown" });
    expect(await failure(io, channel.queuePurge({ queue: "q" }))).toMatchObject({ code: "LIMIT_REACHED" });
    server.method(1, "queue.purge-ok", { messageCount: 0 });
    await io.settle();
    expect(server.log.slice(-2)).toEqual([expect.stringMatching("basic.consume"), "1 basic.cancel t"]);
  });
});

describe("what is no signal", () => {
  it("is refused, such as the controller, before anything is sent", async () => {
    const { io, server, connection, channel } = await withChannel();
    const signal = new AbortController() as never;
    const legal = { ...refused, message: "signal is an AbortSignal, not [object AbortController]" };
    const message = { exchange: "", routingKey: "q", body: bytes("1") };
    const sent = server.sent.length;
    for (const call of [
      () => channel.queueDeclare({ queue: "q", signal }),
      () => channel.basicPublish({ ...message, signal }),
      () => channel.basicConsume({ queue: "q", signal }),
      () => channel.confirmSelect({ signal }),
      () => connection.openChannel({ signal }),
      () => connection.openPublisher({ signal }),
    ]) {
      expect(await errorOf(call())).toMatchObject(legal);
    }
    await io.settle();
    expect(server.sent).toHaveLength(sent);
  });

  it("is told from one of another library, and from none", async () => {
    const { io, server, channel } = await withChannel();
    await settled(io, channel.queueDeclare({ queue: "a", signal: undefined }));
    const foreign = { aborted: false, reason: undefined, addEventListener: () => {}, removeEventListener: () => {} };
    await settled(io, channel.queueDeclare({ queue: "b", signal: foreign as never }));
    expect(server.sentOf("queue.declare")).toHaveLength(2);
  });
});
