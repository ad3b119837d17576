/** How fast counters grow, for figures and a chart. */

/** Samples that are kept: a minute's worth, at two a second. */
const kept = 120;

export class RateMeter {
  readonly #history: number[] = [];
  #last: { readonly count: number; readonly at: number } | undefined;

  /** Notes a count at a time in milliseconds; gives the growth a second since the last note. */
  note(count: number, at: number): number {
    const last = this.#last;
    this.#last = { count, at };
    if (last === undefined || at <= last.at) return 0;
    const rate = ((count - last.count) / (at - last.at)) * 1_000;
    this.#history.push(rate);
    if (this.#history.length > kept) this.#history.shift();
    return rate;
  }

  get highest(): number {
    return Math.max(0, ...this.#history);
  }

  /** The history as an SVG path, the newest at the right, in a box of so many units. */
  path(width: number, height: number, highest: number): string {
    const scale = highest > 0 ? (height - 4) / highest : 0;
    const first = kept - this.#history.length;
    const points = this.#history.map((rate, index) => {
      const x = ((first + index) / (kept - 1)) * width;
      return `${x.toFixed(1)} ${(height - 2 - rate * scale).toFixed(1)}`;
    });
    return points.length < 2 ? "" : `M${points.join("L")}`;
  }
}
