/**
 * Fuzzes the engine and the embedded broker: `npm run fuzz -- --seconds 60`.
 *
 *     --seconds N       for how long (default 60)
 *     --seed N          where chance begins (default: the time)
 *     --only NAME       engine or broker (default: both in turn)
 *     --save            adds inputs that led somewhere new to the corpus
 *     --replay FILE     runs one input, such as a finding, and shows what it leads to
 *
 * A finding is an exception that is not allowed, a rule that does not hold, an input that takes memory or time out of
 * all proportion. Its input is made small and written to the corpus, where the tests run it from then on. It exits with
 * 1 when there was one. The work is done in a thread, so that one that hangs can be told from one that is slow.
 */

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { brokerTarget, engineTarget, hashOf } from "../../conformance/src/simulation/fuzz/index.ts";
import { corpusFolder, type FuzzOrders, type FuzzProgress, inputSize, targetOf } from "./fuzz-orders.ts";

/** An input that takes longer hangs. */
const longestCase = 10_000;
const watchEvery = 1000;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    only: { type: "string" },
    save: { type: "boolean", default: false },
    replay: { type: "string" },
  },
});

if (values.replay === undefined) fuzz();
else replay(values.replay);

function replay(file: string): void {
  const bytes = new Uint8Array(readFileSync(file));
  const { signature } = targetOf(path.basename(file)).run(bytes);
  console.log(signature.join("\n"));
}

function fuzz(): void {
  const orders: FuzzOrders = {
    seconds: Number(values.seconds),
    seed: Number(values.seed ?? Date.now() % 1_000_000_000),
    targets: [engineTarget, brokerTarget]
      .map(({ name }) => name)
      .filter((name) => values.only === undefined || name === values.only),
    save: values.save,
    input: new SharedArrayBuffer(inputSize),
  };
  if (orders.targets.length === 0) throw new Error(`--only is engine or broker, not ${values.only}`);
  console.log(`seed ${orders.seed}`);
  const worker = new Worker(fileURLToPath(new URL("fuzz-worker.ts", import.meta.url)), { workerData: orders });
  const head = new Int32Array(orders.input, 0, 3);
  let lastCase = -1;
  let changedAt = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    if (head[0] !== lastCase) {
      lastCase = head[0] as number;
      changedAt = now;
    } else if (now - changedAt > longestCase) {
      const bytes = new Uint8Array(orders.input, 12, head[1]).slice();
      const file = `finding-${orders.targets[head[2] as number]}-${hashOf(bytes).toString(16)}.bin`;
      writeFileSync(path.join(corpusFolder, file), bytes);
      console.log(`${file}: it hangs`);
      process.exitCode = 1;
      void worker.terminate();
    }
  }, watchEvery);
  worker.on("message", (progress: FuzzProgress) => {
    console.log(progress.line);
    if (progress.isFinding) process.exitCode = 1;
  });
  worker.on("error", (error) => {
    console.error(error);
    process.exitCode = 1;
  });
  worker.on("exit", () => clearInterval(watch));
}
