/** A rule of the simulation that did not hold. */

/** Thrown by a check; the seed that led to it replays it. */
export class InvariantViolation extends Error {
  /** The rule, in a few words. */
  readonly rule: string;

  constructor(rule: string, details: string) {
    super(`${rule}: ${details}`);
    this.name = "InvariantViolation";
    this.rule = rule;
  }
}

/** Throws unless the condition holds. */
export function invariant(condition: boolean, rule: string, details: () => string): asserts condition {
  if (!condition) throw new InvariantViolation(rule, details());
}
