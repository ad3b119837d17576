import type { LookupFunction } from "node:net";
import { describe, expect, it } from "vitest";
import { shareLookups } from "./lookups.ts";
import { connectThrough, startBench } from "./testing/bench.ts";
import { until } from "./testing/until.ts";

type Answer = Parameters<LookupFunction>[2];

describe("names of brokers", () => {
  it("are asked for once at a time, for all who want to know", () => {
    const asked: { readonly name: string; readonly answer: Answer }[] = [];
    const lookup = shareLookups((name, _, answer) => void asked.push({ name, answer }));
    const told: unknown[] = [];
    const ask = (name: string, family = 0): void =>
      lookup(name, { all: true, family }, (error, addresses) => told.push(error?.code ?? addresses));
    for (let index = 0; index < 100; index += 1) ask("rabbit");
    ask("other");
    ask("rabbit", 6);
    expect(asked.map(({ name }) => name)).toEqual(["rabbit", "other", "rabbit"]);

    const addresses = [{ address: "192.0.2.1", family: 4 }];
    asked[0]?.answer(null, addresses);
    expect(told).toEqual(Array(100).fill(addresses));
    ask("rabbit");
    ask("rabbit");
    expect(asked).toHaveLength(4);
    told.length = 0;
    asked[3]?.answer(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }), []);
    expect(told).toEqual(["ENOTFOUND", "ENOTFOUND"]);
  });

  it("lead many clients at once to the broker", async () => {
    const { upstream } = await startBench();
    const bench = await startBench({ relay: { upstream: `amqp://localhost:${upstream.port}` } });
    await Promise.all([0, 1, 2, 3, 4].map(() => connectThrough({ ...bench, upstream })));
    await until(() => upstream.connections.length === 5, "all of them");
    expect(bench.log.ends).toEqual([]);
  });
});
