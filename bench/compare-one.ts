/** One side of a comparison: `node bench/compare-one.ts WIRE WORDS` prints nanoseconds of CPU time by name, as JSON. */

import { pathToFileURL } from "node:url";
import type * as Wire from "@leveret/core/wire";
import { codecMeasurements } from "./micro.ts";
import { spread } from "./results.ts";

const rounds = 5;
const warmUp = 40_000;
const batch = 10_000;
const roundMicroseconds = 30_000;

const [wire = "", words = ""] = process.argv.slice(2);
const module = (await import(pathToFileURL(wire).href)) as typeof Wire;
const costs: Record<string, number> = {};
for (const { name, run } of codecMeasurements(module)) {
  if (!words.split(" ").every((word) => name.includes(word))) continue;
  run(warmUp);
  const found: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    let operations = 0;
    let used = 0;
    while (used < roundMicroseconds) {
      operations += run(batch);
      const { user, system } = process.cpuUsage(before);
      used = user + system;
    }
    found.push((used * 1000) / operations);
  }
  // What disturbs a process only ever makes it slower.
  costs[name] = spread(found).least;
}
console.log(JSON.stringify(costs));
