/** The requests of one channel: one is in flight, later ones wait their turn. */

import { ProtocolError, UsageError } from "../wire/errors.ts";
import type { MethodName } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
import { Deque } from "./deque.ts";
import { PendingRequest } from "./request.ts";

/** What a queue needs of its channel. */
export interface RequestTransmitter {
  /** Puts the request into the output. Throws a UsageError when it cannot be encoded, and has done nothing then. */
  send(request: PendingRequest): void;
  /** Encodes a request that has to wait, so that bad input is found at the call. */
  encode(request: PendingRequest): readonly Uint8Array[];
}

/**
 * Requests in the order of their calls. A reply is matched to the one in flight by the table of methods, so a reply
 * that nobody waits for is found out. A no-wait request keeps its place in the order, and is not waited for.
 */
export class RequestQueue {
  readonly #waiting = new Deque<PendingRequest>();
  readonly #limit: number;
  readonly #transmitter: RequestTransmitter;
  #inFlight: PendingRequest | undefined;

  constructor(limit: number, transmitter: RequestTransmitter) {
    this.#limit = limit;
    this.#transmitter = transmitter;
  }

  get inFlight(): PendingRequest | undefined {
    return this.#inFlight;
  }

  /**
   * Sends a request now, or when its turn comes.
   *
   * @throws UsageError LIMIT_REACHED when too many wait; whatever sending throws.
   */
  add(request: PendingRequest): void {
    if (this.#inFlight === undefined) {
      this.#start(request);
      return;
    }
    if (request.noWait && this.#waiting.size === 0) {
      this.#transmitter.send(request);
      return;
    }
    if (this.#waiting.size >= this.#limit) {
      throw new UsageError(
        "LIMIT_REACHED",
        `${this.#limit} requests wait on channel ${request.channel} already (limits.maxWaitingRequests)`,
      );
    }
    request.frames = this.#transmitter.encode(request);
    this.#waiting.push(request);
  }

  /**
   * Takes a reply, and returns the request that it answers. The next request leaves at once.
   *
   * @throws ProtocolError COMMAND_INVALID when no such reply is due.
   */
  reply(method: MethodName): PendingRequest {
    const request = this.#inFlight;
    if (request === undefined || !(methods[request.method].replies as readonly MethodName[]).includes(method)) {
      throw new ProtocolError("COMMAND_INVALID", `Got ${method}, which answers no request in flight`);
    }
    this.#inFlight = undefined;
    request.ended = true;
    this.#startNext();
    return request;
  }

  /** Takes out everything that was not answered, oldest first. */
  drain(): PendingRequest[] {
    const unanswered = this.#waiting.drain();
    if (this.#inFlight !== undefined) unanswered.unshift(this.#inFlight);
    this.#inFlight = undefined;
    for (const request of unanswered) request.ended = true;
    return unanswered.filter((request) => !request.noWait);
  }

  #startNext(): void {
    while (this.#inFlight === undefined) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#start(next);
    }
  }

  #start(request: PendingRequest): void {
    this.#transmitter.send(request);
    if (!request.noWait) this.#inFlight = request;
  }
}
