/** When things happened in a run: outages as clients saw them, and how long it took until confirms came again. */

import type { RabbitMQCoordinates } from "../../rabbitmq/index.ts";
import { probeBroker } from "../../rabbitmq/probe.ts";

const answerWithin = 500;
const askEvery = 50;

/** How long things took, in milliseconds. */
export interface Spread {
  readonly count: number;
  readonly median: number;
  readonly longest: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    median: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
    longest: Math.round(sorted.at(-1) ?? 0),
  };
}

export class Timeline {
  /** From the loss of a connection until everything on it was back. */
  readonly outages: number[] = [];
  /** From when a majority of nodes served again until a publisher had its first confirm. */
  readonly returns: number[] = [];
  readonly #lastConfirm = new Map<string, number>();
  readonly #longestGap = new Map<string, number>();
  /** Publishers that have no confirm since the majority is back, and since when it is. */
  #awaiting: { readonly since: number; readonly publishers: Set<string> } | undefined;

  /** A publisher's messages were confirmed at these times. */
  confirmed(publisher: string, times: readonly number[]): void {
    for (const time of times) {
      const last = this.#lastConfirm.get(publisher);
      if (last !== undefined) {
        this.#longestGap.set(publisher, Math.max(this.#longestGap.get(publisher) ?? 0, time - last));
      }
      this.#lastConfirm.set(publisher, time);
      const awaiting = this.#awaiting;
      if (awaiting !== undefined && time >= awaiting.since && awaiting.publishers.delete(publisher)) {
        this.returns.push(time - awaiting.since);
      }
    }
  }

  /** The longest time without a confirm that any publisher saw. */
  get longestGap(): number {
    return Math.max(0, ...this.#longestGap.values());
  }

  /** Call it when the majority of nodes is down: watches for the moment at which it serves again. */
  async watchReturn(nodes: readonly RabbitMQCoordinates[], publishers: readonly string[]): Promise<void> {
    for (;;) {
      const answers = await Promise.all(nodes.map(({ host, port }) => probeBroker(host, port, answerWithin)));
      const serving = answers.filter((version) => version !== undefined).length;
      if (serving * 2 > nodes.length) break;
      await new Promise((resolve) => setTimeout(resolve, askEvery));
    }
    this.#awaiting = { since: Date.now(), publishers: new Set(publishers) };
  }
}
