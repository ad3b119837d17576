/** What a broker can be told, and what it does unless told. */

import { UsageError } from "@leveret/core/wire";
import { type ConfirmOptions, defaultConfirmOptions } from "./channel/confirms.ts";
import { type ProfileName, profiles } from "./profile.ts";
import type { UserOptions } from "./users.ts";

/** The limits of a broker. */
export interface BrokerLimits {
  /** Connections at a time; a further one is refused with 530. Default 65,535. */
  readonly maxConnections: number;
  /** Queues of a virtual host; a further one is refused with 406. Default 65,536. */
  readonly maxQueues: number;
  /** Exchanges of a virtual host, with those that it has from the beginning; a further one is refused with 406. Default 65,536. */
  readonly maxExchanges: number;
  /** Bindings of a virtual host; a further one is refused with 406, which RabbitMQ never does. Default 262,144. */
  readonly maxBindings: number;
  /**
   * Bytes of the arguments of all queues, exchanges and bindings of a virtual host, and 128 for each argument; what would
   * be more is refused with 406, which RabbitMQ never does. Default 64 MiB.
   */
  readonly maxArgumentBytes: number;
  /** The largest message body in bytes; a larger one is refused with 406. Default: the version's, 16 MiB for 4.0. */
  readonly maxMessageSize: number;
  /** Milliseconds that a delivery may stay unsettled before its channel is closed, or its consumer cancelled. Default 30 minutes. */
  readonly consumerTimeout: number;
  /** Bytes of message bodies in all queues and open transactions. Above it the memory alarm is set, and publishers are blocked. Default 512 MiB. */
  readonly memoryHighWater: number;
  /** Bytes of all properties, and 256 for each message, in the same places: as `memoryHighWater`. Default 512 MiB. */
  readonly overheadHighWater: number;
  /** Bytes of output that one connection may leave unread before it gets no more deliveries. Default 1 MiB. */
  readonly outputHighWater: number;
  /** Bytes of output that one connection may leave unread before nothing more is read from it, and direct replies to it are lost. Default 16 MiB. */
  readonly maxOutput: number;
}

/** What a broker proposes to clients. */
export interface TuningOptions {
  /** Channels of a connection, 0 for no limit. Default 2047. */
  readonly channelMax: number;
  /** Bytes of a frame, 0 for no limit. Default 131,072. */
  readonly frameMax: number;
  /** Seconds, 0 for none. Default 60. */
  readonly heartbeat: number;
}

/** Options of a broker. */
export interface BrokerOptions {
  /** The version of RabbitMQ to play. Default `"4.0"`. */
  readonly profile?: ProfileName | undefined;
  /** Where its randomness comes from: numbers from 0 to 1. It makes names, and the jitter and loss of confirms. Default: a fixed sequence. */
  readonly random?: (() => number) | undefined;
  /** Users by name. Default: `guest` with the password `guest`, who may do everything. */
  readonly users?: Readonly<Record<string, UserOptions>> | undefined;
  /** Default: `/` alone. */
  readonly virtualHosts?: readonly string[] | undefined;
  /** SASL mechanisms to offer. Default: the version's. Also known: `EXTERNAL` and `RABBIT-CR-DEMO`. */
  readonly mechanisms?: readonly string[] | undefined;
  /** The user whom `ANONYMOUS` logs in. Default `guest`. */
  readonly anonymousUser?: string | undefined;
  /** `cluster_name` in the server's properties. Default `leveret`. */
  readonly clusterName?: string | undefined;
  readonly tuning?: Partial<TuningOptions> | undefined;
  readonly confirms?: Partial<ConfirmOptions> | undefined;
  readonly limits?: Partial<BrokerLimits> | undefined;
}

/** Options with every default filled in. */
export interface BrokerSettings {
  readonly profileName: ProfileName;
  /** Numbers from 0 to 1. */
  readonly random: () => number;
  readonly users: Readonly<Record<string, UserOptions>>;
  readonly virtualHosts: readonly string[];
  readonly mechanisms: readonly string[];
  readonly anonymousUser: string;
  readonly clusterName: string;
  readonly tuning: TuningOptions;
  readonly confirms: ConfirmOptions;
  readonly limits: BrokerLimits;
}

const mib = 1024 * 1024;

const defaultTuning: TuningOptions = { channelMax: 2047, frameMax: 131_072, heartbeat: 60 };

const defaultLimits: Omit<BrokerLimits, "maxMessageSize"> = {
  maxConnections: 65_535,
  maxQueues: 65_536,
  maxExchanges: 65_536,
  maxBindings: 262_144,
  maxArgumentBytes: 64 * mib,
  consumerTimeout: 30 * 60 * 1000,
  memoryHighWater: 512 * mib,
  overheadHighWater: 512 * mib,
  outputHighWater: mib,
  maxOutput: 16 * mib,
};

/**
 * Fills in the defaults.
 *
 * @throws UsageError INVALID_ARGUMENT for a name that is none of an option, a profile that there is not, a limit that is no positive number, tuning that fits
 * no field, or confirms that never come.
 */
export function settingsOf(options: BrokerOptions): BrokerSettings {
  refuseUnknown("options", options, optionNames);
  refuseUnknown("tuning", options.tuning, Object.keys(defaultTuning));
  refuseUnknown("confirms", options.confirms, Object.keys(defaultConfirmOptions));
  refuseUnknown("limits", options.limits, [...Object.keys(defaultLimits), "maxMessageSize"]);
  const profileName = options.profile ?? "4.0";
  if (!Object.hasOwn(profiles, profileName)) {
    const known = Object.keys(profiles).join(", ");
    throw new UsageError("INVALID_ARGUMENT", `profile is one of ${known}, not ${profileName}`);
  }
  const profile = profiles[profileName];
  return {
    profileName,
    random: options.random ?? fixedSequence(),
    users: options.users ?? { guest: { password: "guest" } },
    virtualHosts: options.virtualHosts ?? ["/"],
    mechanisms: options.mechanisms ?? profile.mechanisms,
    anonymousUser: options.anonymousUser ?? "guest",
    clusterName: options.clusterName ?? "leveret",
    tuning: checkedTuning(withGiven<keyof TuningOptions>("tuning", defaultTuning, options.tuning, 0)),
    confirms: checkedConfirms({ ...defaultConfirmOptions, ...options.confirms }),
    limits: withGiven<keyof BrokerLimits>(
      "limits",
      { ...defaultLimits, maxMessageSize: profile.maxMessageSize },
      options.limits,
      1,
    ),
  };
}

/** The names of all options. */
const optionNames: readonly (keyof BrokerOptions)[] = [
  ...(["profile", "random", "users", "virtualHosts", "mechanisms", "anonymousUser", "clusterName"] as const),
  ...(["tuning", "confirms", "limits"] as const),
];

/** @throws UsageError INVALID_ARGUMENT for what is no object, and for a name that nobody would look at. */
export function refuseUnknown(whole: string, given: unknown, known: readonly string[]): void {
  if (given === undefined) return;
  if (typeof given !== "object" || given === null) throw illegal(whole, "an object", given);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw illegal(`each of the ${whole}`, `one of ${known.join(", ")}`, unknown);
}

function withGiven<Name extends string>(
  what: string,
  defaults: Readonly<Record<Name, number>>,
  given: Partial<Readonly<Record<Name, number>>> | undefined,
  least: number,
): Record<Name, number> {
  const merged: Record<Name, number> = { ...defaults };
  for (const name of Object.keys(defaults) as Name[]) {
    const value = given?.[name];
    if (value === undefined) continue;
    if (!(value >= least)) {
      throw new UsageError("INVALID_ARGUMENT", `${what}.${name} is a number of at least ${least}, not ${value}`);
    }
    merged[name] = value;
  }
  return merged;
}

/** The highest that each may be: they go into fields of two and of four octets. */
const highestTuning: TuningOptions = { channelMax: 0xffff, frameMax: 0xffff_ffff, heartbeat: 0xffff };

function checkedTuning(tuning: TuningOptions): TuningOptions {
  for (const name of Object.keys(highestTuning) as (keyof TuningOptions)[]) {
    const [value, highest] = [tuning[name], highestTuning[name]];
    if (!Number.isInteger(value) || value > highest)
      throw illegal(`tuning.${name}`, `an integer up to ${highest}`, value);
  }
  return tuning;
}

/** What no clock can wait for would leave publishers waiting for ever. */
function checkedConfirms(confirms: ConfirmOptions): ConfirmOptions {
  const { grouping, delay, jitter, nackRate } = confirms;
  if (grouping !== "batched" && grouping !== "single")
    throw illegal("confirms.grouping", "batched or single", grouping);
  for (const [name, value] of Object.entries({ delay, jitter })) {
    if (!(Number.isFinite(value) && value >= 0)) throw illegal(`confirms.${name}`, "a number of milliseconds", value);
  }
  if (!(nackRate >= 0 && nackRate <= 1)) throw illegal("confirms.nackRate", "a number from 0 to 1", nackRate);
  return confirms;
}

function illegal(name: string, legal: string, given: unknown): UsageError {
  return new UsageError("INVALID_ARGUMENT", `${name} is ${legal}, not ${String(given)}`);
}

/** Numbers that look random, the same ones each time: a broker repeats itself unless its owner wants otherwise. */
function fixedSequence(): () => number {
  let state = 0x9e37_79b9;
  return () => {
    // Mulberry32.
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
