/** Whether memory stays flat. */

/** One look at a process, after a collection of garbage. */
export interface Weight {
  /** Milliseconds since the start. */
  readonly at: number;
  readonly rss: number;
  readonly heap: number;
  readonly records: number;
}

/** How one measure went, in bytes. */
export interface Trend {
  /** The mean of the first and of the last third of the samples. */
  readonly first: number;
  readonly last: number;
  /** Per minute, by least squares. */
  readonly slope: number;
  readonly isFlat: boolean;
}

/** What the last third may have more than the first: caches that fill, code that is compiled, pages that stay. */
const toleratedShare = 0.15;
const toleratedBytes = 4 * 1024 * 1024;

/** Samples of the first part of a run, in which everything happens for the first time, are left out. */
const warmUpShare = 0.2;
const fewest = 6;

/** The trend of one measure; `undefined` when there are too few samples to tell. */
export function trendOf(weights: readonly Weight[], measure: "rss" | "heap" | "records"): Trend | undefined {
  const samples = weights.slice(Math.ceil(weights.length * warmUpShare));
  if (samples.length < fewest) return undefined;
  const third = Math.floor(samples.length / 3);
  const values = samples.map((sample) => sample[measure]);
  const first = meanOf(values.slice(0, third));
  const last = meanOf(values.slice(-third));
  const minutes = samples.map(({ at }) => at / 60_000);
  return {
    first,
    last,
    slope: slopeOf(minutes, values),
    isFlat: last - first <= Math.max(toleratedBytes, first * toleratedShare),
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function slopeOf(xs: readonly number[], ys: readonly number[]): number {
  const x = meanOf(xs);
  const y = meanOf(ys);
  const covariance = xs.reduce((sum, one, index) => sum + (one - x) * ((ys[index] as number) - y), 0);
  const variance = xs.reduce((sum, one) => sum + (one - x) ** 2, 0);
  return variance === 0 ? 0 : covariance / variance;
}
