/** What the relay counts, for Prometheus. No label has a value that a client chooses. */

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ArrivalRefusal } from "./arrivals.ts";
import type { Direction } from "./bridge.ts";
import type { Millis } from "./clock.ts";
import type { EndReason } from "./end-reasons.ts";
import type { RefusalReason } from "./upgrade.ts";

const connectBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const durationBuckets = [1, 10, 60, 600, 3_600, 21_600, 86_400];

export class RelayMetrics {
  readonly #registry = new Registry();
  readonly #bytes: Counter<"direction">;
  readonly #messages: Counter<"direction">;
  readonly #stalls: Counter<"direction">;
  readonly #drops: Counter<"reason">;
  readonly #refusals: Counter<"reason">;
  readonly #ends: Counter<"reason">;
  readonly #durations: Histogram;
  readonly #dials: Histogram<"upstream">;
  readonly #failedDials: Counter<"upstream">;

  /** @param connections Says how many connections there are now. */
  constructor(connections: () => number) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    new Gauge({
      name: "leveret_relay_connections",
      help: "WebSocket connections that are open or being opened.",
      registers,
      collect() {
        this.set(connections());
      },
    });
    this.#bytes = new Counter({
      name: "leveret_relay_bytes_total",
      help: "Bytes carried; up is from client to broker.",
      labelNames: ["direction"],
      registers,
    });
    this.#messages = new Counter({
      name: "leveret_relay_messages_total",
      help: "WebSocket messages carried; up is from client to broker. A message is not an AMQP frame.",
      labelNames: ["direction"],
      registers,
    });
    this.#stalls = new Counter({
      name: "leveret_relay_backpressure_seconds_total",
      help: "Time for which a side was not read because the other did not take more, summed over connections.",
      labelNames: ["direction"],
      registers,
    });
    this.#drops = new Counter({
      name: "leveret_relay_dropped_connections_total",
      help: "TCP connections that were dropped as they came, before a request.",
      labelNames: ["reason"],
      registers,
    });
    this.#refusals = new Counter({
      name: "leveret_relay_refused_upgrades_total",
      help: "Requests for a WebSocket that were refused.",
      labelNames: ["reason"],
      registers,
    });
    this.#ends = new Counter({
      name: "leveret_relay_closed_connections_total",
      help: "WebSocket connections that have ended.",
      labelNames: ["reason"],
      registers,
    });
    this.#durations = new Histogram({
      name: "leveret_relay_connection_seconds",
      help: "How long connections lasted.",
      buckets: durationBuckets,
      registers,
    });
    this.#dials = new Histogram({
      name: "leveret_relay_upstream_connect_seconds",
      help: "How long it took to connect to a broker, TLS included.",
      labelNames: ["upstream"],
      buckets: connectBuckets,
      registers,
    });
    this.#failedDials = new Counter({
      name: "leveret_relay_upstream_connect_failures_total",
      help: "Connections to a broker that could not be made.",
      labelNames: ["upstream"],
      registers,
    });
  }

  carried(direction: Direction, bytes: number): void {
    this.#bytes.inc({ direction }, bytes);
    this.#messages.inc({ direction });
  }

  stalled(direction: Direction, duration: Millis): void {
    this.#stalls.inc({ direction }, duration / 1_000);
  }

  dropped(reason: "too-many-connections" | "no-proxy-header" | ArrivalRefusal): void {
    this.#drops.inc({ reason });
  }

  refused(reason: RefusalReason): void {
    this.#refusals.inc({ reason });
  }

  ended(reason: EndReason, duration: Millis): void {
    this.#ends.inc({ reason });
    this.#durations.observe(duration / 1_000);
  }

  dialed(upstream: string, duration: Millis): void {
    this.#dials.observe({ upstream }, duration / 1_000);
  }

  dialFailed(upstream: string): void {
    this.#failedDials.inc({ upstream });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything, in Prometheus's text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
