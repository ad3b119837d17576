/** What a case plays with: connections that are closed behind it, names that are its own, and waits that end. */

import {
  type Channel,
  type Connection,
  type ConnectOptions,
  connect,
  decodeText,
  encodeText,
  type GotMessage,
  type IoServices,
  type Millis,
  type QueueDeclareOptions,
} from "@leveret/core/client";
import type { BrokerFacts, BrokerHost, ProxyHandle } from "./case.ts";
import { CaseError } from "./expect.ts";

/** How long anything may take that is to happen soon. */
const soonWithin: Millis = 30_000;

/** How long cleaning up may take: it may have to run programs, on a machine that is busy. */
const cleanUpWithin: Millis = 30_000;

/** How often a condition is looked at. */
const pollInterval: Millis = 10;

/** A connection with one channel. */
export interface Opened {
  readonly connection: Connection;
  readonly channel: Channel;
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return encodeText(text);
}

/** The text of a body. */
export function text(message: { readonly body: Uint8Array } | undefined): string | undefined {
  return message === undefined ? undefined : decodeText(message.body, 0, message.body.length);
}

/** See the file's comment. */
export class Scene {
  readonly broker: BrokerFacts;
  readonly host: BrokerHost;
  readonly io: IoServices;
  readonly #cleanUps: (() => Promise<unknown>)[] = [];
  readonly #prefix: string;
  #names = 0;

  constructor(host: BrokerHost, io: IoServices) {
    this.host = host;
    this.broker = host.facts;
    this.io = io;
    this.#prefix = `leveret.${Math.floor(io.random() * 0xffff_ffff).toString(36)}`;
  }

  // Connections

  /** Connects to the broker, as its user. A loss is the end, unless `options` ask for recovery. */
  connect(options: ConnectOptions = {}): Promise<Connection> {
    const { address, username, password, virtualHost } = this.broker;
    const own = options.uri !== undefined || options.endpoints !== undefined || options.host !== undefined;
    return this.connectWith({
      ...(own ? {} : address),
      credentials: { username, password },
      virtualHost,
      recovery: false,
      ...options,
    });
  }

  /** Connects with nothing but these options. */
  async connectWith(options: ConnectOptions | string): Promise<Connection> {
    const connection = await connect(this.io, options);
    this.after(() => connection.close({ timeout: 500 }));
    return connection;
  }

  /** A connection, and a channel on it. */
  async open(options: ConnectOptions = {}): Promise<Opened> {
    const connection = await this.connect(options);
    return { connection, channel: await connection.openChannel() };
  }

  /** A proxy in front of the broker. */
  async proxy(): Promise<ProxyHandle> {
    const proxy = await this.host.proxy();
    this.after(() => proxy.close());
    return proxy;
  }

  /** A connection through a proxy, and a channel on it. */
  async openThrough(proxy: ProxyHandle, options: ConnectOptions = {}): Promise<Opened> {
    return this.open({ ...proxy.address, ...options });
  }

  // Things on the broker

  /** A name that nothing else has. */
  name(kind: string): string {
    this.#names += 1;
    return `${this.#prefix}.${kind}${this.#names}`;
  }

  /** A queue that goes with the connection. */
  async queue(channel: Channel, options: QueueDeclareOptions = {}): Promise<string> {
    const { queue } = await channel.queueDeclare({
      queue: this.name("queue"),
      exclusive: true,
      ...options,
      noWait: false,
    });
    return queue;
  }

  /** A durable queue, which is deleted after the case. */
  async durableQueue(channel: Channel, options: QueueDeclareOptions = {}): Promise<string> {
    const queue = this.name("queue");
    this.deleteAfterwards(queue);
    await channel.queueDeclare({ queue, ...options, noWait: false });
    return queue;
  }

  /** A queue that the case makes in its own way is deleted after it. */
  deleteAfterwards(queue: string): void {
    this.after(() => this.#tidy((tidy) => tidy.queueDelete({ queue })));
  }

  /** An exchange, which is deleted after the case. */
  async exchange(channel: Channel, type: string, more: { readonly internal?: boolean } = {}): Promise<string> {
    const exchange = this.name("exchange");
    this.after(() => this.#tidy((tidy) => tidy.exchangeDelete({ exchange })));
    await channel.exchangeDeclare({ exchange, type, ...more });
    return exchange;
  }

  /** Sends texts to a queue, and waits until they are there. */
  async fill(queue: string, ...texts: string[]): Promise<void> {
    const connection = await this.connect();
    const publisher = await connection.openPublisher({ routingKey: queue });
    for (const one of texts) publisher.send(bytes(one));
    await publisher.close();
    await connection.close();
  }

  /**
   * Takes everything out of a queue, as texts: also what this channel published just now, or gave back. What comes back
   * by itself, with a channel that was closed, may come a little later: then say how many messages to wait for.
   */
  async drain(channel: Channel, queue: string, atLeast = 0): Promise<string[]> {
    const texts: string[] = [];
    const emptied = async (): Promise<boolean> => {
      for (;;) {
        const message: GotMessage | undefined = await channel.basicGet({ queue, noAck: true });
        if (message === undefined) return texts.length >= atLeast;
        texts.push(text(message) as string);
      }
    };
    if (!(await emptied())) await this.until(emptied, `${atLeast} messages in ${queue}`);
    return texts;
  }

  /**
   * What is in a queue for good when this channel, which consumes nothing any more, is closed: also what it still held.
   * It takes a last message and holds that, too: when it is back, so is everything that comes back.
   */
  async left({ connection, channel }: Opened, queue: string): Promise<string[]> {
    const last = "the last message";
    await this.fill(queue, last);
    await this.until(async () => text(await channel.basicGet({ queue })) === last, "the last message to be taken");
    await channel.close();
    const other = await connection.openChannel();
    const texts: string[] = [];
    const emptied = async (): Promise<boolean> => {
      texts.push(...(await this.drain(other, queue)));
      return texts.at(-1) === last;
    };
    await this.until(emptied, "the last message to be back");
    await other.close();
    return texts.slice(0, -1);
  }

  /**
   * How many messages are ready in a queue. RabbitMQ's queues answer this ahead of publishes without confirms, of
   * messages that go back, and of channels that are closed, which all may come before it: wait `until` it is so.
   */
  async messageCount(channel: Channel, queue: string): Promise<number> {
    return (await channel.queueDeclare({ queue, passive: true })).messageCount;
  }

  // Waiting

  /** The value of a promise that settles soon, or a failure that says what did not happen. */
  async soon<T>(promise: Promise<T>, what: string, within: Millis = soonWithin): Promise<T> {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.io.setTimer(within, () => reject(new CaseError(`it did not happen: ${what}`)));
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      cancel();
    }
  }

  /** Looks again and again until a condition holds. */
  async until(condition: () => boolean | Promise<boolean>, what: string, within: Millis = soonWithin): Promise<void> {
    const deadline = this.io.now() + within;
    while (!(await this.soon(Promise.resolve(condition()), what))) {
      if (this.io.now() > deadline) throw new CaseError(`it did not become so: ${what}`);
      await new Promise<void>((resolve) => this.io.setTimer(pollInterval, resolve));
    }
  }

  /** Runs when the case is over, whatever came of it; the last one first. */
  after(cleanUp: () => Promise<unknown>): void {
    this.#cleanUps.push(cleanUp);
  }

  /** Cleans up; everything is tried, and what failed first is thrown. */
  async leave(): Promise<void> {
    const failures: unknown[] = [];
    for (const cleanUp of [...this.#cleanUps].reverse()) {
      await this.soon(cleanUp(), "cleaning up", cleanUpWithin).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  async #tidy(run: (channel: Channel) => Promise<unknown>): Promise<void> {
    const { address, username, password, virtualHost } = this.broker;
    const connection = await connect(this.io, { ...address, credentials: { username, password }, virtualHost });
    await run(await connection.openChannel());
    await connection.close();
  }
}
