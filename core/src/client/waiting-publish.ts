/** Publishes that have to wait, or may not wait for ever. */

import type { Millis } from "../engine/config.ts";
import type { Publication } from "../engine/frame-writer.ts";
import { isBytes } from "../wire/bytes.ts";
import type { Outcome } from "../wire/errors.ts";
import type { Deadline, Deadlines, Expiring } from "./deadlines.ts";
import { AbortError, TimeoutError } from "./errors.ts";
import { onAbort, type Resolve, rejection } from "./futures.ts";
import type { Allowance } from "./gate.ts";
import type { ConfirmListener, MakeFailure } from "./unconfirmed.ts";

/** What a publish costs beside its body while it waits for room. */
const waitingOverhead = 256;

/** What a publish is given up with that is known to have arrived, though it is not confirmed yet. */
export const hasArrived: Error = /* @__PURE__ */ new Error("The message has arrived");

/** Where a publish waits. */
export interface WaitingRoom {
  /** Nobody waits for it any more. Its listener is told, with whether it may have arrived. */
  giveUp(publish: WaitingPublish, makeError: (outcome: Outcome) => Error): void;
}

/** See the file's comment. It listens in place of whoever published, who can give it up. */
export class WaitingPublish implements ConfirmListener, Expiring {
  readonly publication: Publication;
  /** What it counts while it waits. */
  readonly cost: number;
  /** Its number, once it is sent in confirm mode. */
  sequence = 0;
  /** How often it was published again. */
  resends = 0;
  over = false;
  waits = false;
  /** Where it counts while there is no connection. */
  allowance: Allowance | undefined;
  #outageDeadline: Deadline | undefined;
  readonly #listener: ConfirmListener;
  readonly #room: WaitingRoom;
  #deadline: Deadline | undefined;
  #stopListening: (() => void) | undefined;

  constructor(publication: Publication, listener: ConfirmListener, room: WaitingRoom) {
    this.publication = publication;
    this.cost = (isBytes(publication.body) ? publication.body.length : 0) + waitingOverhead;
    this.#listener = listener;
    this.#room = room;
  }

  /** Limits the wait. */
  limit(deadlines: Deadlines, signal: AbortSignal | undefined, timeout: Millis | undefined): void {
    if (timeout !== undefined) this.#deadline = deadlines.start(timeout, this);
    if (signal === undefined) return;
    this.#stopListening = onAbort(signal, (reason) => this.giveUp((outcome) => new AbortError(reason, outcome)));
  }

  /** Nobody waits for it any more: the listener fails. Does nothing when it is over. */
  giveUp(makeError: (outcome: Outcome) => Error): void {
    if (!this.over) this.#room.giveUp(this, makeError);
  }

  /** There is no connection, and it may wait for one for so long. */
  waitForConnection(allowance: Allowance, deadlines: Deadlines, tooLate: Expiring): void {
    this.allowance = allowance;
    allowance.take(this.cost);
    this.#outageDeadline = deadlines.start(allowance.acquireTimeout, tooLate);
  }

  /** It waits for a connection no longer. */
  connected(): void {
    this.allowance?.giveBack(this.cost);
    this.allowance = undefined;
    this.#outageDeadline?.cancel();
  }

  expire(): void {
    this.giveUp((outcome) => new TimeoutError("The message was not confirmed in time", outcome));
  }

  confirmed(): void {
    this.#finish();
    this.#listener.confirmed();
  }

  failed(makeError: MakeFailure): void {
    // Whoever was told before it may have given it up.
    if (this.over) return;
    this.#finish();
    // What was published again may have arrived before, whatever it comes to now.
    this.#listener.failed(this.resends > 0 ? () => makeError("unknown") : makeError);
  }

  #finish(): void {
    this.over = true;
    this.connected();
    this.#deadline?.cancel();
    this.#stopListening?.();
  }
}

/** The caller of a publish, as a listener. */
export class PromisedPublish implements ConfirmListener {
  readonly #resolve: Resolve<void>;

  constructor(resolve: Resolve<void>) {
    this.#resolve = resolve;
  }

  confirmed(): void {
    this.#resolve();
  }

  failed(makeError: MakeFailure): void {
    this.#resolve(rejection(makeError));
  }
}
