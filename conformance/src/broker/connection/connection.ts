/**
 * A connection as the broker sees it: bytes in, bytes out, and no socket.
 *
 * Whoever moves the bytes passes in what arrives, takes what is to be sent, and obeys {@link BrokerConnection.transport}
 * and {@link BrokerConnection.isReading}. Deadlines are the broker's: it has one for all its connections.
 */

import { type Arguments, type MethodName, writeMethod } from "@leveret/core/wire";
import type { Channel } from "../channel/channel.ts";
import { Refusal } from "../failures.ts";
import type { Millis, Timer } from "../lib/timers.ts";
import type { TuningOptions } from "../options.ts";
import { type CloseFields, closeFields } from "./channels.ts";
import type { ClientFeatures } from "./handshake.ts";
import type { ConnectionHost, PeerOptions } from "./host.ts";
import { type ConnectionPhase, Session, type TransportOrder } from "./session.ts";

/** What a close method says. */
export interface CloseOrder {
  /** AMQP's reply code, any number. */
  readonly replyCode: number;
  readonly replyText: string;
  /** The method to blame. Default: none. */
  readonly method?: MethodName | undefined;
}

/** Bytes that may wait while the broker does not read. A driver that obeys `isReading` never comes near. */
const maxUnread = 16 * 1024 * 1024;

/** A session with one client. */
export class BrokerConnection {
  /** Counts from 1, in the order in which connections came. */
  readonly id: number;
  readonly peer: PeerOptions;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  /** When delayed output may leave. */
  readonly #outputDue: Timer;
  /** The transport is gone, and a frozen connection has not noticed. */
  #isGone = false;

  /** Connections are made by `Broker.connect`. */
  constructor(id: number, peer: PeerOptions, host: ConnectionHost) {
    this.id = id;
    this.peer = peer;
    this.#host = host;
    this.#outputDue = host.services.timers.create(() => host.wake(this));
    this.#session = new Session(
      id,
      peer,
      host,
      () => host.wake(this),
      () => host.ended(this),
    );
  }

  // What a driver uses.

  /** Bytes arrived. They are borrowed for the length of the call. */
  receive(chunk: Uint8Array, now: Millis): void {
    const session = this.#session;
    session.received += chunk.length;
    if (session.phase === "over") return;
    this.#host.turn(now, () => {
      session.frames.append(session.phase === "header" ? session.readHeader(chunk) : chunk);
      session.readFrames();
      if (session.frames.waiting > maxUnread && !session.isReading) session.drop();
    });
  }

  /** The transport is gone, by whomever. */
  transportClosed(now: Millis): void {
    this.#isGone = true;
    if (!this.isFrozen) this.#host.turn(now, () => this.#session.drop());
  }

  /** Takes everything that may be sent now. The receiver may keep it, and must not change it. */
  takeOutput(): readonly Uint8Array[] {
    const { outbox, acceptsDeliveries, isReading } = this.#session;
    const pieces = outbox.take(this.#host.services.now());
    const due = outbox.nextDue;
    if (due !== undefined) this.#outputDue.set(due);
    const isRelieved = acceptsDeliveries !== this.#session.acceptsDeliveries || isReading !== this.#session.isReading;
    if (isRelieved) this.#turn(() => this.#session.caughtUp());
    return pieces;
  }

  /** What to do with the transport. An `"end"` waits until {@link hasOutput} is false. */
  get transport(): TransportOrder {
    const { transport } = this.#session;
    return this.isFrozen && transport === "end" ? "keep" : transport;
  }

  /** Something waits to be sent, now or later. */
  get hasOutput(): boolean {
    return this.#session.outbox.size > 0;
  }

  /** False: read nothing from the transport for now. Bytes that are passed in all the same wait. */
  get isReading(): boolean {
    return this.#session.isReading;
  }

  // What tests use to look.

  /** Where the connection stands. */
  get phase(): ConnectionPhase {
    return this.#session.phase;
  }

  /** The client publishes while an alarm is on: it was told to stop, or would be if it could hear that. */
  get isBlocked(): boolean {
    return this.#session.blockedBy !== undefined;
  }

  /** Whether the broker neither reads from it nor writes to it. */
  get isFrozen(): boolean {
    return this.#session.outbox.isFrozen;
  }

  /** What the client has said about itself. */
  get features(): ClientFeatures {
    return this.#session.handshake.features;
  }

  /** What both sides agreed on. */
  get tuning(): TuningOptions {
    return this.#session.tuning;
  }

  /** `undefined` before login. */
  get userName(): string | undefined {
    return this.#session.handshake.user?.name;
  }

  /** `undefined` before the connection is open. */
  get virtualHostName(): string | undefined {
    return this.#session.channels === undefined ? undefined : this.#session.virtualHost.name;
  }

  /** How often the client has renewed its secret. */
  get secretUpdates(): number {
    return this.#session.secretUpdates;
  }

  /** The open channels, those that wait for a close-ok included. */
  get channels(): Iterable<Channel> {
    return this.#session.channels ?? [];
  }

  // What tests use to make trouble.

  /** Ends the connection with `connection.close`, and waits for the answer. */
  close(order: CloseOrder): void {
    this.#turn(() => this.#session.close(fieldsOf(order)));
  }

  /** Ends a channel with `channel.close`. Nothing happens when it is not open. */
  closeChannel(number: number, order: CloseOrder): void {
    const channel = this.#session.channels?.get(number);
    if (channel === undefined || channel.isClosing) return;
    this.#turn(() => this.#session.channels?.fail(channel, fieldsOf(order)));
  }

  /** Says goodbye as a node that is shut down: 320, and the end of the stream without waiting for an answer. */
  shutDown(explanation: string): void {
    this.#turn(() => {
      this.#session.close(closeFields(new Refusal("CONNECTION_FORCED", explanation), "none"));
      this.#session.end();
    });
  }

  /** Ends the stream without a word, behind what was sent so far. */
  end(): void {
    this.#turn(() => this.#session.end());
  }

  /** Drops the transport at once; what was not taken yet is lost. */
  drop(): void {
    this.#turn(() => this.#session.drop());
  }

  /**
   * Stops everything, as a peer does that has lost its network: nothing is read, nothing is sent, no heartbeat, and the
   * end of the transport goes unnoticed. What belongs to the connection stays locked.
   */
  freeze(): void {
    this.#turn(() => {
      this.#session.outbox.isFrozen = true;
    });
  }

  /** Goes on after {@link freeze}. */
  thaw(): void {
    this.#turn(() => {
      this.#session.outbox.isFrozen = false;
      if (this.#isGone) this.#session.drop();
      else this.#session.readFrames();
    });
  }

  /** From now on everything that is sent leaves so much later; 0 ends that for what is sent from then on. */
  delayOutput(delay: Millis): void {
    this.#turn(() => {
      this.#session.outbox.hold(this.#host.services.now());
      this.#session.outbox.delay = delay;
    });
  }

  /** Sends a method that the protocol may not allow here: on any channel, at any time, without its effects. */
  inject<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): void {
    this.#turn(() => writeMethod(this.#session.output(), channel, name, fields, 0));
  }

  /** Sends any bytes. */
  injectBytes(bytes: Uint8Array): void {
    this.#turn(() => this.#session.output().bytes(bytes));
  }

  /** Cancels a consumer, as when its queue is gone; false when there is no such consumer. */
  cancelConsumer(channelNumber: number, consumerTag: string): boolean {
    const channel = this.#session.channels?.get(channelNumber);
    const consumer = channel?.consumers.get(consumerTag);
    if (channel === undefined || consumer === undefined) return false;
    this.#turn(() => {
      channel.consumerLost(consumer);
      consumer.queue.removeConsumer(consumer);
    });
    return true;
  }

  // What the broker uses.

  /** @internal */
  alarmCleared(): void {
    this.#session.alarmCleared();
  }

  #turn(task: () => void): void {
    this.#host.wake(this);
    this.#host.turn(this.#host.services.now(), task);
  }
}

function fieldsOf({ replyCode, replyText, method }: CloseOrder): CloseFields {
  const { classId, methodId } = closeFields(new Refusal("CONNECTION_FORCED", ""), method ?? "none");
  return { replyCode, replyText, classId, methodId };
}
