import { describe, expect, it } from "vitest";
import { Broker } from "./broker.ts";
import { type TestClient, World } from "./testing/client.ts";

const goodbye = { replyCode: 200, replyText: "", classId: 0, methodId: 0 };

/** A client that consumes from a queue of its own. */
function consuming(world: World, queue = "q"): TestClient {
  const client = world.client();
  client.send(1, "queue.declare", { queue, exclusive: true });
  client.send(1, "basic.consume", { queue, consumerTag: "t" });
  client.heard();
  return client;
}

describe("heartbeats", () => {
  it("are sent when nothing else is, and a silent client is dropped after two to three intervals", () => {
    const world = new World(new Broker());
    const client = world.client({ heartbeat: 2 });
    const sizes: number[] = [];
    for (let second = 0; second < 5; second += 1) {
      world.pass(1000);
      sizes.push(client.connection.takeOutput().reduce((size, piece) => size + piece.length, 0));
    }
    // The first half interval had the answers of the handshake in it.
    expect(sizes).toEqual([0, 8, 8, 8, 8]);
    expect(client.connection.transport).toBe("keep");
    world.pass(1000);
    expect(client.connection.transport).toBe("drop");
    expect(world.broker.connections).toEqual([]);
  });

  it("keep a client that sends them", () => {
    const world = new World(new Broker());
    const client = world.client({ heartbeat: 2 });
    for (let second = 0; second < 20; second += 1) {
      world.pass(1000);
      client.heartbeat();
    }
    expect(client.connection.phase).toBe("running");
  });
});

describe("time limits", () => {
  it("end a handshake that takes too long", () => {
    const world = new World(new Broker());
    const client = world.stranger();
    world.pass(9999);
    expect(client.connection.transport).toBe("keep");
    world.pass(1);
    expect(client.connection.transport).toBe("drop");
  });

  it("end a connection whose client does not answer a close", () => {
    const world = new World(new Broker());
    const client = world.client({ heartbeat: 5 });
    client.connection.close({ replyCode: 320, replyText: "CONNECTION_FORCED - bye" });
    expect(client.heard()).toEqual(['0 connection.close 320 "CONNECTION_FORCED - bye" (0,0)']);
    world.pass(4999);
    expect(client.connection.transport).toBe("keep");
    world.pass(1);
    expect(client.connection.transport).toBe("drop");
  });

  it("close the channel of a client that leaves a delivery unsettled, or cancel its consumer", () => {
    const outcomes = (["4.0", "4.3"] as const).map((profile) => {
      const world = new World(new Broker({ profile, limits: { consumerTimeout: 1000 } }));
      const client = world.client();
      const table = { "x-queue-type": "quorum" };
      client.send(1, "queue.declare", { queue: "q", durable: true, arguments: table });
      client.send(1, "basic.consume", { queue: "q", consumerTag: "t" });
      client.publish("q", ["x"]);
      client.heard();
      world.pass(999);
      expect(client.heard()).toEqual([]);
      world.pass(1);
      expect(world.broker.queue("q")).toMatchObject({ messageCount: 1, unsettledCount: 0, consumers: [] });
      return client.heard();
    });
    expect(outcomes).toEqual([
      [
        '1 channel.close 406 "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: ' +
          '1000 ms. This timeout value can be configured, see consumers doc guide to learn more" (0,0)',
      ],
      ['1 basic.cancel consumerTag="t" noWait=true'],
    ]);
  });

  it("leave it to the client to end the transport after its close", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(0, "connection.close", goodbye);
    expect(client.heard()).toEqual(["0 connection.close-ok"]);
    expect(client.connection.transport).toBe("keep");
    world.pass(30_000);
    expect(client.connection.transport).toBe("drop");
  });
});

describe("an alarm", () => {
  it("stops whoever publishes, from then on and in order, and nobody else", () => {
    const world = new World(new Broker());
    const publisher = world.client();
    const consumer = consuming(world);
    world.broker.block("low on memory");
    expect(publisher.heard()).toEqual([]);
    publisher.publish("q", ["first", "second"]);
    publisher.send(1, "queue.declare", { queue: "q2", exclusive: true });
    expect(publisher.heard()).toEqual(['0 connection.blocked reason="low on memory"']);
    expect(publisher.connection.isReading).toBe(false);
    consumer.send(1, "queue.declare", { queue: "q", passive: true });
    expect(consumer.heard()).toEqual(['1 queue.declare-ok queue="q" messageCount=0 consumerCount=1']);
    world.broker.unblock();
    expect(publisher.heard()).toEqual([
      "0 connection.unblocked",
      '1 queue.declare-ok queue="q2" messageCount=0 consumerCount=0',
    ]);
    expect(consumer.heard()).toHaveLength(2);
  });

  it("is not told to a client that has not said that it understands", () => {
    const world = new World(new Broker());
    const publisher = world.client({ capabilities: {} });
    world.broker.block();
    publisher.publish("nobody", ["x"]);
    publisher.send(1, "confirm.select", {});
    expect(publisher.heard()).toEqual([]);
    expect(publisher.connection.isBlocked).toBe(true);
    world.broker.unblock();
    expect(publisher.heard()).toEqual(["1 confirm.select-ok"]);
  });

  it("is set by too many bytes in queues, and cleared when they are gone", () => {
    const world = new World(new Broker({ limits: { memoryHighWater: 10 } }));
    const publisher = world.client();
    publisher.send(1, "queue.declare", { queue: "q" });
    publisher.publish("q", ["123456", "123456"]);
    publisher.publish("q", ["waits"]);
    expect(publisher.heard()).toContain('0 connection.blocked reason="low on memory"');
    expect(world.broker.queue("q")?.messageCount).toBe(2);
    const consumer = world.client();
    consumer.send(1, "basic.get", { queue: "q", noAck: true });
    // What waited is published now, and it is too much again.
    expect(publisher.heard()).toEqual(["0 connection.unblocked", '0 connection.blocked reason="low on memory"']);
    expect(world.broker.queue("q")?.messageCount).toBe(2);
    expect(publisher.connection.isBlocked).toBe(true);
    world.broker.deleteQueue("q");
    expect(publisher.heard()).toEqual(["0 connection.unblocked"]);
  });

  it("does not stop heartbeats of the server, and forgives the client's", () => {
    const world = new World(new Broker());
    const publisher = world.client({ heartbeat: 1 });
    world.broker.block();
    publisher.publish("nobody", ["x"]);
    world.pass(20_000);
    expect(publisher.connection.transport).toBe("keep");
    expect(publisher.connection.takeOutput().reduce((size, piece) => size + piece.length, 0)).toBeGreaterThan(200);
  });
});

describe("faults on request", () => {
  it("drop a connection: its messages go back, its queues end", () => {
    const world = new World(new Broker());
    const other = world.client();
    other.send(1, "queue.declare", { queue: "shared" });
    const client = world.client();
    client.send(1, "queue.declare", { queue: "mine", exclusive: true });
    client.send(1, "basic.consume", { queue: "shared", consumerTag: "t" });
    other.publish("shared", ["x"]);
    expect(world.broker.queue("shared")).toMatchObject({ messageCount: 0, unsettledCount: 1 });
    client.connection.drop();
    expect(client.connection.transport).toBe("drop");
    expect(world.broker.queue("mine")).toBeUndefined();
    expect(world.broker.queue("shared")).toMatchObject({
      messageCount: 1,
      unsettledCount: 0,
      consumers: [],
      messages: [{ redelivered: true }],
    });
  });

  it("freeze a connection: nothing moves, and what it owns stays locked until it thaws", () => {
    const world = new World(new Broker());
    const frozen = world.client({ heartbeat: 1 });
    frozen.send(1, "queue.declare", { queue: "ex", exclusive: true });
    frozen.heard();
    frozen.connection.freeze();
    frozen.send(1, "queue.declare", { queue: "ex2", exclusive: true });
    world.pass(10_000);
    frozen.connection.transportClosed(world.now);
    expect(frozen.connection.takeOutput()).toEqual([]);
    const other = world.client();
    other.send(1, "queue.declare", { queue: "ex", exclusive: true });
    expect(other.heard()[0]).toMatch(/405 "RESOURCE_LOCKED/);
    frozen.connection.thaw();
    expect(world.broker.queue("ex")).toBeUndefined();
    expect(world.broker.queue("ex2")).toBeUndefined();
  });

  it("thaw a connection that is still there: it goes on with what has arrived", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.connection.freeze();
    client.send(1, "confirm.select", {});
    expect(client.heard()).toEqual([]);
    client.connection.thaw();
    expect(client.heard()).toEqual(["1 confirm.select-ok"]);
  });

  it("delay what is sent", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.connection.delayOutput(100);
    client.send(1, "confirm.select", {});
    expect(client.heard()).toEqual([]);
    world.pass(99);
    expect(client.heard()).toEqual([]);
    client.connection.delayOutput(0);
    client.send(1, "tx.rollback", {});
    world.pass(1);
    expect(client.heard()[0]).toBe("1 confirm.select-ok");
    expect(client.connection.hasOutput).toBe(false);
  });

  it("close a connection or a channel with any code", () => {
    const world = new World(new Broker());
    const client = consuming(world);
    client.send(2, "channel.open", {});
    client.connection.closeChannel(1, { replyCode: 404, replyText: "NOT_FOUND - gone", method: "basic.consume" });
    client.send(1, "basic.ack", { deliveryTag: 99 });
    client.send(1, "channel.close-ok", {});
    client.send(1, "channel.open", {});
    client.connection.close({ replyCode: 541, replyText: "INTERNAL_ERROR" });
    client.send(0, "connection.close-ok", {});
    expect(client.heard()).toEqual([
      "2 channel.open-ok",
      '1 channel.close 404 "NOT_FOUND - gone" (basic.consume)',
      "1 channel.open-ok",
      '0 connection.close 541 "INTERNAL_ERROR" (0,0)',
    ]);
    expect(client.connection.transport).toBe("end");
  });

  it("cancel a consumer", () => {
    const world = new World(new Broker());
    const client = consuming(world);
    expect(client.connection.cancelConsumer(1, "t")).toBe(true);
    expect(client.connection.cancelConsumer(1, "t")).toBe(false);
    expect(client.heard()).toEqual(['1 basic.cancel consumerTag="t" noWait=true']);
    expect(world.broker.queue("q")?.consumers).toEqual([]);
  });

  it("send anything", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.connection.inject(7, "basic.get-empty", {});
    client.connection.inject(0, "connection.tune", { channelMax: 1, frameMax: 1, heartbeat: 1 });
    expect(client.heard()).toEqual(["7 basic.get-empty", "0 connection.tune channelMax=1 frameMax=1 heartbeat=1"]);
    client.connection.injectBytes(Uint8Array.of(9, 9, 9));
    expect(client.connection.takeOutput()).toEqual([Uint8Array.of(9, 9, 9)]);
  });

  it("refuse publishes that a queue would take", () => {
    const world = new World(new Broker({ confirms: { nackRate: 1 } }));
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q", exclusive: true });
    client.send(1, "confirm.select", {});
    client.publish("q", ["x"]);
    expect(client.heard().at(-1)).toBe("1 basic.nack deliveryTag=1 multiple=true requeue=true");
    expect(world.broker.queue("q")?.messageCount).toBe(0);
  });

  it("turn connections away", () => {
    const world = new World(new Broker());
    world.broker.setAccepting(false);
    expect(world.stranger().connection.transport).toBe("drop");
    world.broker.setAccepting(true);
    expect(world.client().connection.phase).toBe("running");
  });
});

it("a virtual host that is stopped ends its connections, lets none in, and comes back with what is durable", () => {
  const world = new World(new Broker());
  const client = world.client();
  client.send(1, "queue.declare", { queue: "kept", durable: true });
  client.publish("kept", ["persistent"], { properties: { deliveryMode: 2 } });
  client.heard();
  world.broker.stopVirtualHost("/");
  expect(client.heard()).toEqual([`0 connection.close 320 "CONNECTION_FORCED - vhost '/' is down" (0,0)`]);
  world.broker.startVirtualHost("/");
  expect(world.broker.queue("kept")?.messageCount).toBe(1);
});

describe("a restart", () => {
  function filled(): World {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "exchange.declare", { exchange: "kept", type: "fanout", durable: true });
    client.send(1, "exchange.declare", { exchange: "lost", type: "fanout" });
    client.send(1, "queue.declare", { queue: "kept", durable: true });
    client.send(1, "queue.declare", { queue: "lost" });
    client.send(1, "queue.bind", { queue: "kept", exchange: "kept", routingKey: "" });
    client.send(1, "queue.bind", { queue: "lost", exchange: "kept", routingKey: "" });
    client.send(1, "queue.bind", { queue: "kept", exchange: "lost", routingKey: "" });
    client.publish("kept", ["persistent"], { properties: { deliveryMode: 2 } });
    client.publish("kept", ["transient"]);
    client.publish("kept", ["unsettled"], { properties: { deliveryMode: 2 } });
    client.send(1, "basic.get", { queue: "kept" });
    client.heard();
    return world;
  }

  it("keeps what is durable, and says goodbye", () => {
    const world = filled();
    const [connection] = world.broker.connections;
    world.broker.restart();
    expect(connection?.transport).toBe("end");
    expect(world.broker.connections).toEqual([]);
    expect(world.broker.queues().map(({ name }) => name)).toEqual(["kept"]);
    const bodies = world.broker.queue("kept")?.messages.map(({ body }) => new TextDecoder().decode(body));
    expect(bodies).toEqual(["persistent", "unsettled"]);
    expect(world.broker.bindings()).toMatchObject([{ source: "kept", destination: "kept" }]);
    expect(world.broker.exchanges().some(({ name }) => name === "lost")).toBe(false);
  });

  it("keeps nothing, and drops everybody, where that is wanted", () => {
    const world = filled();
    const [connection] = world.broker.connections;
    world.broker.restart({ keepDurable: false, isGraceful: false });
    expect(connection?.transport).toBe("drop");
    expect(world.broker.queues()).toEqual([]);
    expect(world.broker.exchanges().map(({ name }) => name)).toContain("amq.direct");
    expect(world.broker.exchanges().some(({ name }) => name === "kept")).toBe(false);
    expect(world.broker.heldBytes).toBe(0);
  });
});
