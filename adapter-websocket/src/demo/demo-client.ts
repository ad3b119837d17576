/** What the page does with AMQP: connects, publishes, consumes, and counts. Knows nothing of the page. */

import { type Connection, connect } from "../index.ts";

/** Where to, and as whom. */
export interface DemoTarget {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly virtualHost: string;
  readonly queue: string;
}

/** How the connection is. */
export type DemoState =
  | { readonly name: "idle" }
  | { readonly name: "connecting" }
  | { readonly name: "connected"; readonly server: string }
  /** It was lost, and comes back by itself. */
  | { readonly name: "lost"; readonly reason: string }
  | { readonly name: "failed"; readonly reason: string };

/** What is wanted. It may change at any time. */
export interface DemoWishes {
  publish: boolean;
  consume: boolean;
  /** Messages a second, 0 for as many as possible. */
  speed: number;
  /** Bytes of a message. */
  size: number;
}

/** Messages so far. */
export interface DemoCounts {
  published: number;
  confirmed: number;
  consumed: number;
}

/** The longest wait between attempts to connect again: somebody is watching. */
const longestWait = 4_000;
/** Seconds between heartbeats: a network that is gone is noticed after two of them. */
const heartbeat = 10;
/** How often the wishes are looked at, in milliseconds. */
const step = 50;

/** An unused queue goes away by itself, and one that nobody consumes does not grow for ever. */
const queueArguments = { "x-expires": 600_000, "x-max-length-bytes": 100_000_000 };

export class DemoClient {
  readonly wishes: DemoWishes = { publish: false, consume: false, speed: 100, size: 100 };
  readonly counts: DemoCounts = { published: 0, confirmed: 0, consumed: 0 };
  readonly #changed: (state: DemoState) => void;
  #stop = new AbortController();
  #connection: Connection | undefined;

  constructor(changed: (state: DemoState) => void) {
    this.#changed = changed;
  }

  start(target: DemoTarget): void {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#changed({ name: "connecting" });
    this.#run(target, signal).then(
      (error) => this.#changed(error === undefined ? { name: "idle" } : { name: "failed", reason: error.message }),
      (error: unknown) =>
        this.#changed(signal.aborted ? { name: "idle" } : { name: "failed", reason: reasonOf(error) }),
    );
  }

  stop(): void {
    this.#stop.abort();
  }

  /** The network is back: a connection that was lost need not wait any longer. */
  reconnectSoon(): void {
    this.#connection?.reconnectSoon();
  }

  /** From the first connection to the end of the last: what is lost in between, recovery brings back. */
  async #run({ url, username, password, virtualHost, queue }: DemoTarget, signal: AbortSignal) {
    const connection = await connect({
      uri: url,
      credentials: { username, password },
      virtualHost,
      signal,
      heartbeat,
      recovery: { backoff: { max: longestWait } },
    });
    this.#connection = connection;
    const over = new AbortController();
    void connection.closed.then(() => over.abort());
    signal.addEventListener("abort", () => void connection.close());
    try {
      this.#show(connection);
      const channel = await connection.openChannel();
      await channel.queueDeclare({ queue, durable: true, arguments: queueArguments });
      await Promise.all([
        this.#publishWhileWanted(connection, queue, over.signal),
        this.#consumeWhileWanted(connection, queue, over.signal),
      ]);
    } finally {
      this.#connection = undefined;
      await connection.close();
    }
    return connection.closed;
  }

  #show(connection: Connection): void {
    const connected = (): void => {
      const { product, version } = connection.serverProperties;
      this.#changed({ name: "connected", server: `${String(product)} ${String(version)}` });
    };
    const lost = (error: unknown): void => this.#changed({ name: "lost", reason: reasonOf(error) });
    connected();
    connection.on("recovered", connected);
    connection.on("disconnected", ({ cause }) => lost(cause));
    connection.on("reconnect-failed", ({ error }) => lost(error));
  }

  async #publishWhileWanted(connection: Connection, queue: string, over: AbortSignal): Promise<void> {
    const publisher = await connection.openPublisher({ routingKey: queue });
    while (!over.aborted) {
      const { publish, speed, size } = this.wishes;
      const started = performance.now();
      if (publish) {
        const body = new Uint8Array(size);
        const batch = speed === 0 ? 500 : Math.max(1, Math.round((speed * step) / 1_000));
        for (let sent = 0; sent < batch && !over.aborted; sent += 1) {
          // While the connection is lost this waits, and in the end fails.
          await publisher.ready().catch(() => {});
          this.counts.published += 1;
          publisher.publish(body).then(
            () => {
              this.counts.confirmed += 1;
            },
            () => {},
          );
        }
      }
      const isSlow = speed !== 0 && speed * step < 1_000;
      const wait = !publish || speed !== 0 ? (publish && isSlow ? 1_000 / speed : step) : 0;
      await pause(wait - (performance.now() - started), over);
    }
  }

  async #consumeWhileWanted(connection: Connection, queue: string, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await pause(step, over);
      if (!this.wishes.consume) continue;
      const consumer = await connection.openConsumer({ queue }, () => {
        this.counts.consumed += 1;
      });
      while (this.wishes.consume && !over.aborted) await pause(step, over);
      await consumer.close();
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, Math.max(0, milliseconds));
    signal.addEventListener("abort", done);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
