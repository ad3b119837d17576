/** What the processes of a run say to one another. Times are of the machine's clock, which they share. */

import type { QueuePlan } from "./topology.ts";

/** What became of a publish, as the publisher was told. */
export type PublishOutcome = "confirmed" | "unknown" | "not-sent" | "refused";

/** A publisher: messages `QUEUE:0`, `QUEUE:1`, ... to a queue of its own. */
export interface PublisherRole {
  readonly type: "publisher";
  readonly name: string;
  readonly to: QueuePlan;
  readonly republish: boolean;
  /** Messages in a second. */
  readonly rate: number;
}

/** Consumers of some queues, on one connection. */
export interface ConsumerRole {
  readonly type: "consumer";
  readonly name: string;
  readonly from: readonly QueuePlan[];
}

/** Opens, declares, publishes, consumes, cancels, deletes and closes, again and again: what might pile up. */
export interface ChurnRole {
  readonly type: "churn";
  readonly name: string;
}

/** What a connection is for. */
export type Role = PublisherRole | ConsumerRole | ChurnRole;

/** What a process is told to do. */
export type Order =
  | { readonly type: "begin"; readonly plan: ProcessPlan }
  /** Publish no more. */
  | { readonly type: "stop-publishing" }
  /** Publish and consume no more, close everything, and end. */
  | { readonly type: "finish" };

/** One process: a connection for each role. */
export interface ProcessPlan {
  readonly roles: readonly Role[];
  readonly urls: readonly string[];
  /** Seconds. */
  readonly heartbeat: number;
  /** Milliseconds between looks at the memory; 0 for none. */
  readonly weighEvery: number;
}

/** What a process tells, most of it of a role. */
export type Notice =
  | { readonly type: "ready" }
  /** Sequence number, what became of it, and when. */
  | {
      readonly type: "published";
      readonly queue: string;
      readonly outcomes: readonly (readonly [number, PublishOutcome, number])[];
    }
  /** Messages in the order in which handlers got them, and how many of them were redeliveries. */
  | {
      readonly type: "consumed";
      readonly queue: string;
      readonly bodies: readonly string[];
      readonly redelivered: number;
    }
  | { readonly type: "lost"; readonly role: string; readonly code: string }
  | {
      readonly type: "recovered";
      readonly role: string;
      readonly took: number;
      readonly failures: readonly string[];
    }
  /** A consumer ended, and the application opened another one. */
  | { readonly type: "replaced"; readonly role: string; readonly why: string }
  /** So many rounds of churn, and calls of them that the loss of a connection took along. */
  | { readonly type: "churned"; readonly rounds: number; readonly lost: number }
  /** Bytes, after a collection of garbage; and records of recovery. */
  | { readonly type: "weight"; readonly rss: number; readonly heap: number; readonly records: number }
  /** Everything is published, and its fate is known; so many messages were handed over. */
  | { readonly type: "finished"; readonly queue: string; readonly published: number };
