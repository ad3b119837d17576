/** How many may be inside at once, and how fast they may come in. */

import type { Clock } from "./clock.ts";
import { clientGroup } from "./ip-address.ts";
import { Tally } from "./tally.ts";
import { TokenBucket } from "./token-bucket.ts";

/** 0: no limit. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxConnectionsPerIdentity: number;
  readonly maxUpgradesPerSecond: number;
}

export type AdmissionRefusal = "too-many-connections" | "too-many-of-address" | "too-many-of-identity" | "too-fast";

/** A place inside. */
export interface Place {
  /** Counts the place as one of `identity` too. */
  claim(identity: string): AdmissionRefusal | undefined;
  /** Gives the place back; once, however often it is called. */
  leave(): void;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #upgrades: TokenBucket;
  readonly #byAddress = new Tally();
  readonly #byIdentity = new Tally();
  #total = 0;

  constructor(limits: AdmissionLimits, clock: Clock) {
    this.#limits = limits;
    this.#upgrades = new TokenBucket(clock, limits.maxUpgradesPerSecond);
  }

  /** How many are inside. */
  get total(): number {
    return this.#total;
  }

  enter(address: string): Place | AdmissionRefusal {
    const { maxConnections, maxConnectionsPerAddress, maxConnectionsPerIdentity } = this.#limits;
    const group = clientGroup(address);
    if (maxConnections > 0 && this.#total >= maxConnections) return "too-many-connections";
    if (this.#byAddress.isFull(group, maxConnectionsPerAddress)) return "too-many-of-address";
    if (!this.#upgrades.tryTake()) return "too-fast";

    this.#total += 1;
    this.#byAddress.add(group);
    let claimed: string | undefined;
    let inside = true;
    return {
      claim: (identity) => {
        if (this.#byIdentity.isFull(identity, maxConnectionsPerIdentity)) return "too-many-of-identity";
        if (!inside) return undefined;
        claimed = identity;
        this.#byIdentity.add(identity);
        return undefined;
      },
      leave: () => {
        if (!inside) return;
        inside = false;
        this.#total -= 1;
        this.#byAddress.remove(group);
        if (claimed !== undefined) this.#byIdentity.remove(claimed);
      },
    };
  }
}
