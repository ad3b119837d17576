/** A transport between a client and the embedded broker: a stream for the one, a driver's transport for the other. */

import { type ByteStream, type StreamHandler, StreamGate, TransportError, UsageError } from "@leveret/core/client";
import type { BrokerConnection, BrokerDriver, DriverLink, DriverTransport } from "../../broker/index.ts";
import { Pipe, type PipeOptions } from "../pipe.ts";
import type { Random } from "../random.ts";
import type { Millis, World } from "../world.ts";

/** What a link is made with. */
export interface LinkSurroundings {
  readonly world: World;
  readonly driver: BrokerDriver;
  readonly pipes: PipeOptions;
  /** Bytes on their way from which on a writer is asked to wait. */
  readonly highWater: number;
}

/** What becomes of a dial: the stream opens, is refused, or never hears anything. */
export type DialFate = "open" | "refused" | "silent";

/** One dial, and the connection that may come of it. */
export class SimulatedLink implements ByteStream {
  readonly #surroundings: LinkSurroundings;
  readonly #gate: StreamGate;
  readonly #up: Pipe;
  readonly #down: Pipe;
  #state: "opening" | "open" | "over" = "opening";
  #broker: DriverLink | undefined;
  #cause: TransportError | undefined;
  /** Nothing that the client writes arrives any more. */
  #muted = false;
  #clientOwed = false;
  #clientStoppedUntil: Millis = 0;
  #brokerOwed = false;
  #clientPaused = false;
  #clientHeld = 0;
  #brokerPaused = false;
  #brokerHeld: Uint8Array[] = [];
  #upOver = false;
  #whenForgotten: (() => void)[] = [];

  constructor(surroundings: LinkSurroundings, handler: StreamHandler, random: Random, fate: DialFate) {
    const { world, pipes } = surroundings;
    this.#surroundings = surroundings;
    this.#gate = new StreamGate(
      handler,
      (task) => void world.after(0, task),
      () => this.#drop(),
    );
    this.#up = new Pipe(world, random.fork(), pipes, {
      received: (chunk) => this.#arrivedAtBroker(chunk),
      ended: () => this.#endedAtBroker(),
    });
    this.#down = new Pipe(world, random.fork(), pipes, {
      received: (chunk) => this.#arrivedAtClient(chunk),
      ended: () => this.#endedAtClient(),
    });
    if (fate === "silent") return;
    world.after(random.int(0, pipes.latency), () => {
      if (this.#state !== "opening") return;
      if (fate === "open") this.#open();
      else this.#over(new TransportError("CONNECTION_REFUSED", "Nobody listens there", { phase: "tcp" }));
    });
  }

  // The client's end

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#state === "opening") throw new UsageError("ILLEGAL_STATE", "The stream is not open yet");
    if (this.#state === "over" || this.#muted) return true;
    this.#up.write(chunks);
    if (!this.#clientMustWait) return true;
    this.#clientOwed = true;
    return false;
  }

  pause(): void {
    this.#clientPaused = true;
    this.#gate.pause();
  }

  resume(): void {
    if (!this.#clientPaused) return;
    this.#clientPaused = false;
    this.#gate.resume();
    this.#surroundings.world.after(0, () => {
      if (this.#clientPaused) return;
      this.#clientHeld = 0;
      this.#wakeBroker();
    });
  }

  end(): void {
    if (this.#state === "opening") this.abort();
    else this.#up.end();
  }

  abort(): void {
    this.#gate.abort();
    this.#drop();
  }

  // What the simulation does to it

  /** Whether the client has not heard of the end. */
  get isOver(): boolean {
    return this.#state === "over";
  }

  get isOpening(): boolean {
    return this.#state === "opening";
  }

  /** Whether neither side knows of it any more. */
  get isForgotten(): boolean {
    return this.#state === "over" && this.#broker === undefined;
  }

  /** The broker's end, when the stream is open. */
  get brokerConnection(): BrokerConnection | undefined {
    return this.#broker?.connection;
  }

  /**
   * Calls back when the broker has read the last of what the client sent. That may be long after the client is gone: a
   * broker that is blocked leaves unread what it has received, and does all of it later.
   */
  whenForgotten(callback: () => void): void {
    if (this.#broker === undefined) callback();
    else this.#whenForgotten.push(callback);
  }

  /** Both directions are gone, with what was on its way. */
  cut(): void {
    if (this.#state === "opening") return;
    this.#cause ??= new TransportError("CONNECTION_RESET", "The link was cut");
    this.#up.cut();
    this.#down.cut();
  }

  /** Nothing arrives for that time, in one of the directions. */
  stall(direction: "up" | "down", duration: Millis): void {
    (direction === "up" ? this.#up : this.#down).stall(duration);
  }

  /** The transport takes no more output for that time. */
  stopWriting(duration: Millis): void {
    const { world } = this.#surroundings;
    this.#up.stall(duration);
    this.#clientStoppedUntil = Math.max(this.#clientStoppedUntil, world.now + duration);
    world.after(duration, () => this.#wakeClient());
  }

  /** Changes a bit on the way to the client. What the client says from then on is no longer heard. */
  corrupt(): void {
    this.#muted = true;
    this.#down.corrupt();
  }

  // Inside

  #open(): void {
    this.#state = "open";
    const transport: DriverTransport = {
      write: (chunks) => {
        this.#down.write(chunks);
        this.#brokerOwed ||= this.#brokerMustWait;
        return !this.#brokerMustWait;
      },
      pause: () => {
        this.#brokerPaused = true;
      },
      resume: () => {
        this.#brokerPaused = false;
        this.#surroundings.world.after(0, () => this.#releaseToBroker());
      },
      end: () => this.#down.end(),
      abort: () => {
        this.#up.cut();
        this.#down.cut();
      },
    };
    this.#broker = this.#surroundings.driver.attach(transport);
    this.#gate.opened();
  }

  #arrivedAtBroker(chunk: Uint8Array): void {
    if (this.#muted) return;
    if (this.#brokerPaused || this.#brokerHeld.length > 0) this.#brokerHeld.push(chunk.slice());
    else this.#broker?.received(chunk);
    this.#wakeClient();
  }

  #releaseToBroker(): void {
    while (!this.#brokerPaused && this.#brokerHeld.length > 0) {
      const chunk = this.#brokerHeld[0] as Uint8Array;
      this.#broker?.received(chunk);
      this.#brokerHeld.shift();
    }
    if (this.#upOver) this.#endedAtBroker();
  }

  #endedAtBroker(): void {
    this.#upOver = true;
    if (this.#brokerHeld.length > 0) return;
    const broker = this.#broker;
    this.#broker = undefined;
    broker?.closed();
    this.#down.end();
    for (const callback of this.#whenForgotten) callback();
    this.#whenForgotten = [];
  }

  #arrivedAtClient(chunk: Uint8Array): void {
    if (this.#clientPaused) this.#clientHeld += chunk.length;
    this.#gate.received(chunk);
    this.#wakeBroker();
  }

  #endedAtClient(): void {
    this.#up.end();
    this.#over(this.#cause);
  }

  #over(cause: TransportError | undefined): void {
    this.#state = "over";
    this.#gate.closed(cause);
  }

  #drop(): void {
    const wasOpen = this.#state === "open";
    this.#up.cut();
    this.#down.cut();
    if (wasOpen || this.#state === "over") return;
    this.#state = "over";
    this.#surroundings.world.after(0, () => this.#gate.closed());
  }

  get #clientMustWait(): boolean {
    return this.#up.inFlight > this.#surroundings.highWater || this.#surroundings.world.now < this.#clientStoppedUntil;
  }

  #wakeClient(): void {
    if (!this.#clientOwed || this.#clientMustWait) return;
    this.#clientOwed = false;
    this.#surroundings.world.after(0, () => this.#gate.writable());
  }

  get #brokerMustWait(): boolean {
    return this.#down.inFlight + this.#clientHeld > this.#surroundings.highWater;
  }

  #wakeBroker(): void {
    if (!this.#brokerOwed || this.#brokerMustWait) return;
    this.#brokerOwed = false;
    this.#broker?.writable();
  }
}
