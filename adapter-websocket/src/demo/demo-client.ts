/** What the page does with AMQP: stays connected, publishes, consumes, and counts. Knows nothing of the page. */

import { type Connection, type ConnectOptions, connect } from "../index.ts";

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
  | { readonly name: "waiting"; readonly reason: string; readonly seconds: number };

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

/** Seconds before another attempt to connect: 1, 2, 4, and so on up to this. */
const longestWait = 8;
/** How often the wishes are looked at, in milliseconds. */
const step = 50;

/** An unused queue goes away by itself, and one that nobody consumes does not grow for ever. */
const queueArguments = { "x-expires": 600_000, "x-max-length-bytes": 100_000_000 };

export class DemoClient {
  readonly wishes: DemoWishes = { publish: false, consume: false, speed: 100, size: 100 };
  readonly counts: DemoCounts = { published: 0, confirmed: 0, consumed: 0 };
  readonly #changed: (state: DemoState) => void;
  #stop = new AbortController();

  constructor(changed: (state: DemoState) => void) {
    this.#changed = changed;
  }

  start(target: DemoTarget): void {
    this.#stop = new AbortController();
    void this.#stayConnected(target, this.#stop.signal);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #stayConnected(target: DemoTarget, signal: AbortSignal): Promise<void> {
    let seconds = 1;
    while (!signal.aborted) {
      this.#changed({ name: "connecting" });
      let reason = "the connection was lost";
      try {
        await this.#once(target, signal, () => {
          seconds = 1;
        });
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
      if (signal.aborted) break;
      this.#changed({ name: "waiting", reason, seconds });
      await pause(seconds * 1_000, signal);
      seconds = Math.min(longestWait, seconds * 2);
    }
    this.#changed({ name: "idle" });
  }

  /** One connection, from its beginning to its end. */
  async #once(target: DemoTarget, signal: AbortSignal, connected: () => void): Promise<void> {
    const { url, username, password, virtualHost, queue } = target;
    const options: ConnectOptions = { uri: url, credentials: { username, password }, virtualHost, signal };
    const connection = await connect(options);
    const close = (): void => void connection.close();
    signal.addEventListener("abort", close);
    try {
      const channel = await connection.openChannel();
      await channel.queueDeclare({ queue, durable: true, arguments: queueArguments });
      connected();
      const { product, version } = connection.serverProperties;
      this.#changed({ name: "connected", server: `${String(product)} ${String(version)}` });

      const over = new AbortController();
      void connection.closed.then(() => over.abort());
      const working = [
        this.#publishWhileWanted(connection, queue, over.signal),
        this.#consumeWhileWanted(connection, queue, over.signal),
      ];
      const error = await connection.closed;
      await Promise.allSettled(working);
      if (error !== undefined) throw error;
    } finally {
      signal.removeEventListener("abort", close);
      await connection.close();
    }
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
          await publisher.ready();
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
