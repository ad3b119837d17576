/**
 * The engine of one connection: bytes and times in; events, bytes and deadlines out.
 *
 * It holds no socket, clock, timer or promise. Its driver passes in what arrives and what time it is, asks for events
 * until there are none, sends the output, and comes back at the deadline. docs/embedding.md shows a driver.
 */

import { frameMinSize } from "../wire/constants.ts";
import { UsageError } from "../wire/errors.ts";
import type { FieldTable } from "../wire/field-values.ts";
import { FrameReader } from "../wire/frame-reader.ts";
import { invalid } from "../wire/values.ts";
import type { ChannelEngine, Farewell } from "./channel-engine.ts";
import { checkConfig } from "./check-config.ts";
import type { ConnectionConfig, EngineLimits, Millis } from "./config.ts";
import { Connection } from "./connection.ts";
import { Deque } from "./deque.ts";
import type { ConnectionEvent } from "./events.ts";
import { FrameTap } from "./frame-tap.ts";
import { type EngineCounters, FrameWriter, newCounters } from "./frame-writer.ts";
import { withLimits } from "./limits.ts";
import type { Request } from "./request.ts";

/** The largest frame before tuning: RabbitMQ's connection.start has less than 1 KiB. */
const frameMaxBeforeTuning = 8 * frameMinSize;

/** A client's end of an AMQP 0-9-1 connection. */
export class ConnectionEngine {
  readonly #limits: EngineLimits;
  readonly #counters = newCounters();
  readonly #writer = new FrameWriter(this.#counters);
  readonly #reader = new FrameReader(frameMaxBeforeTuning);
  readonly #tap: FrameTap | undefined;
  readonly #events = new Deque<ConnectionEvent>();
  readonly #connection: Connection;
  /** The peer turned out to speak AMQP. */
  #greeted = false;
  /** Everything that was received has been parsed, as far as it goes. */
  #drained = true;
  /** The transport ended; it counts once the bytes before it were handled. */
  #transportEnd: { readonly cause: unknown } | undefined;

  /**
   * Begins a connection: the protocol header is in the output.
   *
   * @throws UsageError INVALID_ARGUMENT when the configuration makes no sense.
   */
  constructor(config: ConnectionConfig, now: Millis) {
    checkConfig(config);
    checkTime(now);
    this.#limits = withLimits(config.limits);
    this.#tap = config.tap === undefined ? undefined : new FrameTap(config.tap);
    const host = {
      limits: this.#limits,
      counters: this.#counters,
      writer: this.#writer,
      reader: this.#reader,
      frameByFrame: this.#tap !== undefined,
      cheapArraySize: config.cheapArraySize,
      events: this.#events,
    };
    this.#connection = new Connection(host, config, now);
  }

  // What the engine knows

  /** Where the connection stands. */
  get state(): "handshaking" | "open" | "closing" | "closed" {
    return this.#connection.state;
  }

  /** The negotiated highest channel number; 0 before tuning. */
  get channelMax(): number {
    return this.#connection.tuning.channelMax;
  }

  /** The negotiated size of the largest frame in bytes; 0 for no limit, and before tuning. */
  get frameMax(): number {
    return this.#connection.tuning.frameMax;
  }

  /** The negotiated heartbeat interval in seconds; 0 for none, and before tuning. */
  get heartbeat(): number {
    return this.#connection.tuning.heartbeat;
  }

  /** What the server says of itself; empty before `connection.start`. */
  get serverProperties(): FieldTable {
    return this.#connection.serverProperties;
  }

  /** The server's reason while it blocks this connection. */
  get blocked(): string | undefined {
    return this.#connection.blocked;
  }

  /** What was sent and received so far. The object is live: copy what you want to keep. */
  get counters(): EngineCounters {
    return this.#counters;
  }

  /** The channel with that number, unless its number is free. */
  channel(number: number): ChannelEngine | undefined {
    return this.#connection.channels.get(number);
  }

  // Inputs. All of them throw a UsageError INVALID_ARGUMENT for a time that is not a number.

  /**
   * Bytes arrived. The chunk is borrowed: the engine refers to it until {@link nextEvent} has returned `undefined`, or
   * {@link detachInput} was called. Bytes after the end of the connection are ignored.
   *
   * @throws UsageError LIMIT_REACHED when too many bytes wait to be parsed: ask for events until there are none, and
   * give the chunk again.
   */
  receive(chunk: Uint8Array, now: Millis): void {
    this.#learn(now);
    if (this.state === "closed" || this.#transportEnd !== undefined || chunk.length === 0) return;
    // What is left of a frame after everything was parsed has limits of its own, and must not keep its rest out.
    if (!this.#drained && this.#reader.unparsed + chunk.length > this.#limits.maxUnparsedInput) {
      throw new UsageError(
        "LIMIT_REACHED",
        `${this.#reader.unparsed} bytes wait to be parsed (limits.maxUnparsedInput)`,
      );
    }
    this.#connection.heard();
    this.#counters.bytesReceived += chunk.length;
    if (!this.#greeted && !this.#greet(chunk)) return;
    this.#reader.append(chunk);
    this.#drained = false;
  }

  /**
   * Memory that the next bytes may be read to, where that saves a copy: it belongs to a large body that is arriving.
   * `undefined`, mostly: read to wherever you like. Bytes that were read to its beginning are given to {@link receive} as
   * any others, as a view of it, and all that asks of the driver is to ask again before the next read: what this has
   * returned is of no use to it any more once anything was received.
   */
  readTarget(): Uint8Array | undefined {
    return this.#connection.channels.readTarget(this.#reader);
  }

  /** Copies what was received and not yet parsed, so that the chunks' memory may be used again. */
  detachInput(): void {
    this.#reader.detach();
  }

  /** The transport ended, with the cause where there is one. It takes its place behind the bytes already received. */
  transportClosed(now: Millis, cause?: unknown): void {
    this.#learn(now);
    this.#transportEnd ??= { cause };
  }

  /** Time passed: whatever is due happens. Calling it early, late or often does no harm. */
  advance(now: Millis): void {
    this.#learn(now);
    this.#connection.advance();
  }

  /**
   * Whether the driver reads from the transport. While it does not, the server's silence proves nothing, and no request
   * is late.
   */
  setReading(reading: boolean, now: Millis): void {
    this.#learn(now);
    this.#connection.setReading(reading);
  }

  // Commands

  /**
   * Opens a channel with the lowest free number, or with the one that is asked for.
   *
   * @throws UsageError ILLEGAL_STATE unless the connection is open; LIMIT_REACHED when no number is free;
   * INVALID_ARGUMENT when the number is taken or out of range.
   */
  openChannel(number?: number): ChannelEngine {
    return this.#connection.openChannel(number);
  }

  /**
   * Gives the server a new secret, such as a fresh OAuth 2 token. Several may wait for their answers.
   *
   * @throws UsageError ILLEGAL_STATE unless the connection is open; INVALID_ARGUMENT; LIMIT_REACHED.
   */
  updateSecret(secret: Uint8Array, reason: string): Request<"connection.update-secret"> {
    return this.#connection.updateSecret(secret, reason);
  }

  /**
   * Closes the connection. Its channels end at once, with CONNECTION_CLOSED; `closed` follows when the server has
   * answered, hung up, or let `closeTimeout` pass. Before the connection is open there is nobody to say farewell to,
   * and it ends at once. Does nothing when the connection is closing or closed.
   *
   * @throws UsageError INVALID_ARGUMENT when the farewell cannot be sent.
   */
  close(farewell: Farewell = {}): void {
    this.#connection.close(farewell);
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
      if (this.state === "closed") return undefined;
      const step = this.#step();
      if (step === undefined) return undefined;
      if (step !== "handled") return step;
    }
  }

  /** Takes what there is to send, in order. It belongs to the caller; the engine never writes to it again. */
  takeOutput(): Uint8Array[] {
    if (this.#writer.size === 0) return [];
    const { writable } = this;
    const output = this.#writer.take();
    if (!writable && this.writable && this.state !== "closed") this.#events.push({ type: "writable" });
    this.#connection.sent();
    this.#tap?.sent(output);
    return output;
  }

  /** Bytes of output that were not taken. */
  get outputSize(): number {
    return this.#writer.size;
  }

  /**
   * False from the high-water mark of output on, with what waits behind a commit: producers should wait for the `writable`
   * event, which follows when the output was taken. Nothing is refused before `limits.maxOutput`.
   */
  get writable(): boolean {
    return this.#writer.totalSize < this.#limits.outputHighWater;
  }

  /** Whether the engine is done with the transport: send what is left of the output, and end it. */
  get wantsClose(): boolean {
    return this.state === "closed";
  }

  /**
   * When to call {@link advance} and ask for events again, or `undefined`: not until something else happens. Ask after
   * every input, command and {@link takeOutput}. A time in the past means at once: an event waits, or a command was
   * given, which knows no time, so that what it started runs from then.
   */
  nextDeadline(): Millis | undefined {
    return this.#events.size > 0 ? this.#connection.now : this.#connection.deadline;
  }

  // How input becomes events

  /** One step of parsing. `"handled"`: something happened that is no event; `undefined`: nothing is left to handle. */
  #step(): ConnectionEvent | "handled" | undefined {
    try {
      if (this.#reader.next()) {
        this.#tap?.received(this.#reader);
        if (this.#reader.last) this.#counters.framesReceived += 1;
        return this.#connection.frame() ?? "handled";
      }
    } catch (error) {
      this.#connection.failed(error);
      return "handled";
    }
    this.#drained = true;
    if (this.#transportEnd === undefined) return undefined;
    this.#connection.transportLost(this.#transportEnd.cause);
    return "handled";
  }

  /** Looks at the first octets. Whether they begin a frame: a first octet that does is decided at once. */
  #greet(chunk: Uint8Array): boolean {
    try {
      this.#greeted = this.#connection.greet(chunk);
    } catch (error) {
      this.#connection.failed(error);
    }
    return this.#greeted;
  }

  #learn(now: Millis): void {
    checkTime(now);
    this.#connection.learn(now);
  }
}

/** A missing time would silently turn off every deadline. */
function checkTime(now: Millis): void {
  if (!Number.isFinite(now)) throw invalid("now", `is a time in milliseconds, not ${now}`);
}
