/** Deletions, beyond as many as there are entries, after which a map is replaced. */
const renewAfter = 1000;

/**
 * A map that never holds much, and through which much passes.
 *
 * V8 moves a `Map` to a new table after some deletions, and the old table refers to the new one. When one of them has got
 * among what is old, where garbage is rarely collected, everything that passes later is kept with it: a collection then
 * costs as much as all the rest of a remote call. A map that is replaced now and then ends the chain.
 */
export class PassingMap<K, V> {
  /** `undefined` while nothing is in it. */
  #map: Map<K, V> | undefined;
  #deletions = 0;

  get size(): number {
    return this.#map?.size ?? 0;
  }

  get(key: K): V | undefined {
    return this.#map?.get(key);
  }

  set(key: K, value: V): void {
    this.#map ??= new Map();
    this.#map.set(key, value);
  }

  /** Who iterates meanwhile may go on with what there was before. */
  delete(key: K): boolean {
    if (this.#map?.delete(key) !== true) return false;
    this.#deletions += 1;
    if (this.#deletions > renewAfter + this.#map.size) {
      this.#map = new Map(this.#map);
      this.#deletions = 0;
    }
    return true;
  }

  clear(): void {
    this.#map = undefined;
    this.#deletions = 0;
  }

  values(): Iterable<V> {
    return this.#map?.values() ?? [];
  }
}
