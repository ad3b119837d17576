/** The order in which endpoints are tried. */

/** The same elements in an order that `random` (0 to 1, one call per element) decides, each order equally likely. */
export function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last -= 1) {
    // A generator that includes 1 may not lead outside.
    const other = Math.min(last, Math.floor(random() * (last + 1)));
    [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
  }
  return shuffled;
}
