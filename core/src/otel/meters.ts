/** The metrics of the messaging conventions. */

import type { Attributes, Counter, Histogram, Meter } from "@opentelemetry/api";

/** In seconds, as the conventions ask for. */
const explicitBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

export class Meters {
  readonly #sent: Counter;
  readonly #consumed: Counter;
  readonly #operation: Histogram;
  readonly #process: Histogram;

  constructor(meter: Meter) {
    this.#sent = meter.createCounter("messaging.client.sent.messages", {
      unit: "{message}",
      description: "Number of messages producer attempted to send to the broker.",
    });
    this.#consumed = meter.createCounter("messaging.client.consumed.messages", {
      unit: "{message}",
      description: "Number of messages that were delivered to the application.",
    });
    const duration = { unit: "s", advice: { explicitBucketBoundaries } };
    this.#operation = meter.createHistogram("messaging.client.operation.duration", {
      ...duration,
      description: "Duration of messaging operation initiated by a producer or consumer client.",
    });
    this.#process = meter.createHistogram("messaging.process.duration", {
      ...duration,
      description: "Duration of processing operation.",
    });
  }

  /** A publish ended; without having been sent, where `attempted` is false. */
  published(seconds: number, attributes: Attributes, attempted: boolean): void {
    if (attempted) this.#sent.add(1, attributes);
    this.#operation.record(seconds, attributes);
  }

  /** A message was asked for, or settled. */
  operated(seconds: number, attributes: Attributes): void {
    this.#operation.record(seconds, attributes);
  }

  consumed(attributes: Attributes): void {
    this.#consumed.add(1, attributes);
  }

  processed(seconds: number, attributes: Attributes): void {
    this.#process.record(seconds, attributes);
  }
}
