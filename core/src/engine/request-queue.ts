/** The requests of one channel: one is in flight, later ones wait their turn. */

import { ProtocolError, UsageError } from "../wire/errors.ts";
import type { Arguments, MethodName, RequestName } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
import { Deque } from "./deque.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { PendingRequest } from "./request.ts";

/** What a queue needs of its channel. */
export interface RequestSender {
  /** Where requests are written. */
  readonly writer: FrameWriter;
  /** A request was written. */
  requestWritten(request: PendingRequest): void;
}

/** A request that waits. It was encoded at the call, so that bad input was found there; it is sent as it was then. */
interface Waiting {
  readonly request: PendingRequest;
  readonly frame: readonly Uint8Array[];
}

/**
 * Requests in the order of their calls. A reply is matched to the one in flight by the table of methods, so a reply
 * that nobody waits for is found out. A no-wait request keeps its place in the order, and is not waited for.
 */
export class RequestQueue {
  readonly #waiting = new Deque<Waiting>();
  readonly #limit: number;
  readonly #sender: RequestSender;
  #inFlight: PendingRequest | undefined;

  constructor(limit: number, sender: RequestSender) {
    this.#limit = limit;
    this.#sender = sender;
  }

  /**
   * Sends a request now, or when its turn comes.
   *
   * @throws UsageError INVALID_ARGUMENT when it cannot be encoded; LIMIT_REACHED when too many wait, except for what ends
   * a consumer.
   */
  add<M extends RequestName>(request: PendingRequest<M>, fields: Arguments<M>): void {
    if (this.#waiting.size >= this.#limit && request.method !== "basic.cancel") {
      throw new UsageError(
        "LIMIT_REACHED",
        `${this.#limit} requests wait on channel ${request.channel} already (limits.maxWaitingRequests)`,
      );
    }
    this.addLast(request, fields);
  }

  /** As {@link add}, for a request that no limit may refuse, because nothing comes after it. */
  addLast<M extends RequestName>(request: PendingRequest<M>, fields: Arguments<M>): void {
    const { writer } = this.#sender;
    if (this.#inFlight === undefined || (request.noWait && this.#mayFollow(this.#inFlight))) {
      writer.method(request.channel, request.method, fields);
      this.#written(request);
    } else {
      this.#waiting.push({ request, frame: writer.encode(request.channel, request.method, fields) });
    }
  }

  /**
   * Returns the request that a reply answers.
   *
   * @throws ProtocolError COMMAND_INVALID when no such reply is due.
   */
  expect(reply: MethodName): PendingRequest {
    const request = this.#inFlight;
    if (request === undefined || !(methods[request.method].replies as readonly MethodName[]).includes(reply)) {
      throw new ProtocolError("COMMAND_INVALID", `Got ${reply}, which answers no request in flight`);
    }
    return request;
  }

  /**
   * Takes a reply, and returns the request that it answers. The next request leaves at once.
   *
   * @throws ProtocolError COMMAND_INVALID when no such reply is due.
   */
  reply(method: MethodName): PendingRequest {
    const request = this.expect(method);
    this.#inFlight = undefined;
    request.ended = true;
    this.#startNext();
    return request;
  }

  /** Takes out everything that was not answered, oldest first. */
  drain(): PendingRequest[] {
    const unanswered = this.#waiting.drain().map(({ request }) => request);
    if (this.#inFlight !== undefined) unanswered.unshift(this.#inFlight);
    this.#inFlight = undefined;
    for (const request of unanswered) request.ended = true;
    return unanswered.filter((request) => !request.noWait);
  }

  /** Nothing may follow a commit before it was answered: RabbitMQ before 4.3 closes the connection for that. */
  #mayFollow(inFlight: PendingRequest): boolean {
    return this.#waiting.size === 0 && inFlight.method !== "tx.commit";
  }

  #startNext(): void {
    while (this.#inFlight === undefined) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#sender.writer.encoded(next.frame);
      this.#written(next.request);
    }
  }

  #written(request: PendingRequest): void {
    request.sent = true;
    if (!request.noWait) this.#inFlight = request;
    this.#sender.requestWritten(request);
  }
}
