/** The working thread of fuzz.ts. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import {
  distil,
  findingOf,
  Fuzzer,
  type FuzzTarget,
  hashOf,
  shrinkInput,
} from "../../conformance/src/simulation/fuzz/index.ts";
import { Random } from "../../conformance/src/simulation/random.ts";
import { corpusFolder, type FuzzOrders, type FuzzProgress, targetOf } from "./fuzz-orders.ts";

const mib = 1024 * 1024;
/** What an input may make a target allocate, garbage included: so much, and so much for each octet. */
const mostAllocated = 8 * mib;
const mostAllocatedPerOctet = 2000;
/** What a target may still hold when it has had its input. */
const mostHeld = 2 * mib;
const mostHeldPerOctet = 200;
const weighEvery = 2000;
const slowCase = 1000;
const reportEvery = 10_000;
const largestKept = 2048;
const mostKept = 150;

const orders = workerData as FuzzOrders;
const head = new Int32Array(orders.input, 0, 3);
const input = new Uint8Array(orders.input, 12);
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const random = new Random(orders.seed);
const fuzzers = orders.targets.map((name) => new Fuzzer(targetOf(name), random.fork(), corpusOf(name)));
const started = performance.now();
const found = new Set<string>();
let cases = 0;
let bytesFed = 0;
let largestGrowth = 0;
let slowest = 0;
let reported = started;

for (const fuzzer of fuzzers) for (const bytes of fuzzer.corpus) feed(fuzzer, bytes);
while (performance.now() - started < orders.seconds * 1000) {
  const fuzzer = fuzzers[cases % fuzzers.length] as Fuzzer;
  feed(fuzzer, fuzzer.next());
  if (performance.now() - reported > reportEvery) report();
}
report();
if (orders.save) fuzzers.forEach(save);

function feed(fuzzer: Fuzzer, bytes: Uint8Array): void {
  const { target } = fuzzer;
  cases += 1;
  bytesFed += bytes.length;
  input.set(bytes);
  head[1] = bytes.length;
  head[2] = orders.targets.indexOf(target.name);
  head[0] = cases;
  const since = performance.now();
  const before = allocated();
  try {
    const outcome = target.run(bytes);
    const growth = allocated() - before;
    largestGrowth = Math.max(largestGrowth, growth);
    slowest = Math.max(slowest, performance.now() - since);
    fuzzer.learn(bytes, outcome);
    if (growth > mostAllocated + mostAllocatedPerOctet * bytes.length) {
      finding(target, bytes, `${growth} bytes allocated for ${bytes.length} bytes of input`);
    }
  } catch {
    finding(target, shrinkInput(target, bytes), findingOf(target, bytes) ?? "it is not repeatable");
  }
  if (performance.now() - since > slowCase && isSlow(target, bytes)) finding(target, bytes, "it is slow");
  if (cases % weighEvery === 0) weigh(target, bytes);
}

/** Whether an input takes long every time: on a busy machine anything may once. */
function isSlow(target: FuzzTarget, bytes: Uint8Array): boolean {
  for (let again = 0; again < 3; again += 1) {
    const since = performance.now();
    findingOf(target, bytes);
    if (performance.now() - since <= slowCase) return false;
  }
  return true;
}

/** What a target holds in the end, without garbage. */
function weigh(target: FuzzTarget, bytes: Uint8Array): void {
  collectGarbage();
  const before = allocated();
  let survivor: unknown;
  try {
    ({ survivor } = target.run(bytes));
  } catch {
    return;
  }
  collectGarbage();
  const held = allocated() - before;
  if (held > mostHeld + mostHeldPerOctet * bytes.length && survivor !== undefined) {
    finding(target, bytes, `${held} bytes held after ${bytes.length} bytes of input`);
  }
}

function allocated(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

function finding(target: FuzzTarget, bytes: Uint8Array, words: string): void {
  const kind = words.replaceAll(/\d+/g, "#");
  if (found.has(kind)) return;
  found.add(kind);
  const file = `finding-${target.name}-${hashOf(bytes).toString(16)}.bin`;
  writeFileSync(path.join(corpusFolder, file), bytes);
  say(`FOUND ${file}: ${words}`, true);
}

function report(): void {
  reported = performance.now();
  const seconds = (reported - started) / 1000;
  const known = fuzzers.map(
    ({ target, corpus, signatures }) => `${target.name}: ${corpus.length} kept, ${signatures} signatures`,
  );
  say(
    `${seconds.toFixed(0)} s: ${cases} inputs (${Math.round(cases / seconds)}/s), ${(bytesFed / mib).toFixed(0)} MiB, ` +
      `most memory for one ${(largestGrowth / mib).toFixed(1)} MiB, slowest ${slowest.toFixed(0)} ms; ${known.join("; ")}; ` +
      `${found.size} findings`,
    false,
  );
}

function say(line: string, isFinding: boolean): void {
  parentPort?.postMessage({ line, isFinding } satisfies FuzzProgress);
}

function corpusOf(name: FuzzTarget["name"]): Uint8Array[] {
  return readdirSync(corpusFolder)
    .filter((file) => file.includes(name))
    .sort()
    .map((file) => new Uint8Array(readFileSync(path.join(corpusFolder, file))));
}

function save({ target, corpus }: Fuzzer): void {
  const small = corpus.filter((bytes) => bytes.length <= largestKept && findingOf(target, bytes) === undefined);
  for (const bytes of distil(target, small).slice(0, mostKept)) {
    writeFileSync(path.join(corpusFolder, `${target.name}-${hashOf(bytes).toString(16).padStart(8, "0")}.bin`), bytes);
  }
}
