/** What can be fuzzed: something that takes bytes, and must survive them. */

import type { Random } from "../random.ts";

/** How a run ended. */
export interface FuzzOutcome {
  /** What the target did, in a few words: inputs that make it do something new are worth keeping. */
  readonly signature: readonly string[];
  /** The target itself, so that what it holds can be measured. */
  readonly survivor: unknown;
}

/** A machine that is fed. */
export interface FuzzTarget {
  readonly name: "engine" | "broker";
  /** A stream that makes sense. */
  stream(random: Random): Uint8Array;
  /** Frames to put into one. */
  frames(random: Random): readonly Uint8Array[];
  /**
   * Feeds bytes. The same bytes do the same.
   *
   * @throws InvariantViolation when a rule does not hold. Whatever else is thrown is a finding too.
   */
  run(bytes: Uint8Array): FuzzOutcome;
}
