/** A queue whose head moves: no element is shifted, and memory follows the number of elements. */

/** How many places may lie empty in front before they are given back. */
const largestGap = 256;

/** The items of every queue that has none: most queues of a connection stay empty. Nothing is ever put into it. */
const noItems: never[] = [];

/** First in, first out. */
export class Deque<T> {
  #items: (T | undefined)[] = noItems;
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    if (this.#items === noItems) this.#items = [item];
    else this.#items.push(item);
  }

  /** The oldest element, or `undefined` when there is none. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** Takes the oldest element out. */
  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) {
      this.#items = noItems;
      this.#head = 0;
    } else if (this.#head > largestGap && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes all elements out, oldest first. */
  drain(): T[] {
    const items = this.#items.slice(this.#head) as T[];
    this.#items = noItems;
    this.#head = 0;
    return items;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = this.#head; i < this.#items.length; i += 1) yield this.#items[i] as T;
  }
}
