/** A port's end in the thread that has the connection: it takes batches in, and gives their items to their lanes. */

import { Future } from "../client/futures.ts";
import { isBatch, openBatch, Outbox } from "./outbox.ts";
import { pack } from "./pack.ts";
import type { PortMessage, ThreadPort } from "./port.ts";
import { type GuestItem, type HostItem, portLane, protocolVersion } from "./protocol.ts";
import { ThreadError } from "./thread-error.ts";

/** What answers for a lane. */
export interface Lane {
  handle(item: GuestItem): void;
  /** The other thread is gone. Resolves with the number of messages that went back. */
  release(): Promise<number>;
}

/** How serving a port ended. */
export interface PortEnd {
  /** Why; `undefined` when this thread, or the other one, closed it in order. */
  readonly error: ThreadError | undefined;
  /** Messages that were outstanding with the other thread, and went back to their queue. */
  readonly requeued: number;
}

export class PortHost {
  readonly outbox: Outbox<HostItem>;
  readonly #port: ThreadPort;
  readonly #lanes = new Map<number, Lane>();
  readonly #closed = new Future<PortEnd>();
  #closing = false;

  /** @param posted - Called behind every message to the other thread. */
  constructor(port: ThreadPort, posted?: () => void) {
    this.#port = port;
    this.outbox = new Outbox<HostItem>(port, posted);
    port.addEventListener("message", this.#received);
    port.addEventListener("close", this.#portClosed);
    port.start?.();
  }

  /** Resolves when the port is closed, and everything that was with the other thread is given back. Never rejects. */
  get closed(): Promise<PortEnd> {
    return this.#closed.promise;
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  addLane(lane: number, service: Lane): void {
    this.#lanes.set(lane, service);
  }

  removeLane(lane: number): void {
    this.#lanes.delete(lane);
  }

  /** The first thing that the other thread hears of a lane. */
  greet(lane: number, facts: Readonly<Record<string, unknown>>): void {
    this.outbox.post({ type: "hello", lane, version: protocolVersion, facts: pack(facts, "facts") });
  }

  /** Closes the port. What the other thread had is given back. */
  close(error?: ThreadError): Promise<PortEnd> {
    if (this.#closing) return this.closed;
    this.#closing = true;
    this.#port.removeEventListener("message", this.#received);
    this.#port.removeEventListener("close", this.#portClosed);
    this.outbox.post({ type: "bye", lane: portLane });
    this.outbox.close();
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    void Promise.all(lanes.map((lane) => lane.release())).then((counts) => {
      this.#port.close();
      this.#closed.resolve({ error, requeued: counts.reduce((sum, count) => sum + count, 0) });
    });
    return this.closed;
  }

  readonly #received = ({ data }: PortMessage): void => {
    if (!isBatch<GuestItem>(data)) {
      void this.close(new ThreadError("WRONG_PEER", "The other thread does not speak as this release of Leveret does"));
      return;
    }
    openBatch(data, (item) => {
      if (item.type === "bye") this.#portClosed();
      else this.#lanes.get(item.lane)?.handle(item);
    });
  };

  readonly #portClosed = (): void => {
    void this.close(new ThreadError("PORT_CLOSED", "The other thread closed the port, or is gone"));
  };
}
