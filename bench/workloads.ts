/** What is measured. */

import type { AckLoad, ConfirmLoad, ConsumeLoad, PublishLoad, RpcLoad } from "./drivers/driver.ts";
import type { Shape } from "./messages.ts";

export type Work =
  | ({ readonly kind: "publish" } & PublishLoad)
  | ({ readonly kind: "confirm" } & ConfirmLoad)
  | ({ readonly kind: "consume" } & ConsumeLoad)
  | ({ readonly kind: "ack" } & AckLoad)
  | { readonly kind: "get"; readonly shape: Shape }
  | ({ readonly kind: "rpc" } & RpcLoad);

export interface Workload {
  readonly name: string;
  readonly work: Work;
  /** Operations of a slice: enough that its beginning and end cost nothing in comparison. */
  readonly slice: number;
}

const shape16: Shape = { size: 16, rich: false };
const rich: Shape = { size: 16, rich: true };
const shape1k: Shape = { size: 1024, rich: false };
const shape64k: Shape = { size: 65_536, rich: false };
const shape1m: Shape = { size: 1_048_576, rich: false };

const burst = (shape: Shape): Work => ({ kind: "publish", shape, pace: "burst" });
const handler = (shape: Shape): Work => ({ kind: "consume", shape, by: "handler" });
const ack = (prefetch: number, order: AckLoad["order"], how: AckLoad["handler"]): Work => ({
  kind: "ack",
  shape: shape16,
  prefetch,
  order,
  handler: how,
});

export const workloads: readonly Workload[] = [
  { name: "publish 16 B", work: burst(shape16), slice: 48_000 },
  { name: "publish rich", work: burst(rich), slice: 32_000 },
  { name: "publish 1 KiB", work: burst(shape1k), slice: 32_000 },
  { name: "publish 64 KiB", work: burst(shape64k), slice: 2_000 },
  { name: "publish 1 MiB", work: burst(shape1m), slice: 128 },
  { name: "publish 16 B, one per turn", work: { kind: "publish", shape: shape16, pace: "turn" }, slice: 16_000 },
  { name: "confirm one by one", work: { kind: "confirm", shape: shape16, window: 1 }, slice: 2_000 },
  { name: "confirm window 1000", work: { kind: "confirm", shape: shape16, window: 1000 }, slice: 32_000 },
  { name: "consume 16 B", work: handler(shape16), slice: 64_000 },
  { name: "consume rich", work: handler(rich), slice: 48_000 },
  { name: "consume 1 KiB", work: handler(shape1k), slice: 48_000 },
  { name: "consume 64 KiB", work: handler(shape64k), slice: 2_000 },
  { name: "consume 1 MiB", work: handler(shape1m), slice: 128 },
  { name: "consume 16 B, iterator", work: { kind: "consume", shape: shape16, by: "iterator" }, slice: 48_000 },
  { name: "ack prefetch 250", work: ack(250, "in", "sync"), slice: 32_000 },
  { name: "ack prefetch 50", work: ack(50, "in", "sync"), slice: 16_000 },
  { name: "ack prefetch 1", work: ack(1, "in", "sync"), slice: 2_000 },
  { name: "ack prefetch 250, out of order", work: ack(250, "out", "sync"), slice: 32_000 },
  { name: "ack prefetch 250, async handler", work: ack(250, "in", "async"), slice: 32_000 },
  { name: "get 16 B", work: { kind: "get", shape: shape16 }, slice: 2_000 },
  { name: "rpc 1 in flight", work: { kind: "rpc", shape: shape16, inFlight: 1 }, slice: 2_000 },
  { name: "rpc 100 in flight", work: { kind: "rpc", shape: shape16, inFlight: 100 }, slice: 8_000 },
];
