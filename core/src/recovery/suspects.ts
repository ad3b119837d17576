/** Which of the things that recovery brings back make the server close the whole connection. */

/**
 * Items at which the server closed the connection. At the second time an item is poison, and is left out until the
 * application makes it again.
 */
export class Suspects {
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** The application has made it again, and the server agreed: it is as good as any other. */
  clear(key: string): void {
    this.#counts.delete(key);
  }

  /** Whether anything is suspect: then items are tried one after the other, so that only the guilty one is suspected again. */
  get any(): boolean {
    return this.#counts.size > 0;
  }

  isPoison(key: string): boolean {
    return (this.#counts.get(key) ?? 0) > 1;
  }
}
