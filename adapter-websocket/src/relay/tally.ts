/** Counts by name. */

/** Names that nobody has are forgotten, so it is never larger than the number of those that are counted. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    this.#counts.set(name, this.#countOf(name) + 1);
  }

  remove(name: string): void {
    const left = this.#countOf(name) - 1;
    if (left === 0) this.#counts.delete(name);
    else this.#counts.set(name, left);
  }

  /** Whether as many as may be have the name. @param limit 0: there is none. */
  isFull(name: string, limit: number): boolean {
    return limit > 0 && this.#countOf(name) >= limit;
  }

  #countOf(name: string): number {
    return this.#counts.get(name) ?? 0;
  }
}
