/** A binary heap: the smallest item first, by a number that an item has for as long as it is in the heap. */

/** A list of items that gives the one with the smallest key first. O(log n) to add and to take. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #keyOf: (item: T) => number;

  constructor(keyOf: (item: T) => number) {
    this.#keyOf = keyOf;
  }

  get length(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    let index = this.#items.length;
    const key = this.#keyOf(item);
    this.#items.push(item);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#items[above] as T;
      if (this.#keyOf(parent) <= key) break;
      this.#items[index] = parent;
      index = above;
    }
    this.#items[index] = item;
  }

  take(): T | undefined {
    const first = this.#items[0];
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return first;
    this.#sink(last);
    return first;
  }

  clear(): void {
    this.#items.length = 0;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#items.values();
  }

  /** Puts `item` in the place of the first, and lets it down to where it belongs. */
  #sink(item: T): void {
    const items = this.#items;
    const key = this.#keyOf(item);
    let index = 0;
    for (let child = 1; child < items.length; child = index * 2 + 1) {
      const right = child + 1;
      if (right < items.length && this.#keyOf(items[right] as T) < this.#keyOf(items[child] as T)) child = right;
      if (this.#keyOf(items[child] as T) >= key) break;
      items[index] = items[child] as T;
      index = child;
    }
    items[index] = item;
  }
}
