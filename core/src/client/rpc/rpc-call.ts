/** A call that waits for its reply. */

import { ChannelError, ConnectionError } from "../../engine/errors.ts";
import type { Millis } from "../../engine/config.ts";
import type { Publication } from "../../engine/frame-writer.ts";
import type { Outcome } from "../../wire/errors.ts";
import type { Deadline, Deadlines, Expiring } from "../deadlines.ts";
import { AbortError, type EndError, endedWith, TimeoutError } from "../errors.ts";
import { Future, onAbort } from "../futures.ts";
import type { ConfirmListener } from "../unconfirmed.ts";
import { hasArrived, type WaitingPublish } from "../waiting-publish.ts";
import type { ReplyChannel } from "./reply-channel.ts";

/** Whoever keeps the calls. */
export interface RpcCaller<T> {
  /** A call waits for nothing any more. */
  ended(call: RpcCall<T>): void;
}

/**
 * A call ends once: by its reply, which may come before the request is confirmed; by what became of the request; by its
 * deadline or signal; or with the channel that the reply would come on.
 */
export class RpcCall<T> implements Expiring, ConfirmListener {
  readonly correlationId: string;
  readonly future: Future<T> = new Future<T>();
  /** Where the reply is to come. */
  replyChannel: ReplyChannel | undefined;
  readonly #caller: RpcCaller<T>;
  /** The request, where it was handed to the channel. */
  #request: WaitingPublish | undefined;
  #confirmed = false;
  #over = false;
  #deadline: Deadline | undefined;
  #stopListening: (() => void) | undefined;

  constructor(correlationId: string, caller: RpcCaller<T>) {
    this.correlationId = correlationId;
    this.#caller = caller;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Whether the server has the request. */
  get isConfirmed(): boolean {
    return this.#confirmed;
  }

  /** Ends the call when a reply takes too long, or the signal aborts. */
  limit(deadlines: Deadlines, timeout: Millis, signal: AbortSignal | undefined): void {
    if (timeout !== Infinity) this.#deadline = deadlines.start(timeout, this);
    if (signal === undefined) return;
    this.#stopListening = onAbort(signal, (reason) => this.giveUp((outcome) => new AbortError(reason, outcome)));
  }

  expire(): void {
    this.giveUp((outcome) => new TimeoutError("There was no reply in time", outcome));
  }

  /**
   * Hands the request to the channel that the reply is to come on.
   *
   * @throws as `ReplyChannel.post`.
   */
  send(replyChannel: ReplyChannel, request: Publication): void {
    this.replyChannel = replyChannel;
    this.#request = replyChannel.post(request, this);
  }

  /** The server has the request. */
  confirmed(): void {
    this.#confirmed = true;
  }

  /** The request was refused, lost, or given up. */
  failed(makeError: () => Error): void {
    this.fail(() => makeError());
  }

  /** There is nothing to send, or no channel to send it on. */
  notSent(error: unknown): void {
    this.fail((outcome) => (isEnd(error) ? endedWith(error, outcome) : (error as Error)));
  }

  /** The reply came. False when nobody waits for it any more. */
  answered(value: T | PromiseLike<T>): boolean {
    if (this.#over) return false;
    this.#end(arrived);
    this.future.resolve(value);
    return true;
  }

  fail(makeError: (outcome: Outcome) => Error): void {
    if (this.#over) return;
    const outcome = this.#request === undefined ? "not-sent" : "unknown";
    this.#end(overAlready);
    this.future.fail(() => makeError(outcome));
  }

  /** Nobody waits for it any more. */
  giveUp(makeError: (outcome: Outcome) => Error): void {
    // How far a request came that is on its way is known where it waits.
    if (this.#request === undefined || this.#confirmed) this.fail(makeError);
    else this.#request.giveUp(makeError);
  }

  /** @param ofRequest - What the request ends with, where it is not confirmed. */
  #end(ofRequest: () => Error): void {
    this.#over = true;
    this.#deadline?.cancel();
    this.#stopListening?.();
    // Its request is not published again after a loss.
    if (!this.#confirmed) this.#request?.giveUp(ofRequest);
    this.#caller.ended(this);
  }
}

/** What the request of a call that is over ends with, which nobody is told. */
const overAlready = (): Error => new Error("The call is over");

/** What the request of a call ends with whose reply was faster than its confirm. */
const arrived = (): Error => hasArrived;

/** The channel could not even be opened: that may be refused, but the call was not sent. */
function isEnd(error: unknown): error is EndError {
  return error instanceof ChannelError || error instanceof ConnectionError;
}
