/** Calls that wait for the server's reply. */

import type { ReplyEvent, GetOkEvent } from "../engine/events.ts";
import type { Request } from "../engine/request.ts";
import type { Outcome } from "../wire/errors.ts";
import { callSite, calledFrom, noSite } from "./call-site.ts";
import { AbortError, type EndError, endedWith } from "./errors.ts";
import { Future, onAbort } from "./futures.ts";
import { PassingMap } from "./passing-map.ts";

/** What answers a request. */
export type Answer = ReplyEvent | GetOkEvent;

interface Waiting {
  readonly answered: (answer: Answer) => void;
  readonly ended: (end: EndError, guilty: boolean, comesBack: boolean) => void;
}

/** What is to be known of a call beside its request. */
export interface CallOptions<T> {
  readonly signal?: AbortSignal | undefined;
  /** Makes the call's value of the answer. */
  readonly value: (answer: Answer) => T;
  /** Undoes the effect of an answer that comes after the caller gave up. */
  readonly undo?: ((value: T) => void) | undefined;
  /** There will be no answer. */
  readonly failed?: ((end: EndError) => void) | undefined;
  /** Makes the call again, where it was not sent and its channel comes back. */
  readonly again?: (() => Promise<T>) | undefined;
  /** It may be made again even when it was sent: twice is as good as once. */
  readonly idempotent?: boolean | undefined;
  /**
   * Whether the call is one of a message, which costs little more than a stack would: its error has only what the engine
   * adds by itself, as that of a publish.
   */
  readonly ofMessage?: boolean | undefined;
  /** The error of a call that has an own one for its end. */
  readonly errorOf?: ((end: EndError, outcome: Outcome) => Error) | undefined;
}

/** The requests of one connection that are not answered yet. Each ends once: answered, or with its channel. */
export class Replies {
  readonly #waiting = new PassingMap<Request, Waiting>();

  get size(): number {
    return this.#waiting.size;
  }

  /** A promise of the value of a request's answer. Rejects when the channel ends first, or the signal aborts. */
  expect<T>(request: Request, options: CallOptions<T>): Promise<T> {
    const { signal, value, undo, failed, again, idempotent, ofMessage, errorOf = endedWith } = options;
    const future = new Future<T>();
    const site = ofMessage === true ? noSite : callSite();
    let givenUp = false;
    const giveUp = (reason: unknown): void => {
      givenUp = true;
      // The request itself cannot be taken back, sent or not; its answer is waited for, so that it is not taken for another's.
      future.fail(() => calledFrom(site, new AbortError(reason, "unknown")));
    };
    const stopListening = signal && onAbort(signal, giveUp);
    this.#waiting.set(request, {
      answered: (answer) => {
        stopListening?.();
        const result = value(answer);
        if (givenUp) undo?.(result);
        else future.resolve(result);
      },
      ended: (end, guilty, comesBack) => {
        stopListening?.();
        failed?.(end);
        if (givenUp) return;
        const mayRepeat = !request.sent || (idempotent === true && !guilty);
        if (comesBack && mayRepeat && again !== undefined) return future.resolve(again());
        const outcome = !request.sent ? "not-sent" : guilty ? "refused" : "unknown";
        future.fail(() => calledFrom(site, errorOf(end, outcome)));
      },
    });
    return future.promise;
  }

  /** The server answered. */
  answer(answer: Answer): void {
    const waiting = this.#waiting.get(answer.request);
    this.#waiting.delete(answer.request);
    waiting?.answered(answer);
  }

  /** Requests that will not be answered any more, oldest first. With `comesBack`, their channel is recovered. */
  end(requests: readonly Request[], end: EndError, comesBack = false): void {
    for (const request of requests) {
      const waiting = this.#waiting.get(request);
      this.#waiting.delete(request);
      // Only one request of a channel is in flight, so when the server blames its method, it is the one.
      waiting?.ended(end, request.sent && end.method === request.method && end.replyCode !== undefined, comesBack);
    }
  }
}
