/**
 * I/O services whose every connection leads to one broker, in the same process and without a socket: the client whole,
 * in a test that needs no port and no network, in any runtime.
 */

import {
  type ByteStream,
  type Endpoint,
  type IoServices,
  type StreamHandler,
  StreamGate,
  TransportError,
  UsageError,
} from "@leveret/core/client";
import type { Broker } from "../broker.ts";
import { BrokerDriver, type DriverLink, type DriverTransport } from "../driver.ts";

/** What of a runtime is used: everything but its streams. */
export type MemoryRuntime = Pick<IoServices, "runtime" | "now" | "setTimer" | "random" | "post" | "afterMicrotasks">;

/** I/O services that lead to a broker. */
export interface MemoryIo extends IoServices {
  readonly broker: Broker;
  /** Sends what an order to the broker has brought about; what clients bring about is sent by itself. */
  flush(): void;
  /** Drops all connections. */
  close(): void;
}

/** Bytes that a client may leave unread before the broker is asked to wait. */
const highWater = 256 * 1024;

/**
 * Makes I/O services that connect to a broker, whatever TCP address they are asked for.
 *
 * @param runtime - Where time and the loop come from: the I/O services of any adapter.
 */
export function memoryIo(broker: Broker, runtime: MemoryRuntime): MemoryIo {
  const driver = new BrokerDriver(broker, runtime);
  return {
    broker,
    runtime: `${runtime.runtime} (in memory)`,
    capabilities: { tcp: true, tls: false, unix: false, websocket: false, pause: "exact" },
    now: () => runtime.now(),
    setTimer: (delay, fire) => runtime.setTimer(delay, fire),
    random: () => runtime.random(),
    post: (task) => runtime.post(task),
    ...(runtime.afterMicrotasks && { afterMicrotasks: (task: () => void) => runtime.afterMicrotasks?.(task) }),
    connect: (endpoint, handler) => {
      checkEndpoint(endpoint);
      return new MemoryStream(driver, handler, (task) => runtime.post(task));
    },
    flush: () => driver.pump(),
    close: () => driver.stop(),
  };
}

function checkEndpoint(endpoint: Endpoint): void {
  if (endpoint.transport === "tcp" && endpoint.tls === undefined) return;
  throw new UsageError("NOT_SUPPORTED", "A broker in memory is reached by plain TCP endpoints alone");
}

/** Both ends of a stream: the client's end is the stream itself, the broker's a transport of the driver. */
class MemoryStream implements ByteStream {
  readonly #post: (task: () => void) => void;
  readonly #gate: StreamGate;
  #link: DriverLink | undefined;
  /** What the broker has sent and the client has not taken. */
  #inbox: Uint8Array[] = [];
  #inboxSize = 0;
  /** What the client has sent while the broker did not read. */
  #outbox: Uint8Array[] = [];
  #isBrokerReading = true;
  #isClientReading = true;
  #brokerWaits = false;
  #clientWaits = false;
  /** The client's side has ended, or all of it. */
  #state: "opening" | "open" | "ended" | "over" = "opening";
  #isDelivering = false;

  constructor(driver: BrokerDriver, handler: StreamHandler, post: (task: () => void) => void) {
    this.#post = post;
    this.#gate = new StreamGate(handler, post, () => this.#finish());
    post(() => {
      if (this.#state !== "opening") return;
      this.#state = "open";
      this.#link = driver.attach(this.#brokerSide());
      this.#gate.opened();
    });
  }

  // The client's end.

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state === "opening") throw new UsageError("ILLEGAL_STATE", "The stream is not open yet");
    if (this.#state !== "open") return true;
    for (const chunk of chunks) {
      if (this.#isBrokerReading) this.#link?.received(chunk);
      else this.#outbox.push(chunk);
    }
    this.#clientWaits ||= !this.#isBrokerReading;
    return this.#isBrokerReading;
  }

  pause(): void {
    this.#isClientReading = false;
    this.#gate.pause();
  }

  resume(): void {
    this.#isClientReading = true;
    this.#gate.resume();
    this.#deliverSoon();
  }

  end(): void {
    if (this.#state === "opening") return this.abort();
    if (this.#state !== "open") return;
    this.#state = "ended";
    // RabbitMQ ends its side when it sees the end of ours; what it had sent before arrives first.
    this.#post(() => this.#finish());
  }

  abort(): void {
    this.#gate.abort();
    if (this.#state === "over") return;
    this.#post(() => this.#finish());
  }

  // The broker's end.

  #brokerSide(): DriverTransport {
    return {
      write: (chunks) => {
        for (const chunk of chunks) {
          this.#inbox.push(chunk);
          this.#inboxSize += chunk.length;
        }
        this.#deliverSoon();
        this.#brokerWaits = this.#inboxSize > highWater;
        return !this.#brokerWaits;
      },
      pause: () => {
        this.#isBrokerReading = false;
      },
      resume: () => {
        this.#isBrokerReading = true;
        this.#post(() => this.#passOn());
      },
      end: () => this.#post(() => this.#finish()),
      abort: () =>
        this.#post(() => this.#finish(new TransportError("CONNECTION_RESET", "The broker dropped the connection"))),
    };
  }

  #deliverSoon(): void {
    if (this.#isDelivering || this.#inbox.length === 0) return;
    this.#isDelivering = true;
    this.#post(() => {
      this.#isDelivering = false;
      if (this.#isClientReading) this.#deliver();
    });
  }

  #deliver(): void {
    const chunks = this.#inbox;
    this.#inbox = [];
    this.#inboxSize = 0;
    for (const chunk of chunks) this.#gate.received(chunk);
    if (!this.#brokerWaits) return;
    this.#brokerWaits = false;
    this.#link?.writable();
  }

  /** Gives the broker what the client has sent meanwhile. */
  #passOn(): void {
    const chunks = this.#outbox;
    this.#outbox = [];
    for (const chunk of chunks) {
      if (this.#isBrokerReading) this.#link?.received(chunk);
      else this.#outbox.push(chunk);
    }
    if (!this.#clientWaits || !this.#isBrokerReading) return;
    this.#clientWaits = false;
    this.#gate.writable();
  }

  #finish(cause?: TransportError): void {
    if (this.#state === "over") return;
    this.#state = "over";
    // A client that has paused gets what is left, and the end, when it goes on.
    this.#deliver();
    this.#link?.closed();
    this.#gate.closed(cause);
  }
}
