import { describe, expect, it } from "vitest";
import { Broker } from "./broker.ts";
import { World } from "./testing/client.ts";

function bodies(lines: readonly string[]): string[] {
  return lines.flatMap((line) => / "(\w+)"$/.exec(line)?.[1] ?? []);
}

describe("the order on a channel", () => {
  it("is return before ack, consume-ok before delivery, recover-ok before redelivery, delivery before cancel-ok", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q", exclusive: true });
    client.send(1, "confirm.select", {});
    client.publish("q", ["one"]);
    client.publish("nobody", ["lost"], { mandatory: true });
    client.send(1, "basic.consume", { queue: "q", consumerTag: "t" });
    client.send(1, "basic.recover", { requeue: true });
    client.send(1, "basic.cancel", { consumerTag: "t" });
    client.publish("q", ["after"]);
    expect(client.heard()).toEqual([
      '1 queue.declare-ok queue="q" messageCount=0 consumerCount=0',
      "1 confirm.select-ok",
      "1 basic.ack deliveryTag=1 multiple=false",
      '1 basic.return replyCode=312 replyText="NO_ROUTE" exchange="" routingKey="nobody" {} "lost"',
      "1 basic.ack deliveryTag=2 multiple=false",
      '1 basic.consume-ok consumerTag="t"',
      '1 basic.deliver consumerTag="t" deliveryTag=1 redelivered=false exchange="" routingKey="q" {} "one"',
      "1 basic.recover-ok",
      '1 basic.deliver consumerTag="t" deliveryTag=2 redelivered=true exchange="" routingKey="q" {} "one"',
      '1 basic.cancel-ok consumerTag="t"',
      "1 basic.ack deliveryTag=3 multiple=false",
    ]);
  });

  it("puts the confirms of one turn together, and nacks too", () => {
    const world = new World(new Broker());
    const client = world.client();
    const table = { "x-max-length": 3, "x-overflow": "reject-publish" };
    client.send(1, "queue.declare", { queue: "q", exclusive: true, arguments: table });
    client.send(1, "confirm.select", {});
    client.heard();
    client.publish("q", ["1", "2", "3", "4", "5", "6"]);
    expect(client.heard()).toEqual([
      "1 basic.ack deliveryTag=3 multiple=true",
      "1 basic.nack deliveryTag=6 multiple=true requeue=true",
    ]);
  });

  it("counts delivery tags for get and for no-ack deliveries too", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q", exclusive: true });
    client.publish("q", ["1", "2", "3"]);
    client.send(1, "basic.get", { queue: "q", noAck: true });
    client.send(1, "basic.get", { queue: "q" });
    client.send(1, "basic.consume", { queue: "q", consumerTag: "t", noAck: true });
    expect(client.heard().filter((line) => line.includes("deliveryTag="))).toEqual([
      '1 basic.get-ok deliveryTag=1 redelivered=false exchange="" routingKey="q" messageCount=2 {} "1"',
      '1 basic.get-ok deliveryTag=2 redelivered=false exchange="" routingKey="q" messageCount=1 {} "2"',
      '1 basic.deliver consumerTag="t" deliveryTag=3 redelivered=false exchange="" routingKey="q" {} "3"',
    ]);
  });

  it("ends the connection for a method behind tx.commit, in the versions that do", () => {
    const outcomes = (["4.0", "4.3"] as const).map((profile) => {
      const world = new World(new Broker({ profile }));
      const client = world.client();
      client.send(1, "queue.declare", { queue: "q", exclusive: true });
      client.send(1, "tx.select", {});
      client.publish("q", ["x"]);
      client.heard();
      const commit = Uint8Array.of(1, 0, 1, 0, 0, 0, 4, 0, 90, 0, 20, 0xce);
      client.bytes(Uint8Array.of(...commit, ...commit));
      return client.heard();
    });
    expect(outcomes).toEqual([
      [`0 connection.close 504 "CHANNEL_ERROR - unexpected command while processing 'tx.commit'" (tx.commit)`],
      ["1 tx.commit-ok", "1 tx.commit-ok"],
    ]);
  });
});

describe("consumers", () => {
  it("take turns", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q", exclusive: true });
    for (const consumerTag of ["a", "b", "c"])
      client.send(1, "basic.consume", { queue: "q", consumerTag, noAck: true });
    client.heard();
    client.publish("q", ["1", "2", "3", "4"]);
    const tags = client.heard().map((line) => /consumerTag="(\w)"/.exec(line)?.[1]);
    expect(tags).toEqual(["a", "b", "c", "a"]);
  });

  it("wait for credit, and go on where they were passed over", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q", exclusive: true });
    client.send(1, "basic.qos", { prefetchSize: 0, prefetchCount: 2 });
    client.send(1, "basic.consume", { queue: "q", consumerTag: "t" });
    client.publish("q", ["1", "2", "3", "4", "5"]);
    expect(bodies(client.heard())).toEqual(["1", "2"]);
    client.send(1, "basic.ack", { deliveryTag: 2 });
    expect(bodies(client.heard())).toEqual(["3"]);
    client.send(1, "basic.nack", { deliveryTag: 0, multiple: true, requeue: true });
    expect(bodies(client.heard())).toEqual(["1", "3"]);
    expect(world.broker.queue("q")).toMatchObject({ messageCount: 2, unsettledCount: 2 });
  });

  it("share a limit for the channel, where the version knows one", () => {
    const taken = (["4.0", "4.3"] as const).map((profile) => {
      const world = new World(new Broker({ profile }));
      const client = world.client();
      client.send(1, "queue.declare", { queue: "q", exclusive: true });
      client.send(1, "basic.qos", { prefetchSize: 0, prefetchCount: 2, global: true });
      for (const consumerTag of ["a", "b"]) client.send(1, "basic.consume", { queue: "q", consumerTag });
      client.publish("q", ["1", "2", "3", "4", "5"]);
      return bodies(client.heard());
    });
    expect(taken).toEqual([
      ["1", "2"],
      ["1", "2", "3", "4"],
    ]);
  });

  it("get nothing while their client does not read, and the rest when it does", () => {
    const limits = { outputHighWater: 1000, maxOutput: 100_000 };
    const world = new World(new Broker({ limits }));
    const client = world.client();
    const publisher = world.client();
    client.send(1, "queue.declare", { queue: "q" });
    client.send(1, "basic.consume", { queue: "q", consumerTag: "t", noAck: true });
    client.heard();
    publisher.publish(
      "q",
      Array.from({ length: 100 }, (_each, index) => `m${index}`),
    );
    expect(world.broker.queue("q")?.messageCount).toBeGreaterThan(80);
    const received: string[] = [];
    for (let heard = bodies(client.heard()); heard.length > 0; heard = bodies(client.heard())) received.push(...heard);
    expect(received).toEqual(Array.from({ length: 100 }, (_each, index) => `m${index}`));
  });

  it("do not see a message that expired behind another", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q", exclusive: true });
    client.publish("q", ["stays"]);
    client.publish("q", ["expires"], { properties: { expiration: "10" } });
    world.pass(20);
    client.send(1, "basic.consume", { queue: "q", consumerTag: "t" });
    expect(bodies(client.heard())).toEqual(["stays"]);
    expect(world.broker.heldBytes).toBe(5);
  });
});

describe("what is held in memory", () => {
  it("is given back, whatever becomes of a message", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q", exclusive: true, arguments: { "x-max-length": 4 } });
    client.publish("q", ["aaaa", "bbbb", "cccc", "dddd", "eeee"]);
    expect(world.broker.heldBytes).toBe(16);
    client.send(1, "basic.get", { queue: "q" });
    client.send(1, "basic.get", { queue: "q", noAck: true });
    client.send(1, "basic.get", { queue: "q" });
    expect(world.broker.heldBytes).toBe(12);
    client.send(1, "basic.ack", { deliveryTag: 1 });
    client.send(1, "basic.reject", { deliveryTag: 3, requeue: false });
    expect(world.broker.heldBytes).toBe(4);
    client.send(1, "basic.get", { queue: "q" });
    client.send(1, "queue.delete", { queue: "q" });
    client.send(1, "basic.ack", { deliveryTag: 4 });
    expect(world.broker.heldBytes).toBe(0);
    expect(client.heard().some((line) => line.includes("close"))).toBe(false);
  });
});

describe("streams", () => {
  it("keep what was read, and drop what is too old or too much, segment by segment", () => {
    const world = new World(new Broker());
    const client = world.client();
    const table = { "x-queue-type": "stream", "x-max-length-bytes": 20, "x-stream-max-segment-size-bytes": 10 };
    client.send(1, "queue.declare", { queue: "s", durable: true, arguments: table });
    for (let count = 0; count < 10; count += 1) client.publish("s", [`body${count}`]);
    const { messages = [] } = world.broker.queue("s") ?? {};
    expect(messages.map(({ position }) => position)).toEqual([6, 7, 8, 9]);
    client.send(1, "basic.qos", { prefetchSize: 0, prefetchCount: 3 });
    client.send(1, "basic.consume", { queue: "s", consumerTag: "t", arguments: { "x-stream-offset": "first" } });
    expect(bodies(client.heard())).toEqual(["body6", "body7", "body8"]);
    client.send(1, "basic.nack", { deliveryTag: 1, requeue: true });
    expect(bodies(client.heard())).toEqual(["body9"]);
    client.send(1, "channel.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
    expect(world.broker.queue("s")?.messageCount).toBe(4);
  });
});
