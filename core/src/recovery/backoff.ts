/** How long to wait between attempts to reconnect, and when to give up. */

import type { Millis } from "../engine/config.ts";

/** How attempts to reconnect are spaced. */
export interface BackoffOptions {
  /** The longest first wait. Default 1 s. */
  readonly base: Millis;
  /** The longest wait of all. Default 30 s. */
  readonly max: Millis;
  /** How long a connection has to stay open before an outage counts as a new one. Default 10 s. */
  readonly stableAfter: Millis;
  /** Attempts of one outage, after which the connection is closed. Default: no limit. */
  readonly maxAttempts: number;
  /** The length of an outage, after which the connection is closed. Default: no limit. */
  readonly maxElapsed: Millis;
}

/** The spacing that holds where nothing else is asked for. */
export const defaultBackoff: BackoffOptions = {
  base: 1_000,
  max: 30_000,
  stableAfter: 10_000,
  maxAttempts: Infinity,
  maxElapsed: Infinity,
};

/** Where one connection stands in its attempts. A value: each step gives the next one. */
export interface BackoffState {
  /** Attempts since the connection was last stable. */
  readonly attempts: number;
  /** When the outage began that these attempts belong to; `undefined` while there is none. */
  readonly since: Millis | undefined;
  /** When the connection was opened; `undefined` while it is not. */
  readonly openedAt: Millis | undefined;
}

/** A connection that was never open. */
export const neverOpened: BackoffState = { attempts: 0, since: undefined, openedAt: undefined };

/** The connection was opened. Whether that ends the outage shows only later: see {@link lost}. */
export function opened(state: BackoffState, now: Millis): BackoffState {
  return { ...state, openedAt: now };
}

/**
 * The connection was lost. Attempts are counted on where it had not been stable, so that a server which throws us out on
 * our first call after each recovery is asked less and less often, and not in a hot loop.
 */
export function lost(state: BackoffState, now: Millis, { stableAfter }: BackoffOptions): BackoffState {
  const wasStable = state.openedAt !== undefined && now - state.openedAt >= stableAfter;
  if (wasStable || state.since === undefined) return { attempts: 0, since: now, openedAt: undefined };
  return { ...state, openedAt: undefined };
}

/** The wait before the next attempt, and the state after it; `undefined` when it is time to give up. */
export function nextAttempt(
  state: BackoffState,
  now: Millis,
  random: number,
  options: BackoffOptions,
): { readonly delay: Millis; readonly state: BackoffState } | undefined {
  const attempts = state.attempts + 1;
  if (attempts > options.maxAttempts) return undefined;
  if (state.since !== undefined && now - state.since >= options.maxElapsed) return undefined;
  return { delay: backoffDelay(attempts, random, options), state: { ...state, attempts } };
}

/**
 * The wait before attempt `n`, from 1: between half and all of `base` doubled with each attempt, up to `max`. The first
 * attempt waits too: the server needs a moment to notice that the old connection, and its exclusive queues, are gone.
 */
export function backoffDelay(n: number, random: number, { base, max }: Pick<BackoffOptions, "base" | "max">): Millis {
  // 2^n overflows to Infinity after a thousand attempts; the minimum takes care of it.
  return (0.5 + random / 2) * Math.min(max, base * 2 ** (n - 1));
}
