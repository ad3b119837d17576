/** How far a consumer has come in its stream, so that it goes on from there when its channel was lost. */

import type { ConsumeOptions } from "./consumer-options.ts";
import { type ConsumerDelivery, isUnsettled } from "./delivery.ts";

export class StreamPosition {
  readonly #behind: NonNullable<ConsumeOptions["resumeBehind"]>;
  /** What was handed out last. */
  #latest: ConsumerDelivery | undefined;
  /** What was handed out and may not be acknowledged yet, in order. The server allows a prefetch of them. */
  #unacknowledged: ConsumerDelivery[] = [];
  #next: number | bigint | undefined;

  /** @param behind - What it goes on behind: the message handed out last, or the last one before which all are acknowledged. */
  constructor(behind: ConsumeOptions["resumeBehind"] = "handed-out") {
    this.#behind = behind;
  }

  /** The offset at which to go on after the last loss; `undefined` where nothing was handed out. */
  get next(): number | bigint | undefined {
    return this.#next;
  }

  handedOut(delivery: ConsumerDelivery): void {
    this.#latest = delivery;
    if (this.#behind === "handed-out") return;
    while (this.#unacknowledged[0]?.outstanding === false) this.#unacknowledged.shift();
    this.#unacknowledged.push(delivery);
  }

  /** The channel was lost. To be called while deliveries still know whether they are settled. */
  lost(): void {
    const first = this.#unacknowledged.find(isUnsettled);
    const offset = offsetOf(first ?? this.#latest);
    // Nothing was handed out since the last loss: that one's offset is the one still.
    if (typeof offset !== "number" && typeof offset !== "bigint") return;
    if (first !== undefined) this.#next = offset;
    else this.#next = typeof offset === "bigint" ? offset + 1n : offset + 1;
    this.#unacknowledged = [];
    this.#latest = undefined;
  }
}

/** Of a message whose properties do not parse it is not known. */
function offsetOf(delivery: ConsumerDelivery | undefined): unknown {
  try {
    return delivery?.properties.headers?.["x-stream-offset"];
  } catch {
    return undefined;
  }
}
