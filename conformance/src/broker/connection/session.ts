/**
 * The protocol of one connection: phases, frames, channel 0, and every way in which a connection ends.
 *
 * `BrokerConnection` is the outside of it.
 */

import {
  type Arguments,
  frameType,
  type MethodName,
  type Output,
  protocolHeader,
  type ServerMethodName,
  writeHeartbeat,
  writeMethod,
} from "@leveret/core/wire";
import type { Channel } from "../channel/channel.ts";
import type { ChannelOwner, ChannelServices } from "../channel/owner.ts";
import { checkFrame, type Frame, FrameSource } from "../codec/frames.ts";
import { ReaderCrash, receiveMethod } from "../codec/methods.ts";
import { Refusal } from "../failures.ts";
import type { Millis, Timer } from "../lib/timers.ts";
import type { TuningOptions } from "../options.ts";
import type { Profile } from "../profile.ts";
import type { VirtualHost } from "../topology/virtual-host.ts";
import type { User } from "../users.ts";
import { blamedMethod, Channels, closeFields } from "./channels.ts";
import { Handshake, headerSize } from "./handshake.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { ConnectionHost, PeerOptions } from "./host.ts";
import { Outbox } from "./outbox.ts";

/** What the driver does with the transport. */
export type TransportOrder =
  /** Keep it. */
  | "keep"
  /** End it when all output is sent. */
  | "end"
  /** Drop it at once, whatever is left to send. */
  | "drop";

/** How far a connection has come. */
export type ConnectionPhase =
  | "header"
  | "handshake"
  | "running"
  /** The broker sent `connection.close`; only the answer matters. */
  | "closing"
  /** Nothing that arrives matters any more. */
  | "over";

/** The time limits of a connection, as RabbitMQ has them. */
const limits = {
  /** From the start of the connection to `connection.open-ok`. */
  handshake: 10_000,
  /** How long a connection stays that is refused without a word, or whose frames cannot be read. */
  silence: 3000,
  /** How long the client's close or close-ok is awaited; less where the heartbeat is shorter. */
  closing: 30_000,
} as const;

/** The machine of one connection. Its methods are called within a turn. */
export class Session implements ChannelOwner {
  readonly id: number;
  readonly outbox: Outbox = new Outbox();
  readonly handshake: Handshake;
  readonly frames: FrameSource;
  phase: ConnectionPhase = "header";
  transport: TransportOrder = "keep";
  tuning: TuningOptions = { channelMax: 0, frameMax: 0, heartbeat: 0 };
  channels: Channels | undefined;
  /** Bytes that were ever received. */
  received = 0;
  /** The alarm that stops this connection: it has published since the alarm was set. */
  blockedBy: string | undefined;
  /** How often the client has renewed its secret. */
  secretUpdates = 0;
  readonly #host: ConnectionHost;
  /** Whoever is woken: the outside of this session. */
  readonly #wake: () => void;
  /** Whatever the phase waits for. */
  readonly #deadline: Timer;
  readonly #heartbeats: Heartbeats;
  readonly #ended: () => void;
  #user: User | undefined;
  #virtualHost: VirtualHost | undefined;
  #header: number[] = [];
  #isReleased = false;

  /**
   * @param wake - The driver should look at the connection.
   * @param ended - The connection holds nothing any more.
   */
  constructor(id: number, peer: PeerOptions, host: ConnectionHost, wake: () => void, ended: () => void) {
    this.id = id;
    this.#host = host;
    this.#wake = wake;
    this.#ended = ended;
    this.frames = new FrameSource(host.profile.frameMin);
    const { timers } = host.services;
    this.#deadline = timers.create(() => this.drop());
    this.#deadline.set(host.services.now() + limits.handshake);
    this.#heartbeats = new Heartbeats(timers, {
      octetsReceived: () => this.received,
      octetsSent: () => this.outbox.total,
      isDeaf: () => !this.isReading,
      sendHeartbeat: () => {
        if (!this.outbox.isFrozen) writeHeartbeat(this.output());
      },
      declareDead: () => this.drop(),
    });
    this.handshake = new Handshake({
      settings: host.settings,
      profile: host.profile,
      sasl: { users: host.users, peerName: peer.peerName, anonymousUser: host.settings.anonymousUser },
      isLoopback: peer.isLoopback ?? true,
      virtualHosts: host.virtualHosts,
      isFull: () => host.isFull(),
      send: (name, fields) => this.#send(name, fields),
      tuned: (tuning) => this.#tuned(tuning),
      opened: ({ user, virtualHost }) => this.#opened(user, virtualHost),
      fallSilent: () => this.#fallSilent(),
    });
  }

  get isReading(): boolean {
    const { isFrozen, size } = this.outbox;
    return !isFrozen && this.blockedBy === undefined && size <= this.#host.settings.limits.maxOutput;
  }

  /** Takes the protocol header from the front of the stream, and returns what follows it. */
  readHeader(chunk: Uint8Array): Uint8Array {
    const missing = headerSize - this.#header.length;
    this.#header.push(...chunk.subarray(0, missing));
    if (this.#header.length === headerSize) {
      if (this.handshake.greet(Uint8Array.from(this.#header))) {
        this.phase = "handshake";
      } else {
        this.output().bytes(headerFor(this.#header, this.#host.profile));
        this.end();
      }
    }
    return chunk.subarray(missing);
  }

  /** Handles every frame that has arrived, as long as the broker reads. */
  readFrames(): void {
    while (this.isReading && this.phase !== "over" && this.phase !== "header") {
      let frame: Frame | undefined;
      try {
        frame = this.frames.next();
      } catch (error) {
        return this.#unreadable(error);
      }
      if (frame === undefined) return;
      this.#handle(frame);
      this.#host.settle();
    }
  }

  /** An alarm was cleared. */
  alarmCleared(): void {
    if (this.blockedBy === undefined) return;
    this.blockedBy = undefined;
    this.#wake();
    if (this.phase !== "running") return;
    if (this.handshake.features.blocked) this.#send("connection.unblocked", {});
    this.readFrames();
  }

  /** The client has taken what was too much for it. */
  caughtUp(): void {
    for (const channel of this.channels ?? []) channel.giveCredit();
    this.readFrames();
  }

  /** Sends `connection.close`, and waits for the answer. */
  close(fields: Arguments<"connection.close">): void {
    if (this.phase === "closing" || this.phase === "over" || this.phase === "header") return;
    this.release();
    this.#send("connection.close", fields);
    this.#awaitEnd(this.phase === "running" ? limits.closing : limits.silence);
    this.phase = "closing";
  }

  /** Ends the stream behind what was sent so far. */
  end(): void {
    this.release();
    this.phase = "over";
    if (this.transport === "keep") this.transport = "end";
    // A client that takes nothing any more is not waited for.
    if (this.#deadline.due === undefined) this.#awaitEnd(limits.closing);
    this.#wake();
  }

  /** Drops the transport. */
  drop(): void {
    this.release();
    this.phase = "over";
    this.transport = "drop";
    this.#deadline.off();
    this.outbox.clear();
    this.#wake();
  }

  /** Lets go of channels, and of queues that end with the connection. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#heartbeats.stop();
    this.#deadline.off();
    this.channels?.release();
    this.#virtualHost?.deleteOwnedBy(this);
    this.#ended();
  }

  // What channels use.

  get services(): ChannelServices {
    return this.#host.services;
  }

  get user(): User {
    if (this.#user === undefined) throw new Error("A connection has a user once it is open");
    return this.#user;
  }

  get virtualHost(): VirtualHost {
    if (this.#virtualHost === undefined) throw new Error("A connection has a virtual host once it is open");
    return this.#virtualHost;
  }

  get frameMax(): number {
    return this.tuning.frameMax;
  }

  get isToldOfCancels(): boolean {
    return this.handshake.features.consumerCancelNotify;
  }

  get acceptsDeliveries(): boolean {
    return this.phase === "running" && this.outbox.size <= this.#host.settings.limits.outputHighWater;
  }

  get acceptsReplies(): boolean {
    return this.phase === "running" && this.outbox.size <= this.#host.settings.limits.maxOutput;
  }

  fail(refusal: Refusal): void {
    this.close(closeFields(refusal, "none"));
  }

  failChannel(channel: Channel, refusal: Refusal): void {
    this.channels?.fail(channel, closeFields(refusal, "none"));
  }

  output(): Output {
    this.#wake();
    return this.outbox.output;
  }

  #send<M extends ServerMethodName>(name: M, fields: Arguments<M>): void {
    writeMethod(this.output(), 0, name, fields, this.tuning.frameMax);
  }

  #handle(frame: Frame): void {
    try {
      checkFrame(frame);
      if (frame.type === frameType.heartbeat) return;
      if (this.phase === "handshake") this.#handshakeFrame(frame);
      else if (frame.channel === 0) this.#ownMethod(frame);
      else if (this.phase === "running") this.#channelFrame(frame);
    } catch (error) {
      if (error instanceof ReaderCrash) this.drop();
      else if (error instanceof Refusal) this.close(closeFields(error, blamedMethod(frame)));
      else throw error;
    }
  }

  #handshakeFrame(frame: Frame): void {
    if (frame.channel !== 0 || frame.type !== frameType.method) return this.#fallSilent();
    const { method, table } = receiveMethod(frame.payload);
    this.handshake.method(method, table);
  }

  #channelFrame(frame: Frame): void {
    this.channels?.frame(frame);
    // A publisher is stopped once it has begun to publish, with the alarm on.
    const alarm = this.#host.alarm();
    if (alarm === undefined || frame.type === frameType.method || this.phase !== "running") return;
    this.blockedBy = alarm;
    this.#wake();
    if (this.handshake.features.blocked) this.#send("connection.blocked", { reason: alarm });
  }

  /** A method on channel 0 of an open connection, or of one that we have closed. */
  #ownMethod(frame: Frame): void {
    const { name } = receiveMethod(frame.payload).method;
    if (name === "connection.close") return this.#closedByClient();
    if (this.phase === "closing") {
      if (name === "connection.close-ok") this.end();
    } else if (name === "connection.update-secret") {
      this.secretUpdates += 1;
      this.#send("connection.update-secret-ok", {});
    } else {
      throw unexpectedMethod(name);
    }
  }

  /** The client ends the connection; where both sides do, each answers the other. */
  #closedByClient(): void {
    if (this.phase === "running") {
      this.release();
      this.phase = "over";
      this.#awaitEnd(limits.closing);
    }
    this.#send("connection.close-ok", {});
  }

  /** Frames cannot be told apart any more. */
  #unreadable(error: unknown): void {
    if (!(error instanceof Refusal)) throw error;
    if (this.phase !== "running") return this.#fallSilent();
    this.close(closeFields(error, "none"));
    this.phase = "over";
    this.#awaitEnd(limits.silence);
  }

  #tuned(tuning: TuningOptions): void {
    this.tuning = tuning;
    this.frames.frameMax = tuning.frameMax;
    this.#heartbeats.start(tuning.heartbeat, this.#host.services.now());
  }

  #opened(user: User, virtualHost: VirtualHost): void {
    this.#user = user;
    this.#virtualHost = virtualHost;
    this.channels = new Channels(this, this.tuning.channelMax);
    this.phase = "running";
    this.#deadline.off();
  }

  #fallSilent(): void {
    this.release();
    this.phase = "over";
    this.#awaitEnd(limits.silence);
  }

  /** Drops the transport unless the client ends it in time. */
  #awaitEnd(limit: Millis): void {
    const heartbeat = this.tuning.heartbeat * 1000;
    const patience = limit === limits.closing && heartbeat > 0 ? Math.min(limit, heartbeat) : limit;
    this.#deadline.set(this.#host.services.now() + patience);
  }
}

/** Who wants another 0-9 is told which one there is; everybody else hears what the version likes best. */
function headerFor(received: readonly number[], profile: Profile): Uint8Array {
  const wantsAnother = [0x41, 0x4d, 0x51, 0x50, 0, 0, 9].every((octet, index) => received[index] === octet);
  return wantsAnother ? protocolHeader : profile.headerReply;
}

function unexpectedMethod(method: MethodName): Refusal {
  return new Refusal("CHANNEL_ERROR", "unexpected method in connection state running", { blames: method });
}
