/** What a row of the comparison with Pika is. */

/** One behaviour that Pika documents or tests, and what shows that it is here. */
export interface ParityRow {
  /** Its name with Pika: of a test, a call, or a claim. */
  readonly pika: string;
  /** What it asks for, in a few words; and what is different here, where something is. */
  readonly means: string;
  /**
   * What shows it: `"group: case"` of the conformance suite, `"io: subject: case"` of the I/O contract, `"FILE > test"`
   * of a unit test, or the path of an example. Empty for what has no place here; then `means` says why.
   */
  readonly shownBy: readonly string[];
}

/** Rows under a headline. */
export interface ParitySection {
  readonly title: string;
  readonly rows: readonly ParityRow[];
}

/** A row, short to write. */
export function row(pika: string, means: string, ...shownBy: readonly string[]): ParityRow {
  return { pika, means, shownBy };
}
