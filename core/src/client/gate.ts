/**
 * Where calls wait while there is no connection. Each channel has a gate of its own, which keeps the order of its calls;
 * all gates of a connection share one allowance, so that an outage costs a bounded amount of memory.
 */

import type { Millis } from "../engine/config.ts";
import { LazyMap } from "../engine/lazy-map.ts";
import type { Deadlines } from "./deadlines.ts";
import { AbortError, type EndError, endedWith, type MakeEnd, NotConnectedError } from "./errors.ts";
import { Future, onAbort, rejection } from "./futures.ts";

/** What an allowance is made of. */
export interface AllowanceOptions {
  readonly whenDown: "wait" | "fail";
  readonly acquireTimeout: Millis;
  readonly maxWaitingCalls: number;
  readonly maxWaitingBytes: number;
}

/** How much of one connection may wait for it to come back. */
export class Allowance {
  readonly acquireTimeout: Millis;
  /** Whether calls wait at all. */
  readonly waits: boolean;
  readonly #maxCalls: number;
  readonly #maxBytes: number;
  #calls = 0;
  #bytes = 0;

  constructor({ whenDown, acquireTimeout, maxWaitingCalls, maxWaitingBytes }: AllowanceOptions) {
    this.waits = whenDown === "wait";
    this.acquireTimeout = acquireTimeout;
    this.#maxCalls = maxWaitingCalls;
    this.#maxBytes = maxWaitingBytes;
  }

  /** Why a call of so many bytes may not wait; `undefined` when it may. */
  refusal(bytes: number): string | undefined {
    if (!this.waits) return "There is no connection at the moment";
    if (this.#calls >= this.#maxCalls) return `There is no connection, and ${this.#calls} calls wait for it already`;
    if (this.#bytes + bytes > this.#maxBytes)
      return `There is no connection, and ${this.#bytes} bytes wait for it already`;
    return undefined;
  }

  take(bytes: number): void {
    this.#calls += 1;
    this.#bytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#calls -= 1;
    this.#bytes -= bytes;
  }
}

/** A call that waits. */
interface Caller {
  /** Makes the call. */
  readonly run: () => void;
  readonly fail: (makeError: () => Error) => void;
  readonly forget: () => void;
}

/** Where the calls of one channel, or those of the connection itself, wait for the connection to come back. */
export interface Gate {
  readonly isOpen: boolean;
  /** Why it is shut. */
  readonly cause: EndError | undefined;
  shut(cause: EndError): void;
  /**
   * Makes a call when the gate opens, in the order of these calls.
   *
   * @throws NotConnectedError when the call may not wait, or waited for too long; AbortError; what ended the connection.
   */
  pass<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** There is a connection: nobody has to wait any more. Who waits already is let through by {@link admit}. */
  open(): void;
  /** Lets through who waits, in order. */
  admit(): void;
  /** There will be no connection any more. */
  end(makeEnd: MakeEnd): void;
}

/** The gate of a connection that does not recover: it is never down and alive, so nothing ever waits for it. */
export const alwaysOpen: Gate = {
  isOpen: true,
  cause: undefined,
  shut: () => {},
  pass: (run) => run(),
  open: () => {},
  admit: () => {},
  end: () => {},
};

/** The gate of a connection that recovers. Open to begin with. */
export class OutageGate implements Gate {
  readonly #allowance: Allowance;
  readonly #deadlines: Deadlines;
  readonly #callers = new LazyMap<Caller, true>();
  /** Why it is shut. */
  #cause: EndError | undefined;

  constructor(allowance: Allowance, deadlines: Deadlines) {
    this.#allowance = allowance;
    this.#deadlines = deadlines;
  }

  get isOpen(): boolean {
    return this.#cause === undefined;
  }

  get cause(): EndError | undefined {
    return this.#cause;
  }

  shut(cause: EndError): void {
    this.#cause = cause;
  }

  pass<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const refusal = this.#allowance.refusal(0);
    if (refusal !== undefined) return rejection(() => new NotConnectedError(refusal, this.#cause));
    const future = new Future<T>();
    const deadline = this.#deadlines.start(this.#allowance.acquireTimeout, {
      expire: () => this.#refuse(caller, () => new NotConnectedError(waitedTooLong, this.#cause)),
    });
    const stopListening = onAbort(signal, (reason) => {
      this.#refuse(caller, () => new AbortError(reason, "not-sent"));
    });
    const caller: Caller = {
      run: () => future.resolve(run()),
      fail: (makeError) => future.fail(makeError),
      forget: () => {
        this.#callers.delete(caller);
        this.#allowance.giveBack(0);
        deadline.cancel();
        stopListening();
      },
    };
    this.#callers.set(caller, true);
    this.#allowance.take(0);
    return future.promise;
  }

  open(): void {
    this.#cause = undefined;
  }

  admit(): void {
    for (const caller of [...this.#callers.keys()]) {
      caller.forget();
      caller.run();
    }
  }

  end(makeEnd: MakeEnd): void {
    for (const caller of [...this.#callers.keys()]) this.#refuse(caller, () => endedWith(makeEnd(), "not-sent"));
  }

  #refuse(caller: Caller, makeError: () => Error): void {
    caller.forget();
    caller.fail(makeError);
  }
}

/** What is said when `acquireTimeout` is over. */
export const waitedTooLong = "There was no connection for too long (acquireTimeout)";
