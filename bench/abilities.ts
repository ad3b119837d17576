/** Which client is measured at which workload. */

import type { Client } from "./clients.ts";
import type { Work, Workload } from "./workloads.ts";

/** What the drivers do that do not do everything. */
const abilities: Readonly<Record<string, (work: Work) => boolean>> = {
  "hand-written": (work) => work.kind === "rpc" || work.kind === "get" || isPlain(work),
  "bare-socket": isPlain,
  "hand-written-deno": isLarge,
  "bare-socket-deno": isLarge,
  /** It waits for each confirm, and calls its handlers one by one. */
  pika_client: (work) => {
    if (work.kind === "confirm") return work.window === 1;
    if (work.kind === "ack") return work.order === "in" && isBlocking(work);
    return work.kind !== "rpc" && work.kind !== "channels" && isBlocking(work);
  },
  librabbitmq: isBlocking,
};

/** Publishing and consuming as most do it. */
function isPlain(work: Work): boolean {
  if (work.kind === "ack") return work.order !== "batch";
  if (work.kind === "consume") return work.by === "handler";
  return work.kind === "publish" || work.kind === "confirm";
}

/** Bodies for which it matters how a runtime reads and writes. */
function isLarge(work: Work): boolean {
  return isPlain(work) && work.shape.size >= 65_536;
}

/** What a library does that has no loop: it blocks until an operation is done. */
function isBlocking(work: Work): boolean {
  switch (work.kind) {
    case "publish":
      return work.pace === "burst";
    case "consume":
      return work.by === "handler" && work.lent !== true;
    case "ack":
      return work.handler === "sync";
    case "rpc":
      return work.own !== true;
    case "channels":
      return !work.together;
    default:
      return true;
  }
}

/** A goal that is more than to be no slower than others. */
function hasGoalOfItsOwn({ goal }: Workload): boolean {
  return goal !== undefined && goal.atLeast > 1;
}

export function can(client: Client, workload: Workload, onNullBroker: boolean): boolean {
  const { runtime, role, driver } = client;
  if ((runtime === "deno" || runtime === "bun") && !(hasGoalOfItsOwn(workload) && onNullBroker)) return false;
  if (role === "limit" && !onNullBroker) return false;
  if (workload.growth !== undefined) return role === "ours" && runtime === "node" && onNullBroker;
  if ("holding" in workload) return runtime === "node" && role !== "limit" && onNullBroker;
  return abilities[driver]?.(workload.work) ?? true;
}
