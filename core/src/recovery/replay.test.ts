import { describe, expect, it } from "vitest";
import type { ChannelRecord, ConsumerRecord } from "./records.ts";
import { bindingsToMake, channelSetup, consumersToStart, exchangesToDeclare, queuesToDeclare } from "./replay.ts";
import { Topology } from "./topology.ts";

const all = { mode: "all", filter: {} } as const;
const transient = { mode: "transient", filter: {} } as const;
const none = { mode: "none", filter: {} } as const;

const channel: ChannelRecord = { id: 1, number: 1, mode: "plain", prefetch: undefined, prefetchGlobal: undefined };
const consumer = (consumerTag: string, more: Partial<ConsumerRecord> = {}): ConsumerRecord => ({
  channelId: 1,
  consumerTag,
  queue: "durable",
  noAck: false,
  exclusive: false,
  arguments: {},
  prefetch: 0,
  ...more,
});

function topology(): Topology {
  const made = new Topology();
  const exchangeDefaults = { type: "topic", internal: false, arguments: {} };
  made.exchangeDeclared({ ...exchangeDefaults, name: "lasting", durable: true, autoDelete: false });
  made.exchangeDeclared({ ...exchangeDefaults, name: "passing", durable: true, autoDelete: true });
  const queueDefaults = { serverNamed: false, autoDelete: false, arguments: {} };
  made.queueDeclared({ ...queueDefaults, name: "durable", durable: true, exclusive: false });
  made.queueDeclared({ ...queueDefaults, name: "exclusive", durable: false, exclusive: true });
  for (const [source, destination] of [
    ["lasting", "durable"],
    ["passing", "durable"],
    ["lasting", "exclusive"],
  ] as const) {
    made.bound({ destinationKind: "queue", source, destination, routingKey: "#", arguments: {} });
  }
  return made;
}

describe("topology modes", () => {
  it("all: everything, in the order in which it was made", () => {
    expect(exchangesToDeclare(topology(), all).map(({ name }) => name)).toEqual(["lasting", "passing"]);
    expect(queuesToDeclare(topology(), all).map(({ name }) => name)).toEqual(["durable", "exclusive"]);
    expect(bindingsToMake(topology(), all)).toHaveLength(3);
  });

  it("transient: what the server forgets, and the bindings that touch it", () => {
    expect(exchangesToDeclare(topology(), transient).map(({ name }) => name)).toEqual(["passing"]);
    expect(queuesToDeclare(topology(), transient).map(({ name }) => name)).toEqual(["exclusive"]);
    expect(bindingsToMake(topology(), transient).map(({ source, destination }) => [source, destination])).toEqual([
      ["passing", "durable"],
      ["lasting", "exclusive"],
    ]);
  });

  it("none: nothing", () => {
    const options = none;
    expect(exchangesToDeclare(topology(), options)).toEqual([]);
    expect(queuesToDeclare(topology(), options)).toEqual([]);
    expect(bindingsToMake(topology(), options)).toEqual([]);
  });

  it("a filter leaves single things out", () => {
    const options = { mode: "all", filter: { queue: ({ name }: { name: string }) => name !== "durable" } } as const;
    expect(queuesToDeclare(topology(), options).map(({ name }) => name)).toEqual(["exclusive"]);
  });

  it("a filter changes attributes, and no names", () => {
    const other = { arguments: { "x-max-length": 5 }, name: "other", serverNamed: true, type: "fanout" };
    const change = <T>(record: T): T => ({ ...record, ...other });
    const options = { mode: "all", filter: { queue: change, exchange: change, consumer: change } } as const;
    const made = topology();
    made.consumerStarted(consumer("a", { prefetch: 4, noAck: true }));
    const [before, after] = [queuesToDeclare(made, all), queuesToDeclare(made, options)];
    expect(after).toMatchObject(before.map((queue) => ({ ...queue, arguments: other.arguments })));
    const exchanges = exchangesToDeclare(made, all);
    expect(exchangesToDeclare(made, options).map(({ name, type }) => [name, type])).toEqual(
      exchanges.map(({ name }) => [name, "fanout"]),
    );
    const [step] = consumersToStart(made, channel, ["a"], options);
    expect(step).toMatchObject({
      consumer: { ...consumer("a", { prefetch: 4, noAck: true }), arguments: other.arguments },
    });
    // Only this time.
    expect(queuesToDeclare(made, all)).toEqual(before);
  });
});

describe("a channel", () => {
  it("gets its mode and the shared prefetch back right after opening", () => {
    expect(channelSetup({ ...channel, mode: "confirm", prefetchGlobal: 9 })).toEqual([
      { type: "confirm.select" },
      { type: "basic.qos", prefetchCount: 9, global: true },
    ]);
    expect(channelSetup({ ...channel, mode: "tx" })).toEqual([{ type: "tx.select" }]);
  });

  it("gets each consumer with the prefetch it was started with, and its own prefetch at the end", () => {
    const made = topology();
    made.consumerStarted(consumer("a", { prefetch: 4 }));
    made.consumerStarted(consumer("b", { prefetch: 1 }));
    made.consumerStarted(consumer("c", { prefetch: 1 }));
    made.consumerStarted(consumer("elsewhere", { channelId: 2 }));
    const steps = consumersToStart(made, { ...channel, prefetch: 7 }, ["a", "b", "c", "elsewhere"], all).map((step) =>
      step.type === "basic.consume"
        ? step.consumer.consumerTag
        : step.type === "basic.qos"
          ? step.prefetchCount
          : step.type,
    );
    expect(steps).toEqual([4, "a", 1, "b", "c", 7]);
  });

  it("gets the shared prefetch again as soon as no limit of a consumer lifts it any more", () => {
    const stepsOf = (prefetch: number, ...prefetches: number[]): unknown[] => {
      const made = topology();
      for (const [index, own] of prefetches.entries()) made.consumerStarted(consumer(`c${index}`, { prefetch: own }));
      return consumersToStart(made, { ...channel, prefetch, prefetchGlobal: 9 }, ["c0", "c1"], all).map((step) =>
        step.type === "basic.consume"
          ? step.consumer.consumerTag
          : step.type === "basic.qos" && [step.prefetchCount, step.global],
      );
    };
    expect(stepsOf(0, 0, 0)).toEqual(["c0", "c1"]);
    expect(stepsOf(4, 4, 4)).toEqual([[4, false], [9, true], "c0", "c1"]);
    expect(stepsOf(0, 4, 0)).toEqual([[4, false], "c0", [0, false], [9, true], "c1"]);
  });

  it("starts the consumer of direct replies first, and sets no prefetch for consumers without acknowledgements", () => {
    const made = topology();
    made.consumerStarted(consumer("work", { noAck: true, prefetch: 5 }));
    made.consumerStarted(consumer("replies", { queue: "amq.rabbitmq.reply-to", noAck: true }));
    const steps = consumersToStart(made, channel, ["work", "replies"], all);
    expect(steps.map((step) => (step.type === "basic.consume" ? step.consumer.consumerTag : step.type))).toEqual([
      "replies",
      "work",
    ]);
  });
});
