/** Calls that come from other threads. */

import { UsageError } from "../wire/errors.ts";
import type { ThreadPort } from "../threads/port.ts";
import { SharedState } from "./shared-state.ts";

/** Calls from other threads that may wait to be made. */
const maxCalls = 16_384;

/** What another thread needs to make calls: to be posted to it, with `port` in the list of what is transferred. */
export interface CallbackHandle<Port = ThreadPort> {
  readonly port: Port;
  readonly state: SharedArrayBuffer;
}

/**
 * Has a callback of a blocking connection called, from another thread:
 * `new CallbackCaller(handle).call({ deliveryTag: 7 })`. The value is cloned, and the callback is called with it when the
 * connection's thread dispatches events; a thread that waits for some is woken.
 */
export class CallbackCaller<Value> {
  readonly #port: Pick<ThreadPort, "postMessage">;
  readonly #state: SharedState;

  constructor({ port, state }: CallbackHandle<Pick<ThreadPort, "postMessage">>) {
    this.#port = port;
    this.#state = new SharedState(state);
  }

  /**
   * Asks for a call, and does not wait for it.
   *
   * @throws UsageError ILLEGAL_STATE when the connection is closed; LIMIT_REACHED when 16,384 calls wait already; what
   * cloning throws.
   */
  call(value: Value): void {
    if (this.#state.isOver) throw new UsageError("ILLEGAL_STATE", "The blocking connection is closed");
    if (!this.#state.enterCall(maxCalls)) {
      throw new UsageError("LIMIT_REACHED", `${maxCalls} calls from other threads wait already`);
    }
    try {
      this.#port.postMessage(value, []);
    } catch (error) {
      this.#state.leaveCall();
      throw error;
    }
    this.#state.wake();
  }
}
