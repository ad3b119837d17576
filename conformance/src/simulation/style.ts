/** How runs of the simulation differ. */

/** How much goes wrong in a run, and how fast. */
export interface Style {
  /** The part of the steps that are faults. */
  readonly faultShare: number;
  /** Virtual time between two steps, at most. */
  readonly longestBreath: number;
}

/** The styles of runs: in some, much goes wrong in little time; in others connections grow old. */
export const styles: readonly [Style, ...Style[]] = [
  { faultShare: 0.12, longestBreath: 60 },
  { faultShare: 0.04, longestBreath: 200 },
  { faultShare: 0.01, longestBreath: 1_500 },
  { faultShare: 0, longestBreath: 400 },
];
