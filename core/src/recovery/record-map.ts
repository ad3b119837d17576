/** A map for records, of which there may be many while one comes and goes. */

/** The table is made anew when the square of the deletions is so many times its entries: then both cost about the same. */
const renewAt = 32;

/**
 * A map from names, in order. Where a key is deleted and set again and again, V8 goes through what is left of each time
 * whenever it looks for that key, until the table is full: beside 10,000 others, that would be tens of thousands.
 */
export class RecordMap<T> extends Map<string, T> {
  #deletions = 0;

  /** Not for whoever iterates meanwhile. */
  override delete(key: string): boolean {
    const isGone = super.delete(key);
    if (isGone && (++this.#deletions) ** 2 > renewAt * this.size) {
      this.#deletions = 0;
      refill(this, [...this]);
    }
    return isGone;
  }
}

/** Has a map hold these entries, in place of what it held. */
export function refill<K, V>(
  map: { clear(): void; set(key: K, value: V): unknown },
  entries: readonly (readonly [K, V])[],
): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}
