/** The defaults of every limit, and the check that a caller's limits make sense. */

import { invalid } from "../wire/values.ts";
import type { EngineLimits } from "./config.ts";

const mib = 1024 * 1024;

/** The limits that hold where a configuration names none. */
export const defaultLimits: EngineLimits = {
  maxBodySize: 128 * mib,
  maxUnparsedInput: 16 * mib,
  outputHighWater: 4 * mib,
  maxOutput: 64 * mib,
  maxWaitingRequests: 1024,
  maxUnconfirmed: mib,
};

/**
 * The defaults, with a caller's limits over them.
 *
 * @throws UsageError INVALID_ARGUMENT when a limit is not a positive integer.
 */
export function withLimits(given?: Partial<EngineLimits>): EngineLimits {
  if (given === undefined) return defaultLimits;
  const limits: Record<keyof EngineLimits, number> = { ...defaultLimits };
  for (const name of Object.keys(limits) as (keyof EngineLimits)[]) {
    const value = given[name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 1) {
      throw invalid(`limits.${name}`, `is a positive integer, not ${value}`);
    }
    limits[name] = value;
  }
  // A producer has to hear of the mark before it is refused.
  limits.outputHighWater = Math.min(limits.outputHighWater, limits.maxOutput);
  return limits;
}
