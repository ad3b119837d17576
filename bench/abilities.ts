/** Which client is measured at which workload. */

import type { Client } from "./clients.ts";
import type { Work, Workload } from "./workloads.ts";

type Kind = string;

/** What a client does not do; a client that is not named does everything but `topology`. */
const only: Readonly<Record<string, readonly Kind[]>> = {
  "hand-written": ["publish", "confirm", "consume", "ack", "rpc", "get"],
  "bare socket": ["publish", "confirm", "consume", "ack"],
  pika: ["publish", "confirm", "consume", "ack", "get", "connect"],
};

export function can(client: Client, workload: Workload, onNullBroker: boolean): boolean {
  if (client.runtime !== "node" && (client.runtime === "deno" || client.runtime === "bun")) {
    if (workload.everywhere !== true || !onNullBroker) return false;
  }
  const ours = client.role === "ours" && client.runtime === "node";
  if (workload.growth !== undefined) return ours;
  if ("holding" in workload) return client.runtime === "node" && client.role !== "limit";
  const { work } = workload;
  const kinds = only[client.name];
  if (kinds !== undefined && !kinds.includes(work.kind)) return false;
  if (work.kind === "consume" && work.lent === true && client.runtime === "python") return false;
  if (client.runtime === "python" && !blockingWorks(work)) return false;
  if (work.kind === "ack" && work.order === "batch" && client.role === "limit") return false;
  if (work.kind === "consume" && work.by !== "handler" && client.role === "limit") return false;
  return client.role !== "limit" || onNullBroker;
}

/** Pika's BlockingConnection has no turns of a loop, waits for each confirm, and its handlers are called one by one. */
function blockingWorks(work: Work): boolean {
  if (work.kind === "publish") return work.pace === "burst";
  if (work.kind === "confirm") return work.window === 1;
  if (work.kind === "consume") return work.by === "handler";
  return work.kind !== "ack" || (work.order === "in" && work.handler === "sync");
}
