/** How fast connections may begin that come from one address. */

import type { Clock, Millis } from "./clock.ts";
import { clientGroup } from "./ip-address.ts";
import { TokenBucket } from "./token-bucket.ts";

/**
 * Addresses that are remembered. Who has more of them than this, and begins connections from all within a minute, is
 * forgotten in turns; a limit for each address is of no use against such a one anyway.
 */
export const maxRemembered = 65_536;

const minute: Millis = 60_000;

interface Remembered {
  readonly bucket: TokenBucket;
  seenAt: Millis;
  isLimited: boolean;
}

/** So many a minute, with a burst of one minute's worth; an IPv6 /64 is one address. */
export class AddressRate {
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #limited: (address: string) => void;
  /** The one that was seen last is the last. */
  readonly #byGroup = new Map<string, Remembered>();

  /**
   * @param perMinute 0: no limit.
   * @param limited Told of an address once, when it becomes too fast: not for every connection, and not again until it
   * has been quiet for a minute.
   */
  constructor(clock: Clock, perMinute: number, limited: (address: string) => void) {
    this.#clock = clock;
    this.#perMinute = perMinute;
    this.#limited = limited;
  }

  /** Takes one of the connections that an address may begin, if there is one. */
  tryTake(address: string): boolean {
    if (this.#perMinute === 0) return true;
    const remembered = this.#remember(clientGroup(address));
    if (remembered.bucket.tryTake()) return true;
    if (!remembered.isLimited) this.#limited(address);
    remembered.isLimited = true;
    return false;
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#byGroup.size;
  }

  #remember(group: string): Remembered {
    const now = this.#clock.now();
    this.#forget(now);
    const remembered = this.#byGroup.get(group) ?? {
      bucket: new TokenBucket(this.#clock, this.#perMinute, minute),
      seenAt: now,
      isLimited: false,
    };
    remembered.seenAt = now;
    this.#byGroup.delete(group);
    this.#byGroup.set(group, remembered);
    return remembered;
  }

  /** After a minute a bucket is full again, as that of an address never seen. */
  #forget(now: Millis): void {
    for (const [group, { seenAt }] of this.#byGroup) {
      if (now - seenAt < minute && this.#byGroup.size < maxRemembered) return;
      this.#byGroup.delete(group);
    }
  }
}
