/** The connection's own machine: handshake, channel 0, deadlines, and every way to end. */

import { frameType, maxShortStringSize } from "../wire/constants.ts";
import { decodeMethod } from "../wire/decode.ts";
import { ProtocolError, UsageError } from "../wire/errors.ts";
import type { FieldTable } from "../wire/field-values.ts";
import type { FrameReader } from "../wire/frame-reader.ts";
import type { Arguments, Fields, Method, ServerMethodName } from "../wire/method-types.ts";
import type { ChannelEngine, Farewell } from "./channel-engine.ts";
import { Channels, type ChannelsHost } from "./channels.ts";
import { closeFields, closeReason } from "./close-reason.ts";
import type { ConnectionConfig, Millis } from "./config.ts";
import { Deadlines, earliest } from "./deadlines.ts";
import { ConnectionError } from "./errors.ts";
import type { ConnectionEvent } from "./events.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { connectPhase, Handshake } from "./handshake.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type ConnectionPhase, connectionPhases, nextPhase } from "./phases.ts";
import { PendingRequest, type Request } from "./request.ts";
import { RequestQueue, type RequestSender } from "./request-queue.ts";
import type { Tuning } from "./tuning.ts";

const defaultHandshakeTimeout: Millis = 10_000;
const defaultCloseTimeout: Millis = 5_000;
const defaultRequestTimeout: Millis = 60_000;

/** What a connection needs of its engine. */
export interface ConnectionHost extends ChannelsHost {
  /** Stands at the frame that {@link Connection.frame} takes. */
  readonly reader: FrameReader;
}

export class Connection implements RequestSender {
  readonly channels: Channels;
  readonly #host: ConnectionHost;
  readonly #deadlines: Deadlines;
  /** The requests of channel 0. */
  readonly #requests: RequestQueue;
  readonly #closeTimeout: Millis;
  readonly #blockedTimeout: Millis;
  /** Gone when the connection is open, and with it the credentials. */
  #shakingHands: Handshake | undefined;
  /** What the server says of itself. */
  #serverProperties: FieldTable = {};
  #heartbeat: Heartbeat;
  #phase: ConnectionPhase = "header";
  #now: Millis;
  #reading = true;
  #tuning: Tuning = { channelMax: 0, frameMax: 0, heartbeat: 0 };
  #blocked: string | undefined;

  constructor(host: ConnectionHost, config: ConnectionConfig, now: Millis) {
    this.#host = host;
    this.#now = now;
    this.#deadlines = new Deadlines(config.requestTimeout ?? defaultRequestTimeout);
    this.#heartbeat = new Heartbeat(0, now);
    this.#requests = new RequestQueue(host.limits.maxWaitingRequests, this);
    this.channels = new Channels(host, this.#deadlines.requests);
    this.#closeTimeout = config.closeTimeout ?? defaultCloseTimeout;
    this.#blockedTimeout = config.blockedTimeout ?? 0;
    this.#shakingHands = new Handshake(config, host.writer);
    this.#deadlines.phase.start(config.handshakeTimeout ?? defaultHandshakeTimeout);
    this.#deadlines.learn(now);
  }

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

  get tuning(): Tuning {
    return this.#tuning;
  }

  get serverProperties(): FieldTable {
    return this.#shakingHands?.serverProperties ?? this.#serverProperties;
  }

  /** Looks at the server's first octets: see {@link Handshake.greet}. */
  greet(chunk: Uint8Array): boolean {
    return this.#handshake.greet(chunk);
  }

  get #handshake(): Handshake {
    if (this.#shakingHands === undefined) throw new Error("The handshake is over");
    return this.#shakingHands;
  }

  /** The time that the engine was told last. */
  get now(): Millis {
    return this.#now;
  }

  /** The server's reason while it blocks this connection. */
  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** Where requests are written. */
  get writer(): FrameWriter {
    return this.#host.writer;
  }

  requestWritten(request: PendingRequest): void {
    this.#deadlines.requests.written(request);
  }

  // Commands

  openChannel(number: number | undefined): ChannelEngine {
    this.#requireOpen("channel.open");
    return this.channels.open(number);
  }

  updateSecret(newSecret: Uint8Array, reason: string): Request<"connection.update-secret"> {
    this.#requireOpen("connection.update-secret");
    const request = new PendingRequest("connection.update-secret", 0);
    this.#requests.add(request, { newSecret, reason });
    return request;
  }

  close(farewell: Farewell): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    if (this.#phase !== "open") return this.#end(undefined);
    this.#host.writer.method(0, "connection.close", closeFields(farewell));
    this.#phase = "closing";
    this.#deadlines.phase.start(this.#closeTimeout);
    this.#suspendRequests();
    this.channels.connectionClosed(undefined);
  }

  #requireOpen(method: string): void {
    if (this.#phase === "open") return;
    throw new UsageError("ILLEGAL_STATE", `${method} on a connection that is ${this.state}`);
  }

  // What arrives

  /** Takes the frame that the reader stands at. */
  frame(): ConnectionEvent | undefined {
    const { reader } = this.#host;
    if (reader.type === frameType.heartbeat) return undefined;
    if (reader.channel === 0) return this.#ownFrame(reader);
    if (this.#phase === "open") return this.channels.frame(reader);
    if (this.#phase === "closing") return undefined;
    throw new ProtocolError("CHANNEL_ERROR", `Got a frame on channel ${reader.channel} during the handshake`);
  }

  #ownFrame({ type, bytes, start, end }: FrameReader): ConnectionEvent | undefined {
    if (type !== frameType.method) throw new ProtocolError("UNEXPECTED_FRAME", "Got a content frame on channel 0");
    const method = decodeMethod(bytes, start, end) as Method<ServerMethodName>;
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
        return this.#opened();
      case "connection.blocked":
        return this.#setBlocked(method.fields.reason);
      case "connection.unblocked":
        return this.#setUnblocked();
      case "connection.update-secret-ok":
        return { type: "reply", channel: 0, request: this.#requests.reply(method.name), reply: method };
      case "connection.close":
        this.#host.writer.method(0, "connection.close-ok", {});
        if (phase === "closed") this.#closedByServer(method.fields);
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
    this.#host.reader.frameMax = tuning.frameMax;
    this.channels.limit(tuning.channelMax);
    this.#heartbeat = new Heartbeat(tuning.heartbeat, this.#now);
    this.#heartbeat.setReading(this.#reading, this.#now);
  }

  #opened(): ConnectionEvent {
    this.#deadlines.phase.stop();
    const { mechanism, serverProperties } = this.#handshake;
    this.#serverProperties = serverProperties;
    this.#shakingHands = undefined;
    return { type: "open", serverProperties, mechanism, ...this.#tuning };
  }

  #setBlocked(reason: string): ConnectionEvent {
    // A server may change its reason; the time runs from the first one.
    if (this.#blocked === undefined) this.#deadlines.phase.start(this.#blockedTimeout);
    this.#blocked = reason;
    this.#suspendRequests();
    return { type: "connection.blocked", reason };
  }

  #setUnblocked(): ConnectionEvent {
    this.#blocked = undefined;
    this.#deadlines.phase.stop();
    this.#suspendRequests();
    // The server has much to catch up with.
    this.#deadlines.requests.restart(this.#now);
    return { type: "connection.unblocked" };
  }

  // Time

  /** It is later than it was. What commands started since the last time begins to run. */
  learn(now: Millis): void {
    if (now > this.#now) this.#now = now;
    this.#deadlines.learn(this.#now);
  }

  /** Bytes arrived. */
  heard(): void {
    this.#heartbeat.heard(this.#now);
  }

  /** Bytes left. */
  sent(): void {
    this.#heartbeat.sent(this.#now);
  }

  setReading(reading: boolean): void {
    this.#reading = reading;
    this.#heartbeat.setReading(reading, this.#now);
    this.#suspendRequests();
  }

  /** When {@link advance} has something to do, or `undefined`. */
  get deadline(): Millis | undefined {
    if (this.#phase === "closed") return undefined;
    return earliest(this.#heartbeat.deadline, this.#deadlines.next(this.#now));
  }

  /** Does whatever is due. */
  advance(): void {
    if (this.#phase === "closed") return;
    const now = this.#now;
    if (this.#deadlines.phase.isOver(now)) return this.#end(this.#timedOut());
    this.#advanceHeartbeat(now);
    this.#advanceRequests(now);
    // A channel that was closed for a late request has asked for its own end, and the time of that begins now.
    this.#deadlines.learn(now);
  }

  /** What it means that this phase of the connection took too long. An open one may only be blocked for so long. */
  #timedOut(): ConnectionError {
    switch (this.state) {
      case "open":
        return new ConnectionError(
          "BLOCKED_TIMEOUT",
          `The server blocked the connection for too long: ${this.#blocked}`,
        );
      case "closing":
        return new ConnectionError(
          "CLOSE_TIMEOUT",
          "The server did not answer connection.close in time (closeTimeout)",
        );
      default:
        return this.#handshake.timedOut(this.#phase);
    }
  }

  #advanceHeartbeat(now: Millis): void {
    switch (this.#heartbeat.advance(now)) {
      case "send":
        // Output that waits to be taken will do: the transport is busy, not idle.
        if (this.#host.writer.size === 0) this.#host.writer.heartbeat();
        break;
      case "dead":
        this.#end(
          new ConnectionError(
            "HEARTBEAT_TIMEOUT",
            `The server was silent for two heartbeat intervals of ${this.#tuning.heartbeat} s`,
          ),
        );
        break;
    }
  }

  #advanceRequests(now: Millis): void {
    while (this.#phase !== "closed") {
      const request = this.#deadlines.requests.takeLate(now);
      if (request === undefined) return;
      if (request.channel === 0) {
        return this.#end(
          new ConnectionError("REQUEST_TIMEOUT", `${request.method} was not answered in time (requestTimeout)`),
        );
      }
      const event = this.channels.requestTimedOut(request);
      if (event !== undefined) this.#host.events.push(event);
    }
  }

  /** No request is late while the server does not read, or we do not, or when there is no answer to come. */
  #suspendRequests(): void {
    const suspended = this.#blocked !== undefined || !this.#reading || this.#phase !== "open";
    this.#deadlines.requests.suspend(suspended, this.#now);
  }

  // Endings

  #closedByServer(fields: Fields<"connection.close">): void {
    const reason = closeReason(fields);
    if (this.#phase !== "open") return this.#end(this.#handshake.refused(this.#phase, reason));
    const message = `The server closed the connection: ${reason.replyCode} ${reason.replyText}`;
    this.#end(new ConnectionError("CONNECTION_CLOSED_BY_SERVER", message, { reason }));
  }

  /** The transport ended, and everything that it brought was handled. */
  transportLost(cause: unknown): void {
    // After a farewell it makes no difference who hangs up.
    if (this.#phase === "closing") return this.#end(undefined);
    if (this.#phase !== "open") return this.#end(this.#handshake.lost(this.#phase, cause));
    this.#end(new ConnectionError("CONNECTION_LOST", "The connection was lost", { cause }));
  }

  /** The peer broke the protocol, or the handshake failed. Anything else is a bug of ours, and not hidden. */
  failed(error: unknown): void {
    if (error instanceof ConnectionError) return this.#end(error);
    if (!(error instanceof ProtocolError)) throw error;
    if (this.#phase === "closing") return this.#end(undefined);
    const phase = this.#phase === "open" ? undefined : connectPhase(this.#phase);
    // The farewell goes out before the transport ends; nobody waits for its answer. During the handshake it would only
    // be one more mistake.
    if (phase === undefined) this.#host.writer.method(0, "connection.close", blame(error));
    const message = `The server broke the protocol: ${error.message}`;
    this.#end(new ConnectionError("PROTOCOL_ERROR", message, { cause: error, phase }));
  }

  #end(error: ConnectionError | undefined): void {
    this.channels.connectionClosed(error);
    this.#phase = "closed";
    this.#blocked = undefined;
    this.#host.events.push({ type: "closed", error, requests: this.#requests.drain() });
  }
}

function blame({ replyCode, code, message }: ProtocolError): Arguments<"connection.close"> {
  const replyText = `${code} - ${message}`.replace(/[^\x20-\x7e]/g, "?").slice(0, maxShortStringSize);
  return closeFields({ replyCode, replyText });
}
