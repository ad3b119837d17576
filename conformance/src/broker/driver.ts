/** Ties a broker to a clock and to transports. It moves bytes and obeys orders; it knows nothing of AMQP. */

import type { Broker } from "./broker.ts";
import type { BrokerConnection } from "./connection/connection.ts";
import type { PeerOptions } from "./connection/host.ts";
import type { Millis } from "./lib/timers.ts";

/** The time of a runtime. */
export interface DriverClock {
  /** Milliseconds, never backwards. Where clients shall see true times: since 1970. */
  now(): Millis;
  /** Calls `fire` once after at least `delay`, never inline; the returned function cancels it. */
  setTimer(delay: Millis, fire: () => void): () => void;
}

/** A transport to one client, from the broker's end. No call may call back into the driver. */
export interface DriverTransport {
  /** Sends the chunks and takes them for good. False: {@link DriverLink.writable} will be called before more is wanted. */
  write(chunks: readonly Uint8Array[]): boolean;
  /** Stops {@link DriverLink.received}; a chunk that comes all the same is kept. */
  pause(): void;
  /** Goes on with reading. */
  resume(): void;
  /** Sends what was written, then ends our side. */
  end(): void;
  /** Drops everything at once. */
  abort(): void;
}

/** What a transport tells the driver. */
export interface DriverLink {
  readonly connection: BrokerConnection;
  /** The chunk is borrowed for the length of the call. */
  received(chunk: Uint8Array): void;
  /** The transport takes bytes again. */
  writable(): void;
  /** The transport is gone, or the client has ended its side. Once and last. */
  closed(): void;
}

/** How long a client gets to end its side of a transport that the broker has ended. */
const endPatience: Millis = 5000;

/** The longest delay that timers of all runtimes know: a longer one fires at once. */
const longestDelay: Millis = 0x7fff_ffff;

/** Moves the bytes and the time of one broker. */
export class BrokerDriver {
  readonly broker: Broker;
  readonly clock: DriverClock;
  readonly #links = new Map<BrokerConnection, Link>();
  #cancelTimer: (() => void) | undefined;
  #armedFor: Millis = Number.POSITIVE_INFINITY;
  #isPumping = false;
  #isStopped = false;

  constructor(broker: Broker, clock: DriverClock) {
    this.broker = broker;
    this.clock = clock;
  }

  /** Takes a transport that is open. */
  attach(transport: DriverTransport, peer: PeerOptions = {}): DriverLink {
    const connection = this.broker.connect(this.clock.now(), peer);
    const link = new Link(connection, transport, this.clock);
    this.#links.set(connection, link);
    this.#isStopped = false;
    this.pump();
    return {
      connection,
      received: (chunk) => {
        connection.receive(chunk, this.clock.now());
        this.pump();
      },
      writable: () => {
        link.isWritable = true;
        link.obey();
        this.pump();
      },
      closed: () => {
        this.#links.delete(connection);
        link.close();
        connection.transportClosed(this.clock.now());
        this.pump();
      },
    };
  }

  /** Sends what there is to send. Call it after an order to the broker or to a connection; everything else does it itself. */
  pump(): void {
    // A transport's answer can bring us back here; whatever it woke is found by the loop that runs.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (let found = true; found; ) {
        found = false;
        for (const connection of this.broker.takeWoken()) {
          found = true;
          this.#links.get(connection)?.obey();
        }
      }
    } finally {
      this.#isPumping = false;
    }
    this.#arm();
  }

  /** Drops every transport, and lets go of the clock, until there is a transport again. */
  stop(): void {
    this.#isStopped = true;
    for (const link of this.#links.values()) link.drop();
    this.#links.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  /** One timer for the broker's next deadline. One that fires too early costs little, so it is not moved later. */
  #arm(): void {
    const next = this.#isStopped ? undefined : this.broker.nextDeadline();
    if (next === undefined || next >= this.#armedFor) return;
    this.#cancelTimer?.();
    this.#armedFor = next;
    const delay = Math.min(Math.max(0, next - this.clock.now()), longestDelay);
    this.#cancelTimer = this.clock.setTimer(delay, () => {
      this.#cancelTimer = undefined;
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.broker.advance(this.clock.now());
      this.pump();
    });
  }
}

/** One transport, and what it was told so far. */
class Link {
  isWritable = true;
  readonly #connection: BrokerConnection;
  readonly #transport: DriverTransport;
  readonly #clock: DriverClock;
  #state: "open" | "ending" | "over" = "open";
  #isReading = true;
  #cancelPatience: (() => void) | undefined;

  constructor(connection: BrokerConnection, transport: DriverTransport, clock: DriverClock) {
    this.#connection = connection;
    this.#transport = transport;
    this.#clock = clock;
  }

  /** Does what the connection wants. */
  obey(): void {
    if (this.#state === "over") return;
    if (this.#connection.transport === "drop") return this.drop();
    if (this.isWritable && this.#state === "open") {
      const chunks = this.#connection.takeOutput();
      if (chunks.length > 0) this.isWritable = this.#transport.write(chunks);
    }
    if (this.#connection.isReading !== this.#isReading) {
      this.#isReading = this.#connection.isReading;
      if (this.#isReading) this.#transport.resume();
      else this.#transport.pause();
    }
    if (this.#connection.transport === "end" && this.#state === "open" && !this.#connection.hasOutput) {
      this.#state = "ending";
      this.#transport.end();
      this.#cancelPatience = this.#clock.setTimer(endPatience, () => this.drop());
    }
  }

  drop(): void {
    if (this.#state === "over") return;
    this.close();
    this.#transport.abort();
  }

  close(): void {
    this.#state = "over";
    this.#cancelPatience?.();
  }
}
