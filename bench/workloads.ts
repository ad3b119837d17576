/** What is measured, and what Leveret is to reach. */

import type { AckLoad, ConfirmLoad, ConsumeLoad, PublishLoad, RpcLoad } from "./drivers/driver.ts";
import type { Shape } from "./messages.ts";

/** What is done again and again. */
export type Work =
  | ({ readonly kind: "publish" } & PublishLoad)
  | ({ readonly kind: "confirm" } & ConfirmLoad)
  | ({ readonly kind: "consume" } & ConsumeLoad)
  | ({ readonly kind: "ack" } & AckLoad)
  | { readonly kind: "get"; readonly shape: Shape }
  | ({ readonly kind: "rpc" } & RpcLoad)
  /** Opens a channel and closes it. With `together`, all of a slice are opened at once. */
  | { readonly kind: "channels"; readonly shape: Shape; readonly together: boolean }
  /** Opens a connection and closes it. */
  | { readonly kind: "connect"; readonly shape: Shape }
  /** Declares a queue and deletes it, while `recorded` others are there. */
  | { readonly kind: "topology"; readonly shape: Shape; readonly recorded: number };

/** What is held, and looked at for its memory. */
export type Holding =
  /** Connections with a channel each, that do nothing. */
  | { readonly kind: "idle"; readonly shape: Shape }
  /** Messages that were published, and are not confirmed yet. */
  | { readonly kind: "unconfirmed"; readonly shape: Shape };

/** Where Leveret is to be in comparison to the best JavaScript library of the run: so many times better. */
export interface Goal {
  readonly atLeast: number;
  /** CPU time unless told. */
  readonly of?: "cpu" | "rate" | "memory";
}

/** Where messages have no more bytes than this, Leveret is to cost at most so many times what the hand-written client does. */
export const nearLimitUpTo = 1024;
export const nearLimit = 2;

interface Common {
  readonly name: string;
  readonly goal?: Goal;
  /** Part of `--quick`: on the null broker, or on RabbitMQ as well. */
  readonly quick?: "null" | "both";
  /** A point of a curve: how cost grows with `at`. */
  readonly growth?: { readonly curve: string; readonly at: number };
}

/** Measured by CPU time. */
export interface TimedWorkload extends Common {
  readonly work: Work;
  /** Operations of a slice: enough that its beginning and end cost nothing in comparison. */
  readonly slice: number;
  /** Milliseconds in which enough is seen of a client that mostly waits. */
  readonly longest?: number;
  /** Operations of the warm-up, at least: see {@link untilCompiled}. */
  readonly warmUp?: number;
  /** Each operation waits for the one before, so that client and null broker share a core: see `placement.ts`. */
  readonly oneCore?: true;
}

/** Measured by memory. */
export interface HeldWorkload extends Common {
  readonly holding: Holding;
  /** How many are held. */
  readonly count: number;
}

export type Workload = TimedWorkload | HeldWorkload;

const shape16: Shape = { size: 16, rich: false };
const shape1k: Shape = { size: 1024, rich: false };
const shape64k: Shape = { size: 65_536, rich: false };
const shape1m: Shape = { size: 1_048_576, rich: false };
const rich: Shape = { size: 16, rich: true };

const burst = (shape: Shape): Work => ({ kind: "publish", shape, pace: "burst" });
const confirm = (window: number): Work => ({ kind: "confirm", shape: shape16, window });
const consume = (shape: Shape, by: ConsumeLoad["by"] = "handler"): Work => ({ kind: "consume", shape, by });
const lent = (shape: Shape): Work => ({ kind: "consume", shape, by: "handler", lent: true });
const ack = (prefetch: number, order: AckLoad["order"] = "in", handler: AckLoad["handler"] = "sync"): Work => ({
  kind: "ack",
  shape: shape16,
  prefetch,
  order,
  handler,
});
const rpc = (inFlight: number): Work => ({ kind: "rpc", shape: shape16, inFlight });
const ownRpc = (inFlight: number): Work => ({ kind: "rpc", shape: shape16, inFlight, own: true });

/**
 * Where one operation waits for the other, the usual warm-up has so few of them that code is still being compiled while it
 * is measured: what would be compared is how much code a client has.
 */
const untilCompiled = { warmUp: 30_000 } as const;
/** What costs several times as much. */
const untilCompiledToo = { warmUp: 15_000 } as const;

/** One operation at a time. */
const roundTrips = { ...untilCompiled, oneCore: true } as const;

const quick = { quick: "null" } as const;
const quickOnBoth = { quick: "both" } as const;
/** No slower than the best other one. */
const never: Goal = { atLeast: 1 };

const publishing: readonly Workload[] = [
  { name: "publish 16 B", work: burst(shape16), slice: 48_000, goal: { atLeast: 10 }, ...quick },
  { name: "publish 16 B with properties", work: burst(rich), slice: 32_000, goal: { atLeast: 4 }, ...quick },
  { name: "publish 1 KiB", work: burst(shape1k), slice: 32_000, goal: { atLeast: 4 }, ...quickOnBoth },
  { name: "publish 64 KiB", work: burst(shape64k), slice: 2_000, goal: { atLeast: 1.2 } },
  { name: "publish 1 MiB", work: burst(shape1m), slice: 128, goal: { atLeast: 1.8 } },
  {
    name: "publish 16 B, one per turn",
    work: { kind: "publish", shape: shape16, pace: "turn" },
    slice: 16_000,
    goal: { atLeast: 1.2 },
    ...quick,
  },
  { name: "confirm one by one", work: confirm(1), slice: 2_000, goal: { atLeast: 1.2 }, ...roundTrips, ...quick },
  { name: "confirm, window of 1000", work: confirm(1000), slice: 32_000, goal: { atLeast: 10 }, ...quickOnBoth },
];

const consuming: readonly Workload[] = [
  { name: "consume 16 B", work: consume(shape16), slice: 64_000, goal: { atLeast: 4 }, ...quick },
  { name: "consume 16 B with properties", work: consume(rich), slice: 48_000, goal: { atLeast: 6 }, ...quick },
  { name: "consume 1 KiB", work: consume(shape1k), slice: 48_000, goal: { atLeast: 2 }, ...quick },
  { name: "consume 64 KiB", work: consume(shape64k), slice: 2_000, goal: { atLeast: 2 } },
  { name: "consume 1 MiB", work: consume(shape1m), slice: 128, goal: { atLeast: 2 } },
  { name: "consume 64 KiB, lent", work: lent(shape64k), slice: 2_000, goal: { atLeast: 4 } },
  { name: "consume 1 MiB, lent", work: lent(shape1m), slice: 128, goal: { atLeast: 4 } },
  { name: "consume 16 B by iterator", work: consume(shape16, "iterator"), slice: 48_000, goal: { atLeast: 2.5 } },
  { name: "ack each, prefetch 250", work: ack(250), slice: 32_000, goal: { atLeast: 10 }, ...quickOnBoth },
  { name: "ack each, prefetch 50", work: ack(50), slice: 16_000, goal: never },
  { name: "ack each, prefetch 1", work: ack(1), slice: 2_000, goal: never, ...roundTrips },
  { name: "ack each out of order, prefetch 250", work: ack(250, "out"), slice: 32_000, goal: never },
  { name: "ack each, async handler, prefetch 250", work: ack(250, "in", "async"), slice: 32_000, goal: never },
  { name: "consume in batches of 80", work: ack(160, "batch"), slice: 32_000, goal: never },
  { name: "get 16 B", work: { kind: "get", shape: shape16 }, slice: 2_000, goal: never, ...roundTrips },
];

const calling: readonly Workload[] = [
  { name: "RPC, one in flight", work: rpc(1), slice: 2_000, goal: { atLeast: 1.2 }, ...roundTrips, ...quick },
  { name: "RPC, 100 in flight", work: rpc(100), slice: 8_000, goal: never, ...untilCompiled },
  { name: "RPC by the library's client, one in flight", work: ownRpc(1), slice: 2_000, goal: never, ...roundTrips },
  {
    name: "RPC by the library's client, 100 in flight",
    work: ownRpc(100),
    slice: 8_000,
    goal: never,
    ...untilCompiled,
  },
  {
    name: "open and close a channel, of 500",
    work: { kind: "channels", shape: shape16, together: false },
    slice: 512,
    goal: never,
    ...untilCompiledToo,
    oneCore: true,
  },
  {
    name: "open and close 500 channels together",
    work: { kind: "channels", shape: shape16, together: true },
    slice: 512,
    goal: never,
    ...untilCompiledToo,
  },
  {
    name: "connect and close",
    work: { kind: "connect", shape: shape16 },
    slice: 16,
    longest: 1000,
    goal: { atLeast: 15, of: "rate" },
    ...quick,
  },
];

const holding: readonly Workload[] = [
  {
    name: "memory of an idle connection",
    holding: { kind: "idle", shape: shape16 },
    count: 200,
    goal: { atLeast: 1, of: "memory" },
    ...quick,
  },
  {
    name: "memory of an unconfirmed message",
    holding: { kind: "unconfirmed", shape: shape16 },
    count: 20_000,
    goal: { atLeast: 1, of: "memory" },
    ...quick,
  },
];

/** From where on a curve is to be flat: below, the cost of a turn of the loop is shared by few messages. */
export const flatFrom = 100;
/** What the cost at the far end may be of the least. */
export const flatWithin = 1.5;

const decades = [1, 10, 100, 1000, 10_000];
const upTo1000 = [1, 10, 100, 1000];

/** @param slice - operations of a slice, of which there are whole cycles for each of what there are `at`. */
function curve(name: string, points: readonly number[], make: (at: number) => Work, slice: (at: number) => number) {
  return points.map(
    (at): Workload => ({
      name: `${name}: ${at.toLocaleString("en")}`,
      work: make(at),
      slice: Math.ceil(slice(at) / (16 * at)) * 16 * at,
      growth: { curve: name, at },
    }),
  );
}

const channels = (at: number): Work => ({ kind: "publish", shape: shape16, pace: "burst", channels: at });
const consumers = (at: number): Work => ({ kind: "consume", shape: shape16, by: "handler", consumers: at });
const topology = (at: number): Work => ({ kind: "topology", shape: shape16, recorded: at });

const growing: readonly Workload[] = [
  ...curve("unconfirmed messages", decades, confirm, () => 16_000),
  ...curve(
    "deliveries in flight",
    decades,
    (at) => ack(at),
    () => 16_000,
  ),
  ...curve("channels that publish", upTo1000, channels, () => 32_000),
  // Enough for each that to subscribe costs nothing in comparison.
  ...curve("consumers", upTo1000, consumers, (at) => Math.max(32_000, 1000 * at)),
  // What a table keeps of what was deleted shows after tens of thousands.
  ...curve("recorded queues", decades, topology, () => 1).map((each) => ({ ...each, slice: 496, ...untilCompiled })),
];

/** Runs as long as it is told, with everything at once; looked at for its memory. */
export const longRun: Workload = {
  name: "a long run",
  work: { kind: "confirm", shape: shape1k, window: 1000 },
  slice: 32_000,
};

export const workloads: readonly Workload[] = [...publishing, ...consuming, ...calling, ...holding, ...growing];
