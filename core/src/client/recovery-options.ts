/** What may be said about recovery, and what is meant where nothing is said. */

import type { ConnectionError } from "../engine/errors.ts";
import type { Millis } from "../engine/config.ts";
import { type BackoffOptions, defaultBackoff } from "../recovery/backoff.ts";
import type { BindingRecord, ChannelRecord, ConsumerRecord, ExchangeRecord, QueueRecord } from "../recovery/records.ts";
import type { TopologyFilter, TopologyMode } from "../recovery/replay.ts";
import {
  aFunction,
  type Check,
  type Checks,
  checkOptions,
  defined,
  duration,
  flag,
  legal,
  oneOf,
  positive,
} from "./option-checks.ts";

/** One thing that recovery brings back. */
export type TopologyItem =
  | { readonly kind: "channel"; readonly channel: ChannelRecord }
  | { readonly kind: "exchange"; readonly exchange: ExchangeRecord }
  | { readonly kind: "queue"; readonly queue: QueueRecord }
  | { readonly kind: "binding"; readonly binding: BindingRecord }
  | { readonly kind: "consumer"; readonly consumer: ConsumerRecord };

/** What can be done about an item that failed. */
export type TopologyAction =
  /** Try the item again. */
  | "retry"
  /** Leave the item out until the next outage. */
  | "skip"
  /** Drop the connection, and begin again after the backoff. */
  | "abort"
  /** Close the connection for good. */
  | "close";

/** An item that the server refused. */
export interface TopologyFailure {
  readonly item: TopologyItem;
  readonly error: unknown;
  /** How often the item was tried, from 1. */
  readonly attempt: number;
  /** What is done about it, unless `onTopologyError` says otherwise. */
  readonly action: TopologyAction;
}

/** How a connection comes back after a loss. */
export interface RecoveryOptions {
  /** How attempts are spaced, and when to give up. Default: 1 s, doubled up to 30 s, for ever. */
  readonly backoff?: Partial<BackoffOptions> | undefined;
  /**
   * What is declared again: `"all"`, the default; `"transient"`, which is what the server forgets by itself; `"none"`.
   * Channels and consumers come back in any case.
   */
  readonly topology?: TopologyMode | undefined;
  /** Leaves single things out, whatever `topology` says. */
  readonly filter?: TopologyFilter | undefined;
  /** Decides over an item that failed; `undefined` for what `failure.action` says. Must return at once. */
  readonly onTopologyError?: ((failure: TopologyFailure) => TopologyAction | undefined) | undefined;
  /** Whether a loss is recovered from. Asked once for each. Default: always. */
  readonly shouldRecover?: ((cause: ConnectionError) => boolean) | undefined;
  /** Rounds through the endpoints, one after the other, that all end in refused credentials or a refused virtual host, after which the connection is closed. Default 3. */
  readonly maxRefusals?: number | undefined;
  /** What calls do while there is no connection: `"wait"`, the default, or `"fail"` with `NotConnectedError`. */
  readonly whenDown?: "wait" | "fail" | undefined;
  /** How long a call waits for the connection to come back, before it fails with `NotConnectedError`. Default 30 s. */
  readonly acquireTimeout?: Millis | undefined;
  /** Calls of one connection that may wait for it. Default 1000. */
  readonly maxWaitingCalls?: number | undefined;
  /** Bytes of publishes of one connection that may wait for it. Default 16 MiB. */
  readonly maxWaitingBytes?: number | undefined;
  /**
   * Publishes again what was unconfirmed at a loss, in order: at least once, so duplicates are possible. A body must be
   * left alone until its promise settles. Default false: such a publish rejects with the outcome `"unknown"`.
   */
  readonly republish?: boolean | undefined;
  /** How often one message is published again. Default 3. */
  readonly republishLimit?: number | undefined;
  /**
   * Makes requests again that were unanswered at a loss, where twice is as good as once: declarations (of queues with a
   * name), bindings and unbindings, deletions without a condition, `basic.qos`, `confirm.select` and `tx.select`. Default
   * false: such a request rejects with the outcome `"unknown"`.
   */
  readonly retryIdempotent?: boolean | undefined;
}

/** {@link RecoveryOptions}, complete. */
export interface RecoveryPlan {
  readonly backoff: BackoffOptions;
  readonly topology: TopologyMode;
  readonly filter: TopologyFilter;
  readonly onTopologyError: ((failure: TopologyFailure) => TopologyAction | undefined) | undefined;
  readonly shouldRecover: ((cause: ConnectionError) => boolean) | undefined;
  readonly maxRefusals: number;
  readonly whenDown: "wait" | "fail";
  readonly acquireTimeout: Millis;
  readonly maxWaitingCalls: number;
  readonly maxWaitingBytes: number;
  readonly republish: boolean;
  readonly republishLimit: number;
  readonly retryIdempotent: boolean;
}

/** Milliseconds, or `Infinity`. More than nothing: a wait of nothing would be a hot loop. */
const wait: Check = legal("a number of milliseconds, more than 0", (value) => typeof value === "number" && value > 0);

const finiteWait: Check = (value, name) => {
  wait(value, name);
  duration(value, name);
};

/** What the spacing of attempts may be. */
export const backoffChecks: Checks<BackoffOptions> = {
  base: finiteWait,
  max: finiteWait,
  stableAfter: duration,
  maxAttempts: positive,
  maxElapsed: wait,
};

const filterChecks: Checks<TopologyFilter> = {
  exchange: aFunction,
  queue: aFunction,
  binding: aFunction,
  consumer: aFunction,
};

const checks: Checks<RecoveryOptions> = {
  backoff: (value, name) => checkOptions<Partial<BackoffOptions>>(value, backoffChecks, name, `${name}.`),
  topology: oneOf("all", "transient", "none"),
  filter: (value, name) => checkOptions<TopologyFilter>(value, filterChecks, name, `${name}.`),
  onTopologyError: aFunction,
  shouldRecover: aFunction,
  maxRefusals: positive,
  whenDown: oneOf("wait", "fail"),
  acquireTimeout: wait,
  maxWaitingCalls: positive,
  maxWaitingBytes: positive,
  republish: flag,
  republishLimit: positive,
  retryIdempotent: flag,
};

/** Checks the option `recovery`. */
export const checkRecovery: Check = (value, name) => {
  if (typeof value !== "boolean") checkOptions<RecoveryOptions>(value, checks, name, `${name}.`);
};

/** One for all connections that say nothing of it. */
const defaultPlan: RecoveryPlan = {
  backoff: defaultBackoff,
  topology: "all",
  filter: {},
  onTopologyError: undefined,
  shouldRecover: undefined,
  maxRefusals: 3,
  whenDown: "wait",
  acquireTimeout: 30_000,
  maxWaitingCalls: 1000,
  maxWaitingBytes: 16 * 1024 * 1024,
  republish: false,
  republishLimit: 3,
  retryIdempotent: false,
};

/** Completes the option `recovery`; `undefined` when a loss is to be the end. */
export function planRecovery(given: boolean | RecoveryOptions | undefined): RecoveryPlan | undefined {
  if (given === false) return undefined;
  if (typeof given !== "object") return defaultPlan;
  return { ...defaultPlan, ...defined(given), backoff: { ...defaultBackoff, ...defined(given.backoff) } };
}
