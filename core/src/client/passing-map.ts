/** A map for what comes and goes all the time. */

import { LazyMap } from "../engine/lazy-map.ts";
import { renew } from "../recovery/record-map.ts";

/** Deletions, beyond as many as there are entries, after which a map is replaced. */
const renewAfter = 1000;

/**
 * A map that never holds much, and through which much passes.
 *
 * V8 moves a `Map` to a new table after some deletions, and the old table refers to the new one. When one of them has got
 * among what is old, where garbage is rarely collected, everything that passes later is kept with it: a collection then
 * costs as much as all the rest of a remote call. A map that is replaced now and then ends the chain.
 */
export class PassingMap<K, V> extends LazyMap<K, V> {
  #deletions = 0;

  /** Not for whoever iterates meanwhile. */
  override delete(key: K): boolean {
    const isGone = super.delete(key);
    if (isGone && ++this.#deletions > renewAfter + this.size) {
      this.#deletions = 0;
      renew(this);
    }
    return isGone;
  }
}
