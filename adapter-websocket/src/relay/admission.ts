/** How many may be inside at once, and how fast they may come in. */

import type { Clock } from "./clock.ts";
import { clientGroup } from "./ip-address.ts";
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
  readonly #byAddress = new Map<string, number>();
  readonly #byIdentity = new Map<string, number>();
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
    if (isFull(this.#total, maxConnections)) return "too-many-connections";
    if (isFull(this.#byAddress.get(group), maxConnectionsPerAddress)) return "too-many-of-address";
    if (!this.#upgrades.tryTake()) return "too-fast";

    this.#total += 1;
    count(this.#byAddress, group, 1);
    let claimed: string | undefined;
    let inside = true;
    return {
      claim: (identity) => {
        if (isFull(this.#byIdentity.get(identity), maxConnectionsPerIdentity)) return "too-many-of-identity";
        if (!inside) return undefined;
        claimed = identity;
        count(this.#byIdentity, identity, 1);
        return undefined;
      },
      leave: () => {
        if (!inside) return;
        inside = false;
        this.#total -= 1;
        count(this.#byAddress, group, -1);
        if (claimed !== undefined) count(this.#byIdentity, claimed, -1);
      },
    };
  }
}

function isFull(number: number | undefined, limit: number): boolean {
  return limit > 0 && (number ?? 0) >= limit;
}

/** Names that nobody has are forgotten, so a map is never larger than the number of connections. */
function count(numbers: Map<string, number>, name: string, change: 1 | -1): void {
  const number = (numbers.get(name) ?? 0) + change;
  if (number === 0) numbers.delete(name);
  else numbers.set(name, number);
}
