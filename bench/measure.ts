/** Nanoseconds of CPU per operation: the median of rounds, after two to warm up. */

const rounds = 9;
const warmUpRounds = 2;
const roundMicroseconds = 300_000;
const batch = 20_000;
/** What is cheap but takes long to prepare has shorter rounds. */
const batchesOfRound = 200;

/** Something whose cost is wanted. */
export interface Measurement {
  readonly name: string;
  /** Gets ready for `count` operations, at no cost. */
  prepare?(count: number): void;
  /** Runs the operation about `count` times, and returns how often it did. */
  run(count: number): number;
}

/** Measures those whose names match the pattern of the command line, and prints a line for each. */
export function report(measurements: readonly Measurement[]): void {
  const wanted = new RegExp(process.argv[2] ?? "");
  for (const measurement of measurements) {
    if (!wanted.test(measurement.name)) continue;
    const costs = costsOf(measurement);
    const [least, median, most] = [costs[0]!, costs[costs.length >> 1]!, costs.at(-1)!].map((ns) => ns.toFixed(0));
    console.log(`${measurement.name.padEnd(50)} ${median!.padStart(6)} ns  (${least}–${most})`);
  }
}

function costsOf(measurement: Measurement): number[] {
  const costs: number[] = [];
  for (let round = -warmUpRounds; round < rounds; round++) {
    let operations = 0;
    let used = 0;
    for (let i = 0; i < batchesOfRound && used < roundMicroseconds; i++) {
      measurement.prepare?.(batch);
      const before = process.cpuUsage();
      operations += measurement.run(batch);
      const { user, system } = process.cpuUsage(before);
      used += user + system;
    }
    if (round >= 0) costs.push((used * 1000) / operations);
  }
  return costs.sort((a, b) => a - b);
}
