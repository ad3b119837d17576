/** A port's end in the thread without the connection: calls go out, and each is answered once. */

import { AbortError } from "../client/errors.ts";
import { Future, onAbort, rejection } from "../client/futures.ts";
import { type Outcome, UsageError } from "../wire/errors.ts";
import { isBatch, openBatch, Outbox } from "./outbox.ts";
import { pack, unpack } from "./pack.ts";
import { packError, unpackError } from "./pack-errors.ts";
import type { PortMessage, ThreadPort } from "./port.ts";
import { type GotItem, type GuestItem, type HostItem, portLane } from "./protocol.ts";
import { ThreadError } from "./thread-error.ts";

/** Calls that may wait for their answer, publishes apart. */
const maxCalls = 16_384;

/** What hears of a lane. */
export interface GuestLane {
  handle(item: HostItem): void;
  /** The port is closed. */
  closed(error: ThreadError): void;
}

interface PendingCall {
  readonly future: Future<unknown>;
  readonly signal: AbortSignal | undefined;
  readonly stopListening: (() => void) | undefined;
  readonly got: ((item: GotItem) => unknown) | undefined;
}

/** How to make a call. */
export interface CallMore {
  readonly signal?: AbortSignal | undefined;
  /** Makes the value of an answer that brings a message. */
  readonly got?: (item: GotItem) => unknown;
  /** Is told the number of the call, before it is sent. */
  readonly numbered?: (id: number) => void;
  /** Something else bounds how many of these there are. */
  readonly unlimited?: boolean;
}

export class PortGuest {
  readonly outbox: Outbox<GuestItem>;
  readonly #port: ThreadPort;
  readonly #lanes = new Map<number, GuestLane>();
  readonly #calls = new Map<number, PendingCall>();
  readonly #closed = new Future<ThreadError>();
  #ids = 0;
  #end: ThreadError | undefined;

  constructor(port: ThreadPort) {
    this.#port = port;
    this.outbox = new Outbox<GuestItem>(port);
    port.addEventListener("message", this.#received);
    port.addEventListener("close", this.#portClosed);
  }

  /** Begins to listen, with the lanes that there are. */
  start(): void {
    this.#port.start?.();
  }

  /** Resolves when the port is closed. */
  get closed(): Promise<ThreadError> {
    return this.#closed.promise;
  }

  addLane(lane: number, guest: GuestLane): void {
    this.#lanes.set(lane, guest);
  }

  /** Makes a call of a lane. */
  call(lane: number, method: string, options: object = {}, more: CallMore = {}): Promise<unknown> {
    return this.ask(
      (id, abortable) => {
        const packed = pack(withoutSignal(options), method);
        more.numbered?.(id);
        this.outbox.post({ type: "call", lane, id, method, options: packed, abortable });
      },
      lane,
      more,
    );
  }

  /** Sends something that is answered. */
  ask(
    send: (id: number, abortable: boolean) => void,
    lane: number,
    { signal, got, unlimited }: CallMore = {},
  ): Promise<unknown> {
    if (this.#end !== undefined) return rejection(() => portClosed("not-sent"));
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    if (this.#calls.size >= maxCalls && unlimited !== true) {
      return rejection(() => new UsageError("LIMIT_REACHED", `${maxCalls} calls wait for the other thread already`));
    }
    this.#ids += 1;
    const id = this.#ids;
    try {
      send(id, signal !== undefined);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const future = new Future<unknown>();
    const stopListening =
      signal && onAbort(signal, () => this.outbox.post({ type: "abort", lane, id, reason: packError(signal.reason) }));
    this.#calls.set(id, { future, signal, stopListening, got });
    return future.promise;
  }

  /** Closes the port; the other thread takes back what is outstanding here. */
  close(): void {
    this.outbox.post({ type: "bye", lane: portLane });
    this.outbox.close();
    this.#ended(portClosed("not-sent"));
    this.#port.close();
  }

  readonly #received = ({ data }: PortMessage): void => {
    if (!isBatch<HostItem>(data)) {
      return this.#ended(
        new ThreadError("WRONG_PEER", "The other thread does not speak as this release of Leveret does"),
      );
    }
    openBatch(data, (item) => this.#handle(item));
  };

  #handle(item: HostItem): void {
    switch (item.type) {
      case "bye":
        return this.#portClosed();
      case "reply":
        return this.#take(item.id)?.future.resolve(unpack(item.value));
      case "got": {
        const call = this.#take(item.id);
        return call?.future.resolve(call.got?.(item));
      }
      case "failed": {
        const call = this.#take(item.id);
        return call?.future.fail(() => withOwnReason(unpackError(item.error), call.signal));
      }
      default:
        this.#lanes.get(item.lane)?.handle(item);
    }
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    call?.stopListening?.();
    return call;
  }

  readonly #portClosed = (): void => this.#ended(portClosed("unknown"));

  #ended(error: ThreadError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#port.removeEventListener("message", this.#received);
    this.#port.removeEventListener("close", this.#portClosed);
    for (const { future, stopListening } of this.#calls.values()) {
      stopListening?.();
      future.fail(() => new ThreadError(error.code, error.message, { outcome: "unknown" }));
    }
    this.#calls.clear();
    for (const lane of this.#lanes.values()) lane.closed(error);
    this.#closed.resolve(error);
  }
}

function portClosed(outcome: Outcome): ThreadError {
  return new ThreadError("PORT_CLOSED", "The port to the thread with the connection is closed", { outcome });
}

/** An abort has the very reason that the caller gave, not its copy. */
function withOwnReason(error: Error, signal: AbortSignal | undefined): Error {
  if (!(error instanceof AbortError) || signal?.aborted !== true) return error;
  return new AbortError(signal.reason, error.outcome ?? "unknown");
}

function withoutSignal(options: object): object {
  if (!("signal" in options)) return options;
  const { signal: _, ...rest } = options;
  return rest;
}
