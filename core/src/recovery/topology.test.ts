import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BindingRecord,
  bindingKey,
  type ConsumerRecord,
  type ExchangeRecord,
  type QueueRecord,
} from "./records.ts";
import { Topology } from "./topology.ts";

const exchange = (name: string, more: Partial<ExchangeRecord> = {}): ExchangeRecord => ({
  name,
  type: "direct",
  durable: true,
  autoDelete: false,
  internal: false,
  arguments: {},
  ...more,
});
const queue = (name: string, more: Partial<QueueRecord> = {}): QueueRecord => ({
  name,
  serverNamed: false,
  durable: true,
  exclusive: false,
  autoDelete: false,
  arguments: {},
  ...more,
});
const binding = (source: string, destination: string, more: Partial<BindingRecord> = {}): BindingRecord => ({
  destinationKind: "queue",
  source,
  destination,
  routingKey: "",
  arguments: {},
  ...more,
});
const consumer = (queueName: string, consumerTag: string, channelId = 1): ConsumerRecord => ({
  channelId,
  consumerTag,
  queue: queueName,
  noAck: false,
  exclusive: false,
  arguments: {},
  prefetch: 0,
});

const names = (records: readonly { readonly name: string }[]) => records.map(({ name }) => name);

describe("bindings", () => {
  it("are the same whatever the order of their arguments, and not the same with others", () => {
    const one = binding("x", "q", { arguments: { a: 1, b: { c: null, d: [true, "x"] } } });
    const same = binding("x", "q", { arguments: { b: { d: [true, "x"], c: null }, a: 1 } });
    expect(bindingKey(one)).toBe(bindingKey(same));
    expect(bindingKey(one)).not.toBe(bindingKey(binding("x", "q", { arguments: { a: "1" } })));
    expect(bindingKey(one)).not.toBe(bindingKey(binding("x", "q")));
  });

  it("to a queue and to an exchange of the same name are two", () => {
    expect(bindingKey(binding("x", "same"))).not.toBe(
      bindingKey(binding("x", "same", { destinationKind: "exchange" })),
    );
  });
});

describe("removals", () => {
  it("count from the moment they are sent, and a refusal brings the record back", () => {
    const topology = new Topology();
    topology.queueDeclared(queue("q"));
    const removal = topology.removeQueue("q");
    expect(topology.queues).toEqual([]);
    removal.refused();
    expect(names(topology.queues)).toEqual(["q"]);
  });

  it("that were not answered are taken as done when the connection is lost", () => {
    const topology = new Topology();
    topology.exchangeDeclared(exchange("x"));
    topology.queueDeclared(queue("q"));
    topology.bound(binding("x", "q"));
    topology.removeQueue("q");
    topology.connectionLost();
    expect(topology.queue("q")).toBeUndefined();
    expect(topology.bindings).toEqual([]);
    expect(names(topology.exchanges)).toEqual(["x"]);
  });

  it("of things that were never recorded do nothing", () => {
    const topology = new Topology();
    topology.removeExchange("x").done();
    topology.removeBinding(binding("x", "q")).refused();
    expect(topology.size).toBe(0);
  });
});

describe("what the server removes by its own rules", () => {
  it("an auto-delete queue goes with its last consumer, its bindings with it, and an auto-delete source with its last binding", () => {
    const topology = new Topology();
    topology.exchangeDeclared(exchange("outer", { autoDelete: true }));
    topology.exchangeDeclared(exchange("inner", { autoDelete: true }));
    topology.queueDeclared(queue("q", { autoDelete: true }));
    topology.bound(binding("outer", "inner", { destinationKind: "exchange" }));
    topology.bound(binding("inner", "q"));
    topology.consumerStarted(consumer("q", "a"));
    topology.consumerStarted(consumer("q", "b"));
    topology.removeConsumer({ channelId: 1, consumerTag: "a" }).done();
    expect(topology.size).toBe(6);
    topology.removeConsumer({ channelId: 1, consumerTag: "b" }).done();
    expect(topology.size).toBe(0);
  });

  it("a queue that is not auto-delete stays without consumers", () => {
    const topology = new Topology();
    topology.queueDeclared(queue("q"));
    topology.consumerStarted(consumer("q", "a"));
    topology.removeConsumer({ channelId: 1, consumerTag: "a" }).done();
    expect(topology.consumer({ channelId: 1, consumerTag: "a" })).toBeUndefined();
    expect(names(topology.queues)).toEqual(["q"]);
  });

  it("consumers of two channels are two, also with equal tags", () => {
    const topology = new Topology();
    topology.queueDeclared(queue("q"));
    topology.consumerStarted(consumer("q", "same", 1));
    topology.consumerStarted(consumer("q", "same", 2));
    topology.removeConsumer({ channelId: 1, consumerTag: "same" }).done();
    expect(topology.consumer({ channelId: 1, consumerTag: "same" })).toBeUndefined();
    expect(topology.consumer({ channelId: 2, consumerTag: "same" })).toMatchObject({ channelId: 2 });
  });

  it("a deleted exchange takes the bindings of both its sides along", () => {
    const topology = new Topology();
    for (const name of ["a", "b", "c"]) topology.exchangeDeclared(exchange(name));
    topology.bound(binding("a", "b", { destinationKind: "exchange" }));
    topology.bound(binding("b", "c", { destinationKind: "exchange" }));
    topology.removeExchange("b").done();
    expect(topology.bindings).toEqual([]);
    expect(names(topology.exchanges)).toEqual(["a", "c"]);
  });
});

describe("a renamed queue", () => {
  it("keeps its place, and its bindings and consumers follow", () => {
    const topology = new Topology();
    topology.queueDeclared(queue("amq.gen-1", { serverNamed: true, autoDelete: true }));
    topology.queueDeclared(queue("other"));
    topology.bound(binding("x", "amq.gen-1"));
    topology.consumerStarted(consumer("amq.gen-1", "a"));
    topology.queuesRenamed(new Map([["amq.gen-1", "amq.gen-2"]]));
    expect(names(topology.queues)).toEqual(["amq.gen-2", "other"]);
    expect(topology.bindings.map(({ destination }) => destination)).toEqual(["amq.gen-2"]);
    expect(topology.consumer({ channelId: 1, consumerTag: "a" })?.queue).toBe("amq.gen-2");
    topology.removeConsumer({ channelId: 1, consumerTag: "a" }).done();
    expect(names(topology.queues)).toEqual(["other"]);
    expect(topology.bindings).toEqual([]);
  });

  it("is one of many: a walk through all records for each of them would take a minute and a half", () => {
    const topology = new Topology();
    const count = 10_000;
    for (let i = 0; i < count; i += 1) {
      topology.queueDeclared(queue(`old-${i}`, { serverNamed: true }));
      topology.bound(binding("x", `old-${i}`));
      topology.consumerStarted(consumer(`old-${i}`, `tag-${i}`));
    }
    const renamed = Array.from({ length: count }, (_, i) => `new-${i}`);
    topology.queuesRenamed(new Map(renamed.map((name, i) => [`old-${i}`, name])));
    expect(names(topology.queues)).toEqual(renamed);
    expect(topology.bindings.map(({ destination }) => destination)).toEqual(renamed);
    const consumers = renamed.map((_, i) => topology.consumer({ channelId: 1, consumerTag: `tag-${i}` }));
    expect(consumers.map((record) => record?.queue)).toEqual(renamed);
  });

  it("goes with its last consumer also when it is renamed while that is cancelled", () => {
    const topology = new Topology();
    topology.queueDeclared(queue("amq.gen-1", { serverNamed: true, autoDelete: true }));
    topology.consumerStarted(consumer("amq.gen-1", "a"));
    const cancelling = topology.removeConsumer({ channelId: 1, consumerTag: "a" });
    topology.queuesRenamed(new Map([["amq.gen-1", "amq.gen-2"]]));
    cancelling.done();
    expect(topology.size).toBe(0);
  });
});

it("never keeps a binding or a consumer of a queue that it saw go, and what was removed never comes back", () => {
  const name = fc.constantFrom("a", "b", "c");
  const tag = fc.constantFrom("s", "t");
  const action = fc.oneof(
    fc.record({ type: fc.constant("declare" as const), name, autoDelete: fc.boolean() }),
    fc.record({ type: fc.constant("exchange" as const), name, autoDelete: fc.boolean() }),
    fc.record({ type: fc.constant("bind" as const), source: name, name }),
    fc.record({ type: fc.constant("consume" as const), name, tag }),
    fc.record({ type: fc.constant("cancel" as const), tag }),
    fc.record({ type: fc.constant("delete" as const), name, answered: fc.constantFrom("done", "refused", "lost") }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const topology = new Topology();
      for (const act of actions) {
        if (act.type === "declare") topology.queueDeclared(queue(act.name, { autoDelete: act.autoDelete }));
        if (act.type === "exchange") topology.exchangeDeclared(exchange(act.name, { autoDelete: act.autoDelete }));
        if (act.type === "bind" && topology.queue(act.name)) topology.bound(binding(act.source, act.name));
        if (act.type === "consume" && topology.queue(act.name)) topology.consumerStarted(consumer(act.name, act.tag));
        if (act.type === "cancel") topology.removeConsumer({ channelId: 1, consumerTag: act.tag }).done();
        if (act.type === "delete") {
          const removal = topology.removeQueue(act.name);
          if (act.answered === "lost") topology.connectionLost();
          else removal[act.answered === "done" ? "done" : "refused"]();
          if (act.answered !== "refused") expect(topology.queue(act.name)).toBeUndefined();
        }
        for (const { destination } of topology.bindings) expect(topology.queue(destination)).toBeDefined();
        for (const consumerTag of ["s", "t"]) {
          const record = topology.consumer({ channelId: 1, consumerTag });
          if (record !== undefined) expect(topology.queue(record.queue)).toBeDefined();
        }
      }
    }),
  );
});
