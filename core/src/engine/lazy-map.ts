/** In place of all maps that have no element yet. Nothing is ever put into it. */
const empty = new Map<never, never>();

/**
 * A `Map` that is made with its first element. An empty one takes 190 bytes, and a connection with a channel has some
 * twenty that most connections never use.
 */
export class LazyMap<K, V> {
  #map = empty as Map<K, V>;

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): void {
    if (this.#map === empty) this.#map = new Map();
    this.#map.set(key, value);
  }

  delete(key: K): boolean {
    return this.#map.delete(key);
  }

  clear(): void {
    this.#map.clear();
    this.#map = empty;
  }

  keys(): Iterable<K> {
    return this.#map.keys();
  }

  values(): Iterable<V> {
    return this.#map.values();
  }

  [Symbol.iterator](): Iterator<[K, V]> {
    return this.#map[Symbol.iterator]();
  }
}
