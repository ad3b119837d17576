/** Clients that mean harm, or are careless: what they can make the broker hold, and whom they can make fail. */

import { Output, writeMethod } from "@leveret/core/wire";
import { describe, expect, it } from "vitest";
import { Broker } from "./broker.ts";
import type { BrokerOptions } from "./options.ts";
import { QueueConsumers, type QueueConsumer } from "./queues/queue-consumers.ts";
import { type TestClient, World } from "./testing/client.ts";

/** A header frame of channel 1 that announces a body of so many octets, without properties. */
const header = (size: number): Uint8Array =>
  Uint8Array.of(...[2, 0, 1, 0, 0, 0, 14], ...[0, 60, 0, 0], 0, 0, 0, 0, ...octetsOf(size), 0, 0, 0xce);
const octetsOf = (size: number): number[] => [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255];
const body = (...octets: number[]): Uint8Array => Uint8Array.of(3, 0, 1, ...octetsOf(octets.length), ...octets, 0xce);
const publishFrame = (routingKey: string): Uint8Array => {
  const output = new Output();
  writeMethod(output, 1, "basic.publish", { exchange: "", routingKey }, 0);
  return output.take()[0] as Uint8Array;
};
const largeHeaders = { headers: { large: "x".repeat(10_000) } };

describe("headers that fit no frame of whoever gets them", () => {
  it("end the connection that fetches them, and nothing else", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q" });
    client.publish("q", ["large"], { properties: largeHeaders });
    const small = world.client({ frameMax: 4096 });
    small.send(1, "basic.get", { queue: "q" });
    expect(small.heard().at(-1)).toContain("0 connection.close 541");
    expect(client.connection.phase).toBe("running");
    expect(world.broker.queue("q")?.messageCount).toBe(1);
  });

  it("end the connection that they come back to: the address of a direct reply is longer than what was sent", () => {
    const world = new World(new Broker());
    const client = world.client({ frameMax: 4096 });
    client.send(1, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "t", noAck: true });
    const properties = { replyTo: "amq.rabbitmq.reply-to", headers: { large: "x".repeat(4020) } };
    client.publish("nobody", ["lost"], { mandatory: true, properties });
    expect(client.heard().at(-1)).toContain("0 connection.close 541");
  });
});

const limited = (limits: BrokerOptions["limits"]) => new World(new Broker({ limits, virtualHosts: ["/", "other"] }));

describe("more than the broker is to hold", () => {
  it("queues: with a further one the channel ends, in RabbitMQ's words", () => {
    const world = limited({ maxQueues: 2 });
    const client = world.client();
    client.send(1, "queue.declare", { queue: "a" });
    client.send(1, "queue.declare", { queue: "mine", exclusive: true });
    client.send(1, "queue.declare", { queue: "a" });
    expect(client.heard().at(-1)).toContain("queue.declare-ok");
    client.send(1, "queue.declare", { queue: "c" });
    const words = "PRECONDITION_FAILED - cannot declare queue 'c': queue limit in vhost '/' (2) is reached";
    expect(client.heard().at(-1)).toContain(words);
    expect(client.connection.phase).toBe("running");
    const other = world.client();
    other.send(1, "queue.delete", { queue: "a" });
    other.send(1, "queue.declare", { queue: "c" });
    expect(other.heard().at(-1)).toContain("queue.declare-ok");
  });

  it("exchanges: those that are there from the beginning count", () => {
    const predeclared = new Broker().exchanges().length;
    const client = limited({ maxExchanges: predeclared + 1 }).client();
    for (const exchange of ["x", "x"]) client.send(1, "exchange.declare", { exchange, type: "fanout" });
    expect(client.heard().at(-1)).toContain("exchange.declare-ok");
    client.send(1, "exchange.declare", { exchange: "y", type: "fanout" });
    const words = `cannot declare exchange 'y' in vhost '/': exchange limit of ${predeclared + 1} is reached`;
    expect(client.heard().at(-1)).toContain(words);
  });

  it("a virtual host has what it has from the beginning, whatever the limit", () => {
    expect(limited({ maxExchanges: 1 }).broker.exchanges()).toEqual(new Broker().exchanges());
  });

  it("bindings, of queues and of exchanges: what goes with a queue or an exchange counts no more", () => {
    const world = limited({ maxBindings: 3 });
    const client = world.client();
    client.send(1, "exchange.declare", { exchange: "x", type: "topic" });
    client.send(1, "exchange.declare", { exchange: "y", type: "fanout" });
    client.send(1, "queue.declare", { queue: "q" });
    const bind = (routingKey: string) => client.send(1, "queue.bind", { queue: "q", exchange: "x", routingKey });
    const fill = (): void => {
      for (const key of ["a", "b", "a"]) bind(key);
      client.send(1, "exchange.bind", { source: "x", destination: "y", routingKey: "c" });
      expect(world.broker.bindings().filter(({ source }) => source === "x")).toHaveLength(3);
    };
    fill();
    client.send(1, "queue.delete", { queue: "q" });
    client.send(1, "exchange.unbind", { source: "x", destination: "y", routingKey: "c" });
    client.send(1, "queue.declare", { queue: "q" });
    fill();
    client.send(1, "exchange.delete", { exchange: "x" });
    client.send(1, "exchange.declare", { exchange: "x", type: "topic" });
    fill();
    client.send(1, "exchange.delete", { exchange: "y" });
    client.send(1, "exchange.declare", { exchange: "y", type: "fanout" });
    bind("d");
    client.heard();
    client.send(1, "exchange.bind", { source: "x", destination: "y", routingKey: "" });
    expect(client.heard().at(-1)).toContain("cannot bind exchange 'y' in vhost '/': binding limit of 3 is reached");
    const other = world.client();
    other.send(1, "queue.bind", { queue: "q", exchange: "x", routingKey: "e" });
    expect(other.heard().at(-1)).toContain("cannot bind queue 'q' in vhost '/': binding limit of 3 is reached");
  });
});

describe("arguments have a limit in bytes", () => {
  const large = (size: number) => ({ "x-note": "n".repeat(size) });
  const declare = (client: TestClient, queue: string, size: number) =>
    client.send(1, "queue.declare", { queue, arguments: large(size) });

  it("of queues, exchanges and bindings together: what goes with them counts no more", () => {
    const world = limited({ maxArgumentBytes: 4_000 });
    const fill = (client: TestClient): void => {
      declare(client, "q", 800);
      client.send(1, "exchange.declare", { exchange: "x", type: "fanout", arguments: large(800) });
      client.send(1, "exchange.declare", { exchange: "y", type: "fanout" });
      // The second time it is the same binding.
      for (let i = 0; i < 2; i += 1) {
        client.send(1, "queue.bind", { queue: "q", exchange: "x", routingKey: "", arguments: large(600) });
        client.send(1, "exchange.bind", { source: "x", destination: "y", routingKey: "", arguments: large(600) });
      }
      expect(world.broker.bindings().filter(({ source }) => source === "x")).toHaveLength(2);
    };
    const client = world.client();
    fill(client);
    for (const exchange of ["x", "y"]) client.send(1, "exchange.delete", { exchange });
    client.send(1, "queue.delete", { queue: "q" });
    fill(client);
    client.send(1, "exchange.unbind", { source: "x", destination: "y", routingKey: "", arguments: large(600) });
    client.send(1, "queue.delete", { queue: "q" });
    client.send(1, "exchange.delete", { exchange: "x" });
    fill(client);
    world.broker.restart({ keepDurable: false });
    fill(world.client());
  });

  it.each<[string, (client: TestClient) => void]>([
    ["declare queue 'r'", (client) => declare(client, "r", 800)],
    [
      "declare exchange 'r'",
      (client) => client.send(1, "exchange.declare", { exchange: "r", type: "fanout", arguments: large(800) }),
    ],
    [
      "bind queue 'q'",
      (client) => client.send(1, "queue.bind", { queue: "q", exchange: "x", routingKey: "", arguments: large(800) }),
    ],
  ])("refuses to %s when it is reached, and keeps nothing of it", (what, send) => {
    const world = limited({ maxArgumentBytes: 2_000 });
    const client = world.client();
    declare(client, "q", 800);
    client.send(1, "exchange.declare", { exchange: "x", type: "headers" });
    send(client);
    const words = `PRECONDITION_FAILED - cannot ${what} in vhost '/': argument limit of 2000 bytes is reached`;
    expect(client.heard().at(-1)).toContain(words);
    const other = world.client();
    declare(other, "s", 300);
    expect(other.heard().at(-1)).toContain("queue.declare-ok");
  });

  it("counts many small ones for what they take in memory", () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-${index}`, null]));
    const client = limited({ maxArgumentBytes: 10_000 }).client();
    client.send(1, "queue.declare", { queue: "q", arguments: many });
    expect(client.heard().at(-1)).toContain("argument limit of 10000 bytes is reached");
  });
});

describe("options that make no sense", () => {
  it.each<[BrokerOptions, string]>([
    [{ confirms: { delay: Number.NaN } }, "confirms.delay"],
    [{ confirms: { jitter: -1 } }, "confirms.jitter"],
    [{ confirms: { delay: Number.POSITIVE_INFINITY } }, "confirms.delay"],
    [{ confirms: { nackRate: 1.5 } }, "confirms.nackRate"],
    [{ confirms: { grouping: "many" as never } }, "confirms.grouping"],
    [{ tuning: { channelMax: 65_536 } }, "tuning.channelMax"],
    [{ tuning: { heartbeat: 1.5 } }, "tuning.heartbeat"],
    [{ tuning: { frameMax: 2 ** 32 } }, "tuning.frameMax"],
    [{ limit: {} } as never, "not limit"],
    [{ limits: { maxQueue: 3 } as never }, "each of the limits is one of maxConnections"],
    [{ tuning: { heartbeats: 3 } as never }, "not heartbeats"],
    [{ confirms: { group: "single" } as never }, "not group"],
    [3 as never, "options is an object, not 3"],
  ])("are refused, and named: %o", (options, name) => {
    expect(() => new Broker(options)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(name) }),
    );
  });
});

describe("a dead letter with a key that is too long for any method", () => {
  it.each(["basic.get", "basic.consume"] as const)(
    "ends the connection that gets it, and nothing else: %s",
    (method) => {
      const world = new World(new Broker());
      const client = world.client();
      const table = { "x-dead-letter-exchange": "amq.fanout", "x-dead-letter-routing-key": "k".repeat(300) };
      client.send(1, "queue.declare", { queue: "graves" });
      client.send(1, "queue.bind", { queue: "graves", exchange: "amq.fanout", routingKey: "" });
      client.send(1, "queue.declare", { queue: "q", arguments: { ...table, "x-max-length": 0 } });
      client.publish("q", ["dead"]);
      expect(world.broker.queue("graves")?.messageCount).toBe(1);
      const other = world.client();
      if (method === "basic.get") other.send(1, method, { queue: "graves" });
      else other.send(1, method, { queue: "graves", consumerTag: "t" });
      expect(other.heard().at(-1)).toContain("0 connection.close 541");
      expect(client.connection.phase).toBe("running");
      expect(world.broker.queue("graves")?.messageCount).toBe(1);
    },
  );
});

describe("what hangs on one another", () => {
  it("goes with the last of it, however much it is", () => {
    const world = new World(new Broker());
    const client = world.client();
    const count = 20_000;
    client.send(1, "queue.declare", { queue: "q" });
    for (let i = 0; i < count; i += 1) {
      client.send(1, "exchange.declare", { exchange: `e${i}`, type: "fanout", autoDelete: true, noWait: true });
      const binding = { source: `e${i}`, routingKey: "", noWait: true };
      if (i > 0) client.send(1, "exchange.bind", { ...binding, destination: `e${i - 1}` });
      else client.send(1, "queue.bind", { queue: "q", exchange: "e0", routingKey: "", noWait: true });
    }
    const before = world.broker.exchanges().length;
    client.send(1, "queue.delete", { queue: "q" });
    expect(world.broker.exchanges()).toHaveLength(before - count);
    expect(client.heard().at(-1)).toBe("1 queue.delete-ok messageCount=0");
  });
});

describe("exchanges that lead to each other", () => {
  it("have each queue get a message once, and the broker go on", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q" });
    for (const exchange of ["a", "b", "c"]) client.send(1, "exchange.declare", { exchange, type: "fanout" });
    const bind = (source: string, destination: string): void =>
      client.send(1, "exchange.bind", { source, destination, routingKey: "" });
    bind("a", "b");
    bind("b", "c");
    bind("c", "b");
    bind("c", "a");
    for (const exchange of ["b", "c"]) client.send(1, "queue.bind", { queue: "q", exchange, routingKey: "" });
    client.publish("", ["once"], { exchange: "a" });
    expect(world.broker.queue("q")?.messageCount).toBe(1);
  });
});

describe("consumers that come and go", () => {
  const consumer = (priority = 0): QueueConsumer => ({
    ...{ tag: "t", priority, exclusive: false, noAck: false, parkedAt: undefined, unsettled: 0 },
    hasCredit: () => true,
    deliver: () => {},
    cancelledByServer: () => {},
  });

  it("leave nothing behind on a queue without messages", () => {
    const consumers = new QueueConsumers(false);
    const staying = [consumer(), consumer()];
    for (const one of staying) consumers.add(one);
    for (let i = 0; i < 1000; i += 1) {
      const passing = consumer(i % 2 === 0 ? 0 : i);
      consumers.add(passing);
      consumers.remove(passing);
    }
    expect(consumers.lineLength).toBeLessThan(10);
    // The turn of those that stay is as it was.
    expect([consumers.next(), consumers.next(), consumers.next()]).toEqual([staying[0], staying[1], staying[0]]);
  });

  it("are noted once, however often they may have credit again", () => {
    const consumers = new QueueConsumers(false);
    const parked = { ...consumer(), hasCredit: () => false };
    consumers.add(parked);
    expect(consumers.next()).toBeUndefined();
    for (let i = 0; i < 1000; i += 1) consumers.unpark(parked);
    expect(consumers.lineLength).toBe(1);
  });
});

describe("a body in many frames", () => {
  it("is put together, also from frames with nothing in them", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q" });
    client.bytes(publishFrame("q"));
    client.bytes(header(5));
    for (const frame of [body(), body(1), body(), body(2, 3), body(4), body(), body(5)]) client.bytes(frame);
    expect(world.broker.queue("q")?.messages[0]?.body).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
  });
});

describe("memory that no queue holds yet", () => {
  it("is counted while a transaction does, and blocks the publisher", () => {
    const world = new World(new Broker({ limits: { memoryHighWater: 1000 } }));
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q" });
    client.send(1, "tx.select", {});
    client.publish("q", ["x".repeat(600)]);
    expect(world.broker.heldBytes).toBe(600);
    client.publish("q", ["x".repeat(600)]);
    expect(world.broker.alarm).toBe("low on memory");
    expect(client.connection.isBlocked).toBe(true);
    client.connection.transportClosed(world.now);
    expect([world.broker.heldBytes, world.broker.alarm]).toEqual([0, undefined]);
  });

  it("is that of messages without a body as well", () => {
    const world = new World(new Broker({ limits: { overheadHighWater: 3 * 256 + 100 } }));
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q" });
    client.publish("q", ["", "", ""]);
    expect([world.broker.heldBytes, world.broker.alarm]).toEqual([0, undefined]);
    client.publish("q", [""], { properties: { headers: { large: "x".repeat(100) } } });
    expect(world.broker.alarm).toBe("low on memory");
    expect(client.connection.isBlocked).toBe(true);
    world.broker.deleteQueue("q");
    expect([world.broker.alarm, client.connection.isBlocked]).toEqual([undefined, false]);
  });

  it("is counted for streams until a segment is dropped", () => {
    const world = new World(new Broker({ limits: { overheadHighWater: 1000 } }));
    const client = world.client();
    const table = { "x-queue-type": "stream", "x-max-length-bytes": 1, "x-stream-max-segment-size-bytes": 1 };
    client.send(1, "queue.declare", { queue: "s", durable: true, arguments: table });
    for (let i = 0; i < 100; i += 1) client.publish("s", ["1"]);
    expect([world.broker.heldBytes, world.broker.alarm]).toEqual([1, undefined]);
  });

  it("is that of the queues after a commit, and nobody's after a rollback", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q" });
    client.send(1, "tx.select", {});
    client.publish("q", ["four"]);
    client.send(1, "tx.commit", {});
    client.publish("q", ["more"]);
    expect(world.broker.heldBytes).toBe(8);
    client.send(1, "tx.rollback", {});
    expect(world.broker.heldBytes).toBe(4);
    client.send(1, "queue.purge", { queue: "q" });
    expect(world.broker.heldBytes).toBe(0);
  });

  it("is not that of direct replies to whoever does not read: they are lost", () => {
    const world = new World(new Broker({ limits: { maxOutput: 10_000 } }));
    const requester = world.client();
    const responder = world.client();
    requester.send(1, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "t", noAck: true });
    responder.send(1, "queue.declare", { queue: "q" });
    requester.publish("q", ["request"], { properties: { replyTo: "amq.rabbitmq.reply-to" } });
    const address = String(world.broker.queue("q")?.messages[0]?.properties.replyTo);
    expect(address).toMatch(/^amq\.rabbitmq\.reply-to\./);
    requester.heard();
    for (let i = 0; i < 30; i += 1) responder.publish(address, ["x".repeat(1000)]);
    const arrived = requester.heard().length;
    expect(arrived).toBeGreaterThan(8);
    expect(arrived).toBeLessThan(12);
    responder.publish(address, ["again"]);
    expect(requester.heard().at(-1)).toContain("again");
  });

  it("is let go of with its virtual host", () => {
    const world = new World(new Broker({ virtualHosts: ["/", "other"] }));
    const client = world.client({ virtualHost: "other" });
    client.send(1, "queue.declare", { queue: "q", arguments: { "x-expires": 60_000 } });
    client.publish("q", ["four"]);
    expect(world.broker.heldBytes).toBe(4);
    world.broker.deleteVirtualHost("other");
    expect(world.broker.heldBytes).toBe(0);
    client.connection.transportClosed(world.now);
    expect(world.broker.nextDeadline()).toBeUndefined();
  });
});

describe("a connection that is over", () => {
  it("does not stay for ever with a client that takes nothing any more", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.connection.end();
    expect(client.connection.transport).toBe("end");
    world.pass(29_999);
    expect(client.connection.transport).toBe("end");
    world.pass(1);
    expect(client.connection.transport).toBe("drop");
  });

  it("has no deadline once its transport is gone", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(0, "connection.close", { replyCode: 200, replyText: "", classId: 0, methodId: 0 });
    expect(world.broker.nextDeadline()).toBeDefined();
    client.connection.transportClosed(world.now);
    expect(world.broker.nextDeadline()).toBeUndefined();
  });
});

describe("alarms", () => {
  it("end when none is left: a publisher is not told otherwise", () => {
    const world = new World(new Broker({ limits: { memoryHighWater: 3 } }));
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q" });
    client.publish("q", ["four"]);
    expect(client.heard().at(-1)).toBe('0 connection.blocked reason="low on memory"');
    world.broker.block("disk");
    world.broker.unblock();
    expect(world.broker.alarm).toBe("low on memory");
    expect([client.connection.isBlocked, client.heard()]).toEqual([true, []]);
    world.broker.deleteQueue("q");
    expect([client.connection.isBlocked, client.heard()]).toEqual([false, ["0 connection.unblocked"]]);
  });

  it("have a reason that can be told", () => {
    const broker = new Broker();
    expect(() => broker.block("ä".repeat(128))).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(broker.alarm).toBeUndefined();
    broker.block("x".repeat(255));
    expect(broker.alarm).toBeDefined();
  });
});

describe("a virtual host that stops", () => {
  it("loses what is transient, also what clients had", () => {
    const world = new World(new Broker());
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q", durable: true });
    client.publish("q", ["kept"], { properties: { deliveryMode: 2 } });
    client.publish("q", ["lost", "lost"]);
    client.send(1, "basic.consume", { queue: "q", consumerTag: "t" });
    world.broker.stopVirtualHost("/");
    expect(world.broker.queue("q")?.messageCount).toBe(1);
    expect(world.broker.heldBytes).toBe(4);
  });
});
