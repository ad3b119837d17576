/** Calls that wait for the server's reply. */

import { ChannelError } from "../engine/errors.ts";
import type { ReplyEvent, GetOkEvent } from "../engine/events.ts";
import type { Request } from "../engine/request.ts";
import type { Outcome } from "../wire/errors.ts";
import { type CallSite, callSite, calledFrom, noSite } from "./call-site.ts";
import { AbortError, type EndError, endedWith } from "./errors.ts";
import { Future, onAbort } from "./futures.ts";

/** What answers a request. */
export type Answer = ReplyEvent | GetOkEvent;

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

/** A call that waits. An object of its own in place of closures: gets come by the million. */
class WaitingCall<T> {
  readonly future: Future<T> = new Future<T>();
  readonly #options: CallOptions<T>;
  readonly #site: CallSite;
  readonly #stopListening: (() => void) | undefined;
  #givenUp = false;

  constructor(options: CallOptions<T>, site: CallSite) {
    this.#options = options;
    this.#site = site;
    this.#stopListening = options.signal && onAbort(options.signal, (reason) => this.#giveUp(reason));
  }

  get isIdempotent(): boolean {
    return this.#options.idempotent === true;
  }

  #giveUp(reason: unknown): void {
    this.#givenUp = true;
    // The request itself cannot be taken back, sent or not; its answer is waited for, so that it is not taken for another's.
    this.future.fail(() => calledFrom(this.#site, new AbortError(reason, "unknown")));
  }

  answered(answer: Answer): void {
    this.#stopListening?.();
    const result = this.#options.value(answer);
    if (this.#givenUp) this.#options.undo?.(result);
    else this.future.resolve(result);
  }

  ended(end: EndError, outcome: Outcome, mayRepeat: boolean): void {
    const { failed, again, errorOf = endedWith } = this.#options;
    this.#stopListening?.();
    failed?.(end);
    if (this.#givenUp) return;
    if (mayRepeat && again !== undefined) return this.future.resolve(again());
    this.future.fail(() => calledFrom(this.#site, errorOf(end, outcome)));
  }
}

/** The requests of one connection that are not answered yet. Each ends once: answered, or with its channel. */
export class Replies {
  #size = 0;
  /** The end that was told last, and whether all requests were of one channel then. */
  #end: EndError | undefined;
  #isOfOne = false;

  get size(): number {
    return this.#size;
  }

  /** A promise of the value of a request's answer. Rejects when the channel ends first, or the signal aborts. */
  expect<T>(request: Request, options: CallOptions<T>): Promise<T> {
    const call = new WaitingCall<T>(options, options.ofMessage === true ? noSite : callSite());
    // Found with the request: a map would hold one entry at a time, and be garbage after three.
    request.context = call;
    this.#size += 1;
    return call.future.promise;
  }

  /** The server answered. */
  answer(answer: Answer): void {
    this.#take(answer.request)?.answered(answer);
  }

  /**
   * Requests that will not be answered any more, oldest first. With `comesBack`, their channel is recovered.
   *
   * The server takes what comes on a channel in order, and answers at once, but for a consumer, whose queue answers. So when
   * it closes the channel for a method, the one request in flight was refused, or was left undone behind the culprit. When it
   * closes the connection, that may be the fault of another channel's, unless the request is the connection's own.
   */
  end(requests: readonly Request[], end: EndError, comesBack = false): void {
    const ofChannel = end instanceof ChannelError;
    const blamed = end.replyCode === undefined ? undefined : end.method;
    for (const request of requests) {
      if (end !== this.#end) this.#isOfOne = this.#size === requests.length;
      this.#end = end;
      const call = this.#take(request);
      const { channel, sent, method } = request;
      const isSuspect = method === blamed;
      const isLeft = !isSuspect && ofChannel && blamed !== undefined && method !== "basic.consume";
      const isRefused = isLeft || (isSuspect && (channel === 0 || ofChannel || this.#isOfOne));
      const mayRepeat = !sent || isLeft || (call?.isIdempotent === true && !isSuspect);
      call?.ended(end, !sent ? "not-sent" : isRefused ? "refused" : "unknown", comesBack && mayRepeat);
    }
  }

  /** Whoever waits for a request, who does so no longer. */
  #take(request: Request): WaitingCall<unknown> | undefined {
    const call = request.context as WaitingCall<unknown> | undefined;
    request.context = undefined;
    if (call !== undefined) this.#size -= 1;
    return call;
  }
}
