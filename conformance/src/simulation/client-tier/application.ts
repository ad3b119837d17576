/** An application that does at random what applications do, one connection after another. */

import { connect, type ConnectOptions } from "@leveret/core/client";
import type { Random } from "../random.ts";
import { invariant } from "../violation.ts";
import type { Millis } from "../world.ts";
import { ChannelUser } from "./channel-user.ts";
import { ConsumerUser } from "./consumer-user.ts";
import { DeliveryLog } from "./delivery-log.ts";
import type { ActionName } from "./plan.ts";
import { PublisherUser } from "./publisher-user.ts";
import { Session, type Surroundings } from "./session.ts";
import type { SimulatedIo } from "./simulated-io.ts";

const mostChannels = 5;
/** How long an application stays away after its connection ended. */
const longestAbsence: Millis = 300;
const longestWait: Millis = 5_000;
/** Actions on a connection that is not open which close it instead. */
const impatienceShare = 0.02;
/** Channels that are opened by number. */
const numberedShare = 0.15;
const highestAsked = 7;

export class Application {
  readonly #number: number;
  readonly #random: Random;
  readonly #surroundings: Surroundings;
  readonly #options: ConnectOptions;
  readonly io: SimulatedIo;
  /** All connections of this application, for the checks at the end. */
  readonly sessions: Session[] = [];
  #returnsAt: Millis | undefined;

  constructor(number: number, surroundings: Surroundings, options: ConnectOptions, random: Random, io: SimulatedIo) {
    this.#number = number;
    this.#surroundings = surroundings;
    this.#options = options;
    this.#random = random;
    this.io = io;
    this.#connect();
  }

  /** The connection that there is, or the last one. */
  get session(): Session {
    return this.sessions.at(-1) as Session;
  }

  /** Comes back after an absence. To be called as time passes. */
  live(): void {
    if (!this.session.ended) return;
    const { now } = this.#surroundings.world;
    this.#returnsAt ??= now + this.#random.int(0, longestAbsence);
    if (now < this.#returnsAt) return;
    this.#returnsAt = undefined;
    this.#connect();
  }

  /** Does one thing, unless there is no occasion for it. */
  act(action: ActionName): void {
    const { session } = this;
    if (action === "abort") return session.abortOne();
    if (!session.active) return;
    const random = this.#random;
    // Somebody loses patience while the connection comes back.
    if (session.connection?.state !== "open" && random.chance(impatienceShare)) return session.close();
    const channel = (): ChannelUser | undefined => random.pick([...session.channels]);
    const publisher = (): PublisherUser | undefined => random.pick([...session.publishers]);
    const consumer = (): ConsumerUser | undefined => random.pick([...session.consumers]);
    switch (action) {
      case "open-channel":
        return this.#openChannel(session, random.chance(numberedShare) ? random.int(1, highestAsked) : undefined);
      case "open-publisher":
        return this.#openPublisher(session);
      case "open-consumer":
        return this.#openConsumer(session);
      case "publish":
        return (random.chance(0.5) ? channel() : publisher())?.publish();
      case "settle":
        return (random.chance(0.4) ? channel() : consumer())?.settle();
      case "declare":
      case "delete":
      case "purge":
        return channel()?.changeQueue(action);
      case "declare-exchange":
      case "delete-exchange":
      case "bind":
      case "unbind":
        return channel()?.changeExchange(action);
      case "send":
      case "flush":
      case "ready":
        return publisher()?.[action]();
      case "get":
      case "consume":
      case "qos":
      case "recover":
      case "commit":
        return channel()?.[action]();
      case "pause":
        return consumer()?.pauseOrResume();
      case "take":
      case "cancel":
        return consumer()?.[action]();
      case "update-secret":
        return session.watch(
          "updateSecret",
          session.connection?.updateSecret({ newSecret: "s", reason: "simulated", signal: session.signal() }) ??
            Promise.resolve(),
        );
      case "misuse":
        return channel()?.misuse();
      case "close-channel":
        return channel()?.close();
      case "close-publisher":
        return publisher()?.close();
      case "close-consumer":
        return consumer()?.close();
      case "close-connection":
        return session.close();
    }
  }

  /** Ends what there is in an orderly way. */
  retire(): void {
    for (const session of this.sessions) session.resume();
    this.session.close();
  }

  #connect(): void {
    const random = this.#random.fork();
    const session = new Session(this.#surroundings, this.#number, random, this.io);
    this.sessions.push(session);
    const signal = random.chance(0.1) ? session.signal() : undefined;
    // Whatever happens to a dial, its application hears of it.
    const isDisturbed = (): boolean => this.#surroundings.isBlocked() || this.io.latest?.isOver === true;
    session.disturbed = signal !== undefined || this.io.dialing !== "open" || isDisturbed();
    session.watch("connect", connect(session.connectionIo, { ...this.#options, signal }), {
      done: (connection) => {
        session.disturbed ||= isDisturbed();
        session.opened(connection);
        session.watch("connection.closed", connection.closed, {
          kind: "life",
          done: () => session.end(),
        });
      },
      failed: () => session.end(),
    });
  }

  /** Opens the channel of a number, which may be in use. */
  openChannelOf(number: number): void {
    if (this.session.active) this.#openChannel(this.session, number);
  }

  #openChannel(session: Session, number: number | undefined): void {
    if (session.channels.size >= mostChannels) return;
    const { connection } = session;
    if (connection === undefined) return;
    const options = { signal: session.signal(), number };
    session.watch("openChannel", connection.openChannel(options), {
      done: (channel) => {
        const twin = [...session.channels].find((other) => other.number === channel.number && !other.isOver);
        invariant(twin === undefined, "a channel number is used by one channel", () => `number ${channel.number}`);
        session.channels.add(new ChannelUser(session, channel));
      },
      // The number may be in use.
      expects: number === undefined ? undefined : "INVALID_ARGUMENT",
    });
  }

  #openPublisher(session: Session): void {
    const { connection, random } = session;
    if (connection === undefined || session.publishers.size >= mostChannels) return;
    const window = { messages: random.pick([1, 3, 10, 1000] as const) };
    const options = {
      maxUnconfirmed: window.messages,
      maxUnconfirmedBytes: random.pick([100, 20_000, 16_777_216] as const),
      timeout: random.chance(0.2) ? random.int(1, longestWait) : undefined,
      signal: session.signal(),
    };
    session.watch("openPublisher", connection.openPublisher(options), {
      done: (publisher) => session.publishers.add(new PublisherUser(session, publisher, window)),
    });
  }

  #openConsumer(session: Session): void {
    const { connection } = session;
    if (connection === undefined || session.consumers.size >= mostChannels) return;
    const log = new DeliveryLog(session);
    log.sources = 1;
    ConsumerUser.start(session, log, {
      handled: (options, handler) => connection.openConsumer(options, handler),
      iterated: (options) => connection.openConsumer(options),
    });
  }
}
