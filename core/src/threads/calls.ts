/** Calls that another thread made, from their arrival to the answer. */

import type { Outbox } from "./outbox.ts";
import { pack } from "./pack.ts";
import { packError, unpackError } from "./pack-errors.ts";
import type { CallItem, GuestItem, HostItem } from "./protocol.ts";

/** What is known of a call. */
type Asked = Pick<CallItem, "id" | "abortable">;

/** The calls of one lane. Each is answered once. */
export class Calls {
  readonly #lane: number;
  readonly #outbox: Outbox<HostItem>;
  readonly #underWay = new Map<number, AbortController>();

  constructor(lane: number, outbox: Outbox<HostItem>) {
    this.#lane = lane;
    this.#outbox = outbox;
  }

  /** Makes a call and answers with what comes of it. */
  answer(item: Asked, call: (signal: AbortSignal | undefined) => Promise<unknown>): void {
    const { id } = item;
    this.run(item, call, (value) => {
      this.#outbox.post({ type: "reply", lane: this.#lane, id, value: pack(value, "the answer") });
    });
  }

  /** Makes a call whose result takes a way of its own. */
  run<T>(
    { id, abortable }: Asked,
    call: (signal: AbortSignal | undefined) => Promise<T>,
    succeeded: (value: T) => void,
  ): void {
    const controller = abortable ? new AbortController() : undefined;
    if (controller !== undefined) this.#underWay.set(id, controller);
    let running: Promise<T>;
    try {
      running = call(controller?.signal);
    } catch (error) {
      this.#underWay.delete(id);
      return this.#failed(id, error);
    }
    running
      .finally(() => this.#underWay.delete(id))
      .then(succeeded)
      // Also what could be done, and whose result cannot travel.
      .catch((error: unknown) => this.#failed(id, error));
  }

  /** Makes a call that has its result at once. */
  answerNow(id: number, call: () => unknown): void {
    let value: unknown;
    try {
      value = call();
    } catch (error) {
      return this.#failed(id, error);
    }
    this.#outbox.post({ type: "reply", lane: this.#lane, id, value });
  }

  /** The caller has given up waiting. */
  abort({ id, reason }: Extract<GuestItem, { type: "abort" }>): void {
    this.#underWay.get(id)?.abort(unpackError(reason));
  }

  /** Nobody waits for answers any more. */
  end(): void {
    for (const controller of this.#underWay.values()) controller.abort(new Error("The calling thread is gone"));
    this.#underWay.clear();
  }

  #failed(id: number, error: unknown): void {
    this.#outbox.post({ type: "failed", lane: this.#lane, id, error: packError(error) });
  }
}
