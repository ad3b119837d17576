/** A call that waits for its reply. */

import { ChannelError, ConnectionError } from "../../engine/errors.ts";
import type { Expiring } from "../deadlines.ts";
import { AbortError, type EndError, endedWith, TimeoutError } from "../errors.ts";
import { Future, onAbort } from "../futures.ts";
import type { Outcome } from "../../wire/errors.ts";
import type { ReplyChannel } from "./reply-channel.ts";

/** What has become of a call's request: nothing yet, handed to the channel, or confirmed by the server. */
type Progress = "made" | "published" | "confirmed";

/**
 * A call ends once: by its reply, which may come before the request is confirmed; by what became of the request; by its
 * deadline or signal; or with the channel that the reply would come on.
 */
export class RpcCall<T> implements Expiring {
  readonly correlationId: string;
  readonly future: Future<T> = new Future<T>();
  /** Where the reply is to come. */
  replyChannel: ReplyChannel | undefined;
  /** Takes the request back where it still waits to be sent. */
  readonly #request = new AbortController();
  readonly #ended: (call: RpcCall<T>) => void;
  readonly #cleanUps: (() => void)[] = [];
  #progress: Progress = "made";
  #over = false;
  /** What ended the call while its request was on the way: how far that came is known when its publish settles. */
  #givenUp: ((outcome: Outcome) => Error) | undefined;

  /** @param ended Is called once, when the call waits for nothing any more. */
  constructor(correlationId: string, ended: (call: RpcCall<T>) => void) {
    this.correlationId = correlationId;
    this.#ended = ended;
  }

  get over(): boolean {
    return this.#over;
  }

  get confirmed(): boolean {
    return this.#progress === "confirmed";
  }

  /** Aborts when the request need not be sent any more. */
  get requestSignal(): AbortSignal {
    return this.#request.signal;
  }

  /** Is called when the call ends. */
  atEnd(cleanUp: () => void): void {
    this.#cleanUps.push(cleanUp);
  }

  obey(signal: AbortSignal): void {
    this.atEnd(onAbort(signal, () => this.#giveUp((outcome) => new AbortError(signal.reason, outcome))));
  }

  expire(): void {
    this.#giveUp((outcome) => new TimeoutError("There was no reply in time", outcome));
  }

  published(replyChannel: ReplyChannel): void {
    this.replyChannel = replyChannel;
    this.#progress = "published";
  }

  requestConfirmed(): void {
    this.#progress = "confirmed";
    if (this.#givenUp !== undefined) this.fail(this.#givenUp);
  }

  requestFailed(error: unknown): void {
    const givenUp = this.#givenUp;
    if (givenUp !== undefined && error instanceof AbortError) this.fail(() => givenUp(error.outcome ?? "unknown"));
    else
      this.fail((outcome) => (isEnd(error) && outcome === "not-sent" ? endedWith(error, outcome) : (error as Error)));
  }

  /** The reply came. False when nobody waits for it any more. */
  answered(value: T | PromiseLike<T>): boolean {
    if (this.#over) return false;
    this.#end();
    this.future.resolve(value);
    return true;
  }

  fail(makeError: (outcome: Outcome) => Error): void {
    if (this.#over) return;
    const outcome = this.#progress === "made" ? "not-sent" : "unknown";
    this.#end();
    this.future.fail(() => makeError(outcome));
  }

  #giveUp(makeError: (outcome: Outcome) => Error): void {
    if (this.#over || this.#givenUp !== undefined) return;
    if (this.#progress !== "published") return this.fail(makeError);
    this.#givenUp = makeError;
    this.#request.abort();
  }

  #end(): void {
    this.#over = true;
    for (const cleanUp of this.#cleanUps) cleanUp();
    this.#ended(this);
  }
}

/** The channel could not even be opened: that may be refused, but the call was not sent. */
function isEnd(error: unknown): error is EndError {
  return error instanceof ChannelError || error instanceof ConnectionError;
}
