/**
 * The engine of one connection: bytes and times in; events, bytes and deadlines out.
 *
 * It holds no socket, clock, timer or promise. Its driver passes in what arrives and what time it is, asks for events
 * until there are none, sends the output, and comes back at the deadline. docs/embedding.md shows a driver.
 */

import { decodeMethod } from "../wire/decode.ts";
import { frameMinSize, frameType } from "../wire/constants.ts";
import { ProtocolError, UsageError } from "../wire/errors.ts";
import type { FieldTable } from "../wire/field-values.ts";
import { FrameReader } from "../wire/frame-reader.ts";
import type { Method, ServerMethodName } from "../wire/method-types.ts";
import { ShortStrings } from "../wire/short-strings.ts";
import { Channel } from "./channel.ts";
import type { ChannelEngine, Farewell } from "./channel-engine.ts";
import { ChannelNumbers } from "./channel-numbers.ts";
import { checkConfig } from "./check-config.ts";
import { closeReason } from "./close-reason.ts";
import type { ConnectionConfig, EngineLimits, Millis } from "./config.ts";
import { Deque } from "./deque.ts";
import { ConnectionError } from "./errors.ts";
import type { ConnectionEvent } from "./events.ts";
import { FrameTap } from "./frame-tap.ts";
import { type EngineCounters, FrameWriter, type MutableCounters } from "./frame-writer.ts";
import { connectPhase, Handshake } from "./handshake.ts";
import { Heartbeat } from "./heartbeat.ts";
import { withLimits } from "./limits.ts";
import { type ConnectionPhase, connectionPhases, nextPhase } from "./phases.ts";
import { PendingRequest, type Request } from "./request.ts";
import { RequestDeadlines } from "./request-deadlines.ts";
import { RequestQueue } from "./request-queue.ts";
import { Slab } from "./slab.ts";
import type { Tuning } from "./tuning.ts";

const defaultHandshakeTimeout: Millis = 10_000;
const defaultCloseTimeout: Millis = 5_000;
const defaultRequestTimeout: Millis = 60_000;

/** The largest frame before tuning: RabbitMQ's connection.start has less than 1 KiB. */
const frameMaxBeforeTuning = 8 * frameMinSize;

/** A client's end of an AMQP 0-9-1 connection. */
export class ConnectionEngine {
  readonly #config: ConnectionConfig;
  readonly #limits: EngineLimits;
  readonly #counters: MutableCounters = {
    framesReceived: 0,
    framesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    messagesReceived: 0,
    messagesPublished: 0,
  };
  readonly #writer = new FrameWriter(this.#counters);
  readonly #reader = new FrameReader(frameMaxBeforeTuning);
  readonly #slab = new Slab();
  readonly #strings = new ShortStrings();
  readonly #tap: FrameTap | undefined;
  readonly #events = new Deque<ConnectionEvent>();
  readonly #handshake: Handshake;
  readonly #requests: RequestQueue;
  readonly #requestDeadlines: RequestDeadlines;
  readonly #channels = new Map<number, Channel>();
  #channelNumbers = new ChannelNumbers(0);
  #heartbeat: Heartbeat;
  #phase: ConnectionPhase = "header";
  #now: Millis;
  #reading = true;
  #greeted = false;
  #tuning: Tuning = { channelMax: 0, frameMax: 0, heartbeat: 0 };
  #blocked: string | undefined;
  #blockedDeadline: Millis | undefined;
  #handshakeDeadline: Millis | undefined;
  #closeDeadline: Millis | undefined;
  /** The transport ended; it counts once the bytes before it were handled. */
  #transportEnd: { readonly cause: unknown } | undefined;

  /**
   * Begins a connection: the protocol header is in the output.
   *
   * @throws UsageError INVALID_ARGUMENT when the configuration makes no sense.
   */
  constructor(config: ConnectionConfig, now: Millis) {
    checkConfig(config);
    this.#config = config;
    this.#limits = withLimits(config.limits);
    this.#now = now;
    this.#heartbeat = new Heartbeat(0, now);
    this.#tap = config.tap === undefined ? undefined : new FrameTap(config.tap);
    this.#requestDeadlines = new RequestDeadlines(config.requestTimeout ?? defaultRequestTimeout);
    this.#requests = new RequestQueue(this.#limits.maxWaitingRequests, {
      send: (request) => this.#transmit(request),
      encode: (request) => this.#writer.encode(0, request.method, request.fields),
    });
    this.#handshakeDeadline = deadlineAfter(config.handshakeTimeout ?? defaultHandshakeTimeout, now);
    this.#handshake = new Handshake(config, this.#writer);
  }

  // What the engine knows

  get state(): "handshaking" | "open" | "closing" | "closed" {
    switch (this.#phase) {
      case "open":
      case "closing":
      case "closed":
        return this.#phase;
      default:
        return "handshaking";
    }
  }

  /** The negotiated highest channel number; 0 before tuning. */
  get channelMax(): number {
    return this.#tuning.channelMax;
  }

  /** The negotiated size of the largest frame in bytes; 0 for no limit, and before tuning. */
  get frameMax(): number {
    return this.#tuning.frameMax;
  }

  /** The negotiated heartbeat interval in seconds; 0 for none, and before tuning. */
  get heartbeat(): number {
    return this.#tuning.heartbeat;
  }

  /** What the server says of itself; empty before `connection.start`. */
  get serverProperties(): FieldTable {
    return this.#handshake.serverProperties;
  }

  /** The server's reason while it blocks this connection. */
  get blocked(): string | undefined {
    return this.#blocked;
  }

  get counters(): EngineCounters {
    return this.#counters;
  }

  /** The channel with that number, unless its number is free. */
  channel(number: number): ChannelEngine | undefined {
    return this.#channels.get(number);
  }

  // Inputs

  /**
   * Bytes arrived. The chunk is borrowed: the engine refers to it until {@link nextEvent} has returned `undefined`, or
   * {@link detachInput} was called. Bytes after the end of the connection are ignored.
   *
   * @throws UsageError LIMIT_REACHED when too many bytes wait to be parsed: ask for events first.
   */
  receive(chunk: Uint8Array, now: Millis): void {
    this.#setTime(now);
    if (this.#phase === "closed" || this.#transportEnd !== undefined || chunk.length === 0) return;
    if (this.#reader.unparsed + chunk.length > this.#limits.maxUnparsedInput) {
      throw new UsageError(
        "LIMIT_REACHED",
        `${this.#reader.unparsed} bytes wait to be parsed (limits.maxUnparsedInput)`,
      );
    }
    this.#heartbeat.heard(now);
    this.#counters.bytesReceived += chunk.length;
    if (this.#greeted) this.#reader.append(chunk);
    else this.#greet(chunk);
  }

  /** Copies what was received and not yet parsed, so that the chunks' memory may be used again. */
  detachInput(): void {
    this.#reader.detach();
  }

  /** The transport ended, with the cause where there is one. It takes its place behind the bytes already received. */
  transportClosed(now: Millis, cause?: unknown): void {
    this.#setTime(now);
    this.#transportEnd ??= { cause };
  }

  /** Time passed: whatever is due happens. Calling it early, late or often does no harm. */
  advance(now: Millis): void {
    this.#setTime(now);
    if (this.#phase === "closed") return;
    if (isDue(this.#handshakeDeadline, now)) return this.#end(this.#handshake.timedOut(this.#phase));
    if (isDue(this.#closeDeadline, now)) {
      return this.#end(
        new ConnectionError("CLOSE_TIMEOUT", "The server did not answer connection.close in time (closeTimeout)"),
      );
    }
    if (isDue(this.#blockedDeadline, now)) {
      return this.#end(
        new ConnectionError("BLOCKED_TIMEOUT", `The server blocked the connection for too long: ${this.#blocked}`),
      );
    }
    this.#advanceHeartbeat(now);
    this.#advanceRequests(now);
  }

  /** Whether the driver reads from the transport. While it does not, the server's silence proves nothing. */
  setReading(reading: boolean, now: Millis): void {
    this.#setTime(now);
    this.#reading = reading;
    this.#heartbeat.setReading(reading, now);
  }

  // Commands

  /**
   * Opens a channel with the lowest free number, or with the one that is asked for.
   *
   * @throws UsageError ILLEGAL_STATE unless the connection is open; LIMIT_REACHED when no number is free;
   * INVALID_ARGUMENT when the number is taken or out of range.
   */
  openChannel(number?: number): ChannelEngine {
    this.#requireOpen("channel.open");
    if (number === undefined) {
      const free = this.#channelNumbers.take();
      if (free === undefined) {
        throw new UsageError(
          "LIMIT_REACHED",
          `All ${this.channelMax} channels of the connection are in use (channelMax)`,
        );
      }
      return this.#addChannel(free);
    }
    if (!this.#channelNumbers.claim(number)) {
      throw new UsageError(
        "INVALID_ARGUMENT",
        `Channel number ${number} is in use, or not from 1 to ${this.channelMax}`,
      );
    }
    return this.#addChannel(number);
  }

  /**
   * Gives the server a new secret, such as a fresh OAuth 2 token. Several may wait for their answers.
   *
   * @throws UsageError ILLEGAL_STATE unless the connection is open; INVALID_ARGUMENT; LIMIT_REACHED.
   */
  updateSecret(secret: Uint8Array, reason: string): Request<"connection.update-secret"> {
    this.#requireOpen("connection.update-secret");
    const request = new PendingRequest("connection.update-secret", 0, { newSecret: secret, reason });
    this.#requests.add(request);
    return request;
  }

  /**
   * Closes the connection. Its channels end at once, with CONNECTION_CLOSED; `closed` follows when the server has
   * answered, hung up, or let `closeTimeout` pass. Before the connection is open there is nobody to say farewell to,
   * and it ends at once. Does nothing when the connection is closing or closed.
   *
   * @throws UsageError INVALID_ARGUMENT when the farewell cannot be sent.
   */
  close({ replyCode = 200, replyText = "Normal shutdown" }: Farewell = {}): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    if (this.#phase !== "open") return this.#end(undefined);
    this.#writer.method(0, "connection.close", { replyCode, replyText, classId: 0, methodId: 0 });
    this.#phase = "closing";
    this.#blockedDeadline = undefined;
    this.#closeDeadline = deadlineAfter(this.#config.closeTimeout ?? defaultCloseTimeout, this.#now);
    this.#endChannels(new ConnectionError("CONNECTION_CLOSED", "The connection was closed by the client"));
  }

  // Outputs

  /**
   * The next event, or `undefined` when everything that was received has been handled. State moves as events are handed
   * over, so a command between two events finds the engine as the last event left it.
   */
  nextEvent(): ConnectionEvent | undefined {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      if (this.#phase === "closed") return undefined;
      const step = this.#step();
      if (step === undefined) return undefined;
      if (step !== "handled") return step;
    }
  }

  /** Takes what there is to send, in order. It belongs to the caller; the engine never writes to it again. */
  takeOutput(): Uint8Array[] {
    if (this.#writer.size === 0) return [];
    if (!this.writable && this.#phase !== "closed") this.#events.push({ type: "writable" });
    const output = this.#writer.take();
    this.#heartbeat.sent(this.#now);
    this.#tap?.sent(output);
    return output;
  }

  /** Bytes of output that were not taken. */
  get outputSize(): number {
    return this.#writer.size;
  }

  /**
   * False from the high-water mark of output on: producers should wait for the `writable` event, which follows when the
   * output was taken. Nothing is refused before `limits.maxOutput`.
   */
  get writable(): boolean {
    return this.#writer.size < this.#limits.outputHighWater;
  }

  /** Whether the engine is done with the transport: send what is left of the output, and end it. */
  get wantsClose(): boolean {
    return this.#phase === "closed";
  }

  /** When {@link advance} has something to do, or `undefined`: not until something else happens. Ask after every input and command. */
  nextDeadline(): Millis | undefined {
    if (this.#phase === "closed") return undefined;
    return earliest(
      earliest(this.#handshakeDeadline, this.#closeDeadline),
      earliest(this.#blockedDeadline, earliest(this.#heartbeat.deadline, this.#requestDeadlines.deadline(this.#now))),
    );
  }

  // What arrives

  /** One step of parsing. `"handled"`: something happened that is no event; `undefined`: nothing is left to handle. */
  #step(): ConnectionEvent | "handled" | undefined {
    try {
      if (this.#reader.next()) {
        this.#tap?.received(this.#reader);
        if (this.#reader.last) this.#counters.framesReceived += 1;
        return this.#frame() ?? "handled";
      }
    } catch (error) {
      this.#failed(error);
      return "handled";
    }
    if (this.#transportEnd === undefined) return undefined;
    this.#transportLost(this.#transportEnd.cause);
    return "handled";
  }

  #greet(chunk: Uint8Array): void {
    try {
      const before = this.#handshake.held;
      if (!this.#handshake.greet(chunk)) return;
      this.#greeted = true;
      if (before.length > 0) this.#reader.append(before);
      this.#reader.append(chunk);
    } catch (error) {
      this.#failed(error);
    }
  }

  #frame(): ConnectionEvent | undefined {
    const reader = this.#reader;
    if (reader.type === frameType.heartbeat) return undefined;
    if (reader.channel === 0) return this.#connectionFrame();
    if (this.#phase !== "open") {
      if (this.#phase === "closing") return undefined;
      throw new ProtocolError("CHANNEL_ERROR", `Got a frame on channel ${reader.channel} during the handshake`);
    }
    const channel = this.#channels.get(reader.channel);
    return channel === undefined ? this.#strayFrame() : channel.frame(reader);
  }

  /** A frame on a channel that is not in use. A close is answered, since the server waits for it; nothing else may come. */
  #strayFrame(): undefined {
    const { type, channel, bytes, start, end } = this.#reader;
    if (type === frameType.method && decodeMethod(bytes, start, end, this.#strings).name === "channel.close") {
      this.#writer.method(channel, "channel.close-ok", {});
      return undefined;
    }
    throw new ProtocolError("CHANNEL_ERROR", `Got a frame on channel ${channel}, which is not open`);
  }

  #connectionFrame(): ConnectionEvent | undefined {
    const { type, bytes, start, end } = this.#reader;
    if (type !== frameType.method) throw new ProtocolError("UNEXPECTED_FRAME", "Got a content frame on channel 0");
    const method = decodeMethod(bytes, start, end, this.#strings) as Method<ServerMethodName>;
    const phase = nextPhase(connectionPhases, this.#phase, method.name);
    if (phase === undefined) {
      if (this.#phase === "closing") return undefined;
      throw new ProtocolError("COMMAND_INVALID", `Got ${method.name} in phase ${this.#phase} of the connection`);
    }
    return this.#handle(method, phase);
  }

  #handle(method: Method<ServerMethodName>, phase: ConnectionPhase): ConnectionEvent | undefined {
    switch (method.name) {
      case "connection.start":
        this.#handshake.start(method.fields);
        break;
      case "connection.secure":
        this.#handshake.secure(method.fields);
        break;
      case "connection.tune":
        this.#tuned(this.#handshake.tune(method.fields));
        break;
      case "connection.open-ok":
        this.#phase = phase;
        this.#handshakeDeadline = undefined;
        return this.#opened();
      case "connection.blocked":
        return this.#setBlocked(method.fields.reason);
      case "connection.unblocked":
        return this.#setUnblocked();
      case "connection.update-secret-ok":
        return { type: "reply", channel: 0, request: this.#requests.reply(method.name), reply: method };
      case "connection.close":
        this.#writer.method(0, "connection.close-ok", {});
        if (phase === "closed") this.#closedByServer(closeReason(method.fields));
        return undefined;
      case "connection.close-ok":
        this.#end(undefined);
        return undefined;
    }
    this.#phase = phase;
    return undefined;
  }

  #tuned(tuning: Tuning): void {
    this.#tuning = tuning;
    this.#reader.frameMax = tuning.frameMax;
    this.#channelNumbers = new ChannelNumbers(tuning.channelMax);
    this.#heartbeat = new Heartbeat(tuning.heartbeat, this.#now);
    this.#heartbeat.setReading(this.#reading, this.#now);
  }

  #opened(): ConnectionEvent {
    const { mechanism, serverProperties } = this.#handshake;
    return { type: "open", serverProperties, mechanism, ...this.#tuning };
  }

  #setBlocked(reason: string): ConnectionEvent {
    // A server may change its reason; the time runs from the first one.
    if (this.#blocked === undefined) {
      this.#blockedDeadline = deadlineAfter(this.#config.blockedTimeout ?? 0, this.#now);
      this.#requestDeadlines.suspend(true, this.#now);
    }
    this.#blocked = reason;
    return { type: "connection.blocked", reason };
  }

  #setUnblocked(): ConnectionEvent {
    this.#blocked = undefined;
    this.#blockedDeadline = undefined;
    this.#requestDeadlines.suspend(false, this.#now);
    return { type: "connection.unblocked" };
  }

  // Time

  #setTime(now: Millis): void {
    this.#now = Math.max(this.#now, now);
    this.#requestDeadlines.stamp(this.#now);
  }

  #advanceHeartbeat(now: Millis): void {
    switch (this.#heartbeat.advance(now)) {
      case "send":
        // Output that waits to be taken will do: the transport is busy, not idle.
        if (this.#writer.size === 0) this.#writer.heartbeat();
        break;
      case "dead":
        this.#end(
          new ConnectionError(
            "HEARTBEAT_TIMEOUT",
            `The server was silent for two heartbeat intervals of ${this.heartbeat} s`,
          ),
        );
        break;
    }
  }

  #advanceRequests(now: Millis): void {
    while (this.#phase !== "closed") {
      const request = this.#requestDeadlines.takeLate(now);
      if (request === undefined) return;
      if (request.channel === 0) {
        return this.#end(
          new ConnectionError("REQUEST_TIMEOUT", `${request.method} was not answered in time (requestTimeout)`),
        );
      }
      const event = this.#channels.get(request.channel)?.requestTimedOut(request);
      if (event !== undefined) this.#events.push(event);
    }
  }

  // Endings

  #closedByServer(reason: ReturnType<typeof closeReason>): void {
    const error =
      this.#phase === "open"
        ? new ConnectionError(
            "CONNECTION_CLOSED_BY_SERVER",
            `The server closed the connection: ${reason.replyCode} ${reason.replyText}`,
            { reason },
          )
        : this.#handshake.refused(this.#phase, reason);
    this.#end(error);
  }

  #transportLost(cause: unknown): void {
    switch (this.#phase) {
      case "closing":
        return this.#end(undefined);
      case "open":
        return this.#end(
          new ConnectionError("CONNECTION_LOST", "The connection was lost", cause === undefined ? {} : { cause }),
        );
      default:
        return this.#end(this.#handshake.lost(this.#phase, cause));
    }
  }

  /** The peer broke the protocol, or the handshake failed. Anything else is a bug of ours, and not hidden. */
  #failed(error: unknown): void {
    if (error instanceof ConnectionError) return this.#end(error);
    if (!(error instanceof ProtocolError)) throw error;
    if (this.#phase === "open") {
      // The farewell goes out before the transport ends; nobody waits for its answer.
      this.#writer.method(0, "connection.close", { ...farewell(error), classId: 0, methodId: 0 });
      return this.#end(
        new ConnectionError("PROTOCOL_ERROR", `The server broke the protocol: ${error.message}`, { cause: error }),
      );
    }
    if (this.#phase === "closing") return this.#end(undefined);
    const phase = connectPhase(this.#phase);
    this.#end(
      new ConnectionError("PROTOCOL_ERROR", `The server broke the protocol: ${error.message}`, { cause: error, phase }),
    );
  }

  #end(error: ConnectionError | undefined): void {
    this.#endChannels(error ?? new ConnectionError("CONNECTION_CLOSED", "The connection was closed by the client"));
    this.#phase = "closed";
    this.#blocked = undefined;
    this.#events.push({ type: "closed", error, requests: this.#requests.drain() });
  }

  #endChannels(error: ConnectionError): void {
    for (const channel of this.#channels.values()) {
      const event = channel.connectionClosed(error);
      if (event !== undefined) this.#events.push(event);
    }
    this.#channels.clear();
  }

  // Helpers

  #addChannel(number: number): ChannelEngine {
    const channel = new Channel(number, {
      writer: this.#writer,
      limits: this.#limits,
      slab: this.#slab,
      strings: this.#strings,
      emit: (event) => this.#events.push(event),
      requestSent: (request) => this.#requestDeadlines.sent(request),
      messageReceived: () => {
        this.#counters.messagesReceived += 1;
      },
      numberFreed: (freed) => {
        this.#channels.delete(freed);
        this.#channelNumbers.release(freed);
      },
    });
    this.#channels.set(number, channel);
    return channel;
  }

  #transmit(request: PendingRequest): void {
    if (request.frames === undefined) this.#writer.method(0, request.method, request.fields);
    else this.#writer.encoded(request.frames);
    request.sent = true;
    this.#requestDeadlines.sent(request);
  }

  #requireOpen(method: string): void {
    if (this.#phase !== "open")
      throw new UsageError("ILLEGAL_STATE", `${method} on a connection that is ${this.state}`);
  }
}

/** A reply text is a short string. */
const longestReplyText = 255;

function farewell(error: ProtocolError): { replyCode: number; replyText: string } {
  // Our messages are ASCII but for what they quote; a character of UTF-8 takes at most three octets per UTF-16 unit.
  const text = `${error.code} - ${error.message}`;
  return { replyCode: error.replyCode, replyText: text.slice(0, longestReplyText / 3) };
}

function deadlineAfter(timeout: Millis, now: Millis): Millis | undefined {
  return timeout === 0 ? undefined : now + timeout;
}

function isDue(deadline: Millis | undefined, now: Millis): boolean {
  return deadline !== undefined && now >= deadline;
}

function earliest(a: Millis | undefined, b: Millis | undefined): Millis | undefined {
  if (a === undefined) return b;
  return b === undefined || a < b ? a : b;
}
