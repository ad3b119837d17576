/** What the process of a client is told, and what it answers. */

import type { Holding, Work } from "./workloads.ts";

/** What a client process is to do. */
export interface Assignment {
  /** The name of its file in `drivers`. */
  readonly driver: string;
  readonly task:
    | { readonly work: Work; readonly slice: number }
    | { readonly holding: Holding; readonly count: number };
  readonly broker: {
    readonly kind: "null" | "rabbitmq";
    readonly port: number;
    /** Of RabbitMQ: queues that were filled, with a slice each. The null broker makes up its own. */
    readonly queues?: readonly string[];
  };
  /** CPU time to warm up and to measure, in milliseconds. Whole slices are done, at least one of each. */
  readonly warmUp: number;
  readonly measure: number;
  /** Operations that warming up has at least, however long they take. */
  readonly warmUpOperations?: number;
  /** Milliseconds that pass after which no other slice begins either, in each of both; default no limit. */
  readonly longest?: number;
  /** In place of time: how many slices. */
  readonly slices?: { readonly warmUp: number; readonly measure: number };
  /** Whether to count what is allocated, which costs time. */
  readonly allocations?: boolean;
}

/** Microseconds. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** What it cost. CPU times are those of the whole process in microseconds: all threads, collecting garbage too. */
export interface TimedReport {
  readonly operations: number;
  readonly user: number;
  readonly system: number;
  /** Wall clock, in microseconds. */
  readonly elapsed: number;
  readonly collections: number;
  /** Milliseconds. */
  readonly collecting: number;
  /** Bytes of the heap; only when that was asked for. */
  readonly allocated?: number;
  /** Resident memory in bytes, at the end of each slice. */
  readonly rss: readonly number[];
  /** Where one operation waits for the other. */
  readonly latency?: Latency;
}

/** What one of them takes, in bytes. */
export interface MemoryReport {
  readonly heap: number;
  /** Buffers, which are outside of the heap. */
  readonly external: number;
  /** As the operating system sees it. */
  readonly resident: number;
}

export type Report = TimedReport | MemoryReport;
