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
      renew(this);
    }
    return isGone;
  }
}

/** Has a map hold its entries in a table without gaps. */
export function renew<K, V>(map: Iterable<[K, V]> & { clear(): void; set(key: K, value: V): unknown }): void {
  const entries = [...map];
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}
