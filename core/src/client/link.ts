/**
 * One transport with one engine: bytes in, events out to the owner, and everything that a turn of the loop produced out
 * again in one write. A connection that recovers has one link after another.
 */

import type { ConnectionConfig, Millis } from "../engine/config.ts";
import { ConnectionEngine } from "../engine/connection-engine.ts";
import type { ConnectionEvent } from "../engine/events.ts";
import type { ByteStream, Endpoint, IoServices, StreamHandler, TransportError } from "./io-services.ts";

/** Output from which a turn's write does not wait for the end of the turn. */
const writeAtOnce = 64 * 1024;

/**
 * While an application publishes turn after turn and hears nothing, little output waits for more, as in Nagle's algorithm:
 * a write costs many times what a message does. It leaves with the first turn that adds nothing, after so many turns, and
 * so long after the last write.
 */
const littleOutput = 8 * 1024;
const mostTurnsToGather = 16;
const longestGathering: Millis = 0.2;

/** A chunk is given to the engine in parts of this size at most, so that no chunk reaches a limit of the engine's. */
const largestPart = 1024 * 1024;

/** How long the peer has for ending its side of the transport, once AMQP is over. */
const lingerTime: Millis = 1000;

/** How often a paused link reads one chunk, while somebody waits for an answer that may be behind the deliveries. */
const peekInterval: Millis = 10;

/**
 * How often while the server does not read: then hardly anything is answered, and what is read has to be kept. But the end of
 * the block is behind deliveries too: so many bytes are read as often as else.
 */
const blockedPeekInterval: Millis = 1000;
const quicklyPeeked = 64 * 1024 * 1024;

/** Whoever a link works for. No method is called from inside the engine, and none may throw. */
export interface LinkOwner {
  /** An event of the engine. */
  handle(event: ConnectionEvent): void;
  /** Whether somebody waits for an answer of the server. */
  expectsAnswers(): boolean;
  /** The transport of `link` is closed, and the engine too. Once and last. */
  ended(link: Link): void;
}

/** What waits for the end of the turn to give the engine its commands. */
export interface TurnEnd {
  endOfTurn(): void;
}

export class Link implements StreamHandler {
  readonly engine: ConnectionEngine;
  owner: LinkOwner;
  readonly #io: IoServices;
  #stream: ByteStream | undefined;
  #transport: "opening" | "open" | "closed" = "opening";
  #wasOpen = false;
  #streamWritable = true;
  #ending = false;
  #draining = false;
  #turnPosted = false;
  /** Whether something was received since the last write, when that was, and what waits since for more. */
  #heard = true;
  #wroteAt: Millis = -Infinity;
  #gathered = 0;
  #turnsGathering = 0;
  #pauses = 0;
  /** Bytes that were peeked at since the server blocked the connection. */
  #peeked = 0;
  #peeking = false;
  #atTurnEnd: TurnEnd[] | undefined;
  #timerAt = Infinity;
  #cancelTimer: (() => void) | undefined;
  #cancelLinger: (() => void) | undefined;
  #cancelPeek: (() => void) | undefined;

  /** @throws UsageError INVALID_ARGUMENT when the configuration makes no sense. */
  constructor(io: IoServices, config: ConnectionConfig, owner: LinkOwner) {
    this.#io = io;
    this.owner = owner;
    this.engine = new ConnectionEngine(config, io.now());
  }

  /**
   * Begins to connect.
   *
   * @throws UsageError when the runtime cannot honour an option of the endpoint.
   */
  connect(endpoint: Endpoint): void {
    this.#stream = this.#io.connect(endpoint, this);
    this.#armTimer();
  }

  /** Whether the transport is open, or was: TCP, and TLS where it is used. */
  get wasOpen(): boolean {
    return this.#wasOpen;
  }

  /** Whether the transport is closed. */
  get isClosed(): boolean {
    return this.#transport === "closed";
  }

  /** Drops the transport. `ended` follows. */
  abort(): void {
    this.#stream?.abort();
  }

  /**
   * To be called after every command to the engine: what it produced leaves at the end of this turn. The first that
   * follows on something heard is mostly an answer, or a call that waited for one: nothing else is expected to join it.
   */
  touch(): void {
    // A stream that takes nothing now is not worth asking a clock, for every message that waits for it.
    if (this.#streamWritable && this.engine.outputSize >= writeAtOnce) this.#write(this.#io.now());
    if (this.#turnPosted) return;
    this.#turnPosted = true;
    if (this.#heard && this.#io.afterMicrotasks !== undefined) this.#io.afterMicrotasks(this.#turn);
    else this.#io.post(this.#turn);
  }

  /** Calls `task.endOfTurn` before this turn's output leaves. */
  beforeTurnEnds(task: TurnEnd): void {
    (this.#atTurnEnd ??= []).push(task);
    this.touch();
  }

  /** Gives the engine now what waits for the end of the turn. */
  endTurnEarly(): void {
    const tasks = this.#atTurnEnd;
    if (tasks === undefined) return;
    this.#atTurnEnd = undefined;
    for (const task of tasks) task.endOfTurn();
  }

  /** Stops reading until {@link resume} was called as often. Silence of the server proves nothing meanwhile. */
  pause(): void {
    this.#pauses += 1;
    if (this.#pauses > 1 || this.#transport !== "open" || this.#ending) return;
    this.#setReading(false);
    this.#peekLater();
  }

  resume(): void {
    this.#pauses -= 1;
    if (this.#pauses > 0 || this.#transport !== "open" || this.#ending) return;
    this.#cancelPeek?.();
    this.#peeking = false;
    this.#setReading(true);
  }

  /** The server has answered our farewell: AMQP leaves it to us to close the transport, and nothing is left to wait for. */
  farewellAnswered(): void {
    if (this.#transport === "open") this.#end(true);
  }

  // What the transport says

  opened(): void {
    this.#transport = "open";
    this.#wasOpen = true;
    this.#turn();
  }

  received(chunk: Uint8Array): void {
    this.#heard = true;
    if (chunk.length <= largestPart) {
      this.#take(chunk);
    } else {
      for (let at = 0; at < chunk.length; at += largestPart) this.#take(chunk.subarray(at, at + largestPart));
    }
    if (this.#peeking) this.#stopPeeking(chunk.length);
    // Deliveries that are not answered in this turn need no end of it.
    const ends = this.engine.wantsClose && !this.#ending;
    if (this.engine.outputSize > 0 || this.#atTurnEnd !== undefined || ends || this.#isDue()) this.touch();
    else if (!this.#turnPosted) this.#armTimer();
  }

  /** Whether something is due whose timer did not fire: in a page in the background bytes come, and timers hardly. */
  #isDue(): boolean {
    const deadline = this.engine.nextDeadline();
    return deadline !== undefined && deadline <= this.#io.now();
  }

  #take(part: Uint8Array): void {
    try {
      this.engine.receive(part, this.#io.now());
      this.#drain();
    } catch (error) {
      this.#broken(error);
    } finally {
      // The chunk is only lent: what is left of it, mostly the beginning of a frame, is kept as a copy.
      this.engine.detachInput();
    }
  }

  readTarget(): Uint8Array | undefined {
    return this.engine.readTarget();
  }

  writable(): void {
    this.#streamWritable = true;
    this.#turn();
  }

  closed(cause?: TransportError): void {
    this.#transport = "closed";
    this.#cancelTimer?.();
    this.#cancelLinger?.();
    this.#cancelPeek?.();
    this.engine.transportClosed(this.#io.now(), cause);
    try {
      this.#drain();
    } finally {
      this.owner.ended(this);
    }
  }

  /** The engine refused input, or has a bug. Whatever it was, the connection is lost to us, and nobody may hang. */
  #broken(error: unknown): void {
    this.engine.transportClosed(this.#io.now(), error);
    this.abort();
  }

  // The turn of the loop

  readonly #turn = (): void => {
    this.#turnPosted = false;
    if (this.#transport === "closed") return;
    const now = this.#io.now();
    this.endTurnEarly();
    this.engine.advance(now);
    this.#drain();
    if (this.#gathers(now)) return this.touch();
    this.#write(now);
    this.#drain();
    if (this.engine.wantsClose) this.#end();
    else this.#armTimer();
  };

  /** Hands events to the owner until there are none. An event's handling may give commands, whose events come in turn. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (;;) {
        const event = this.engine.nextEvent();
        if (event === undefined) return;
        this.owner.handle(event);
      }
    } finally {
      this.#draining = false;
    }
  }

  /** Whether what there is to write waits for the next turn to add to it. */
  #gathers(now: Millis): boolean {
    const size = this.engine.outputSize;
    const grows = size > this.#gathered && size < littleOutput;
    if (!grows || this.#heard || this.#turnsGathering >= mostTurnsToGather) return false;
    if (now - this.#wroteAt > longestGathering || this.engine.state !== "open") return false;
    this.#gathered = size;
    this.#turnsGathering += 1;
    return true;
  }

  #write(now: Millis): void {
    if (this.#transport !== "open" || !this.#streamWritable || this.#ending || this.engine.outputSize === 0) return;
    this.#heard = false;
    this.#wroteAt = now;
    this.#gathered = 0;
    this.#turnsGathering = 0;
    this.#streamWritable = this.#stream?.write(this.engine.takeOutput()) ?? true;
  }

  /** AMQP is over: what is left is sent, and the peer gets a moment to end its side. */
  #end(answered?: boolean): void {
    if (this.#ending) return;
    if (this.#transport === "opening") return this.abort();
    const rest = this.engine.takeOutput();
    if (rest.length > 0) this.#stream?.write(rest);
    this.#ending = true;
    this.#cancelTimer?.();
    this.#cancelPeek?.();
    // The end of the transport is reported to those who read.
    if (this.#pauses > 0) this.#stream?.resume();
    this.#stream?.end(answered);
    this.#cancelLinger = this.#io.setTimer(lingerTime, () => this.abort());
  }

  // Time

  /** One timer, for the earliest deadline. Deadlines that move away leave it alone: it fires, and is set anew. */
  #armTimer(): void {
    const deadline = this.engine.nextDeadline();
    if (deadline === undefined || deadline >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = deadline;
    this.#cancelTimer = this.#io.setTimer(Math.max(0, deadline - this.#io.now()), this.#timeUp);
  }

  readonly #timeUp = (): void => {
    this.#timerAt = Infinity;
    this.#cancelTimer = undefined;
    this.#turn();
  };

  // A reader that is paused

  /**
   * A handler may wait for an answer, such as a confirm, that is behind deliveries nobody has room for; the buffer that
   * it fills would then never be emptied. So as long as answers are expected, a chunk is read now and then.
   */
  #peek(): void {
    this.#peekLater();
    if (this.#peeking || !this.owner.expectsAnswers()) return;
    this.#peeking = true;
    this.#setReading(true);
  }

  #peekLater(): void {
    if (this.engine.blocked === undefined) this.#peeked = 0;
    const isQuick = this.#peeked < quicklyPeeked;
    this.#cancelPeek = this.#io.setTimer(isQuick ? peekInterval : blockedPeekInterval, () => this.#peek());
  }

  #stopPeeking(size: number): void {
    this.#peeking = false;
    this.#peeked += size;
    if (this.#pauses > 0 && !this.#ending && this.#transport === "open") this.#setReading(false);
  }

  #setReading(reading: boolean): void {
    this.engine.setReading(reading, this.#io.now());
    if (reading) this.#stream?.resume();
    else this.#stream?.pause();
  }
}
