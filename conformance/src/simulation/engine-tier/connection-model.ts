/** One connection of a simulated client: an engine, a link to the broker, and what the client expects of both. */

import { type ConnectionConfig, ConnectionEngine, type Request, UsageError } from "@leveret/core";
import type { BrokerConnection } from "../../broker/index.ts";
import type { Ledger } from "../ledger.ts";
import { Pipe, type PipeOptions } from "../pipe.ts";
import type { Random } from "../random.ts";
import { invariant } from "../violation.ts";
import type { Millis, World } from "../world.ts";
import type { BrokerSide } from "./broker-side.ts";
import { ChannelModel, type RequestModel } from "./channel-model.ts";
import { Expectations } from "./expectations.ts";
import { Recording } from "./replica.ts";

/** What a connection needs of its surroundings. */
export interface Surroundings {
  readonly world: World;
  readonly brokerSide: BrokerSide;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly config: ConnectionConfig;
  readonly pipes: PipeOptions;
  /** Whether the connection's life is recorded, to be played to a second engine. */
  readonly recorded: boolean;
}

/** How much output an engine may hold: what one burst of publishes makes, and no more. */
const largestOutput = 16 * 1024 * 1024;

export class ConnectionModel {
  readonly engine: ConnectionEngine;
  readonly brokerConnection: BrokerConnection;
  readonly up: Pipe;
  readonly down: Pipe;
  readonly #surroundings: Surroundings;
  readonly #recording: Recording | undefined;
  readonly #expectations: Expectations;
  #nextPublisher: () => number;
  #largestFrame = 0;
  #writable = true;
  #held: Uint8Array[] | undefined;
  #heldEnd = false;
  #wakeAt: Millis = Infinity;
  #cancelWake: (() => void) | undefined;

  constructor(surroundings: Surroundings, nextPublisher: () => number) {
    const { world, brokerSide, ledger, random, config, pipes, recorded } = surroundings;
    this.#surroundings = surroundings;
    this.#nextPublisher = nextPublisher;
    const tapped: ConnectionConfig = {
      ...config,
      tap: ({ direction, size }) => {
        if (direction === "out") this.#largestFrame = Math.max(this.#largestFrame, size);
      },
    };
    // A tap costs time: it watches those that are recorded.
    this.engine = new ConnectionEngine(recorded ? tapped : config, world.now);
    this.#recording = recorded ? new Recording(config, world.now) : undefined;
    const connection = brokerSide.broker.connect(world.now);
    // Who publishes while there is an alarm is not read from.
    this.#expectations = new Expectations(ledger, brokerSide.broker.alarm !== undefined);
    this.brokerConnection = connection;
    this.up = new Pipe(world, random.fork(), pipes, {
      received: (chunk) => {
        connection.receive(chunk, world.now);
        brokerSide.pump();
      },
      ended: () => {
        connection.transportClosed(world.now);
        this.down.cut();
        brokerSide.pump();
        this.#expectations.brokerHeardOfTheEnd();
      },
    });
    this.down = new Pipe(world, random.fork(), pipes, {
      received: (chunk) => this.#received(chunk),
      ended: () => this.#transportEnded(),
    });
    brokerSide.attach(connection, this.down);
    brokerSide.pump();
    this.pump();
  }

  /** The engine has said its last word. */
  get ended(): boolean {
    return this.#expectations.ended;
  }

  /** Whether the client does anything on its own: not before the connection is open, nor when it cannot trust what it hears. */
  get active(): boolean {
    return this.engine.state === "open" && !this.#expectations.poisoned;
  }

  /** The channels that are open, as the client believes. */
  get channels(): Map<number, ChannelModel> {
    return this.#expectations.channels;
  }

  /** Gives a command to the engine. */
  do<T>(command: (engine: ConnectionEngine) => T): T {
    const result = command(this.engine);
    this.#recording?.command(command);
    this.pump();
    return result;
  }

  /** Gives a command that is wrong: it throws, and has changed nothing. */
  misuse(command: (engine: ConnectionEngine) => unknown): void {
    const before = this.engine.outputSize;
    let thrown: unknown;
    try {
      command(this.engine);
    } catch (error) {
      thrown = error;
    }
    invariant(thrown instanceof UsageError, "bad input is a UsageError", () => String(thrown));
    invariant(
      this.engine.outputSize === before,
      "bad input sends nothing",
      () => `${this.engine.outputSize - before} bytes`,
    );
  }

  openChannel(): ChannelModel {
    const number = this.do((engine) => engine.openChannel().number);
    invariant(!this.channels.has(number), "a channel number is used by one channel", () => `number ${number}`);
    const channel = new ChannelModel(number, this.#nextPublisher());
    this.channels.set(number, channel);
    return channel;
  }

  /** Expects the end of a request of a channel. */
  expect(channel: ChannelModel, request: Request, model: RequestModel): void {
    this.#expectations.expect(channel, request, model);
  }

  updateSecret(): void {
    const request = this.do((engine) => engine.updateSecret(new Uint8Array([1, 2, 3]), "simulated"));
    this.#expectations.expect(undefined, request, {});
  }

  // What goes wrong

  /** Something happens that may end the connection. */
  disturb(): void {
    this.#expectations.disturbed = true;
  }

  /** Changes bits on the way to the client. */
  corrupt(): void {
    this.#expectations.poisoned = true;
    this.down.corrupt();
  }

  /** Both directions are gone, with what was on its way. */
  cut(): void {
    this.disturb();
    this.up.cut();
    this.down.cut();
  }

  /** The transport takes no more output for that time. */
  stopWriting(duration: Millis): void {
    this.#writable = false;
    this.#surroundings.world.after(duration, () => {
      this.#writable = true;
      this.pump();
    });
  }

  /** The client reads nothing for that time; what arrives is held by the transport. */
  stopReading(duration: Millis): void {
    if (this.#held !== undefined) return;
    this.#held = [];
    this.#setReading(false);
    this.#surroundings.world.after(duration, () => this.#readAgain());
  }

  #readAgain(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#setReading(true);
    for (const chunk of held) this.#received(chunk);
    if (this.#heldEnd) this.#transportEnded();
  }

  #setReading(reading: boolean): void {
    const { now } = this.#surroundings.world;
    this.do((engine) => engine.setReading(reading, now));
  }

  #received(chunk: Uint8Array): void {
    if (this.#held !== undefined) {
      this.#held.push(chunk.slice());
      return;
    }
    const { now } = this.#surroundings.world;
    this.#recording?.bytes(chunk, now);
    this.engine.receive(chunk, now);
    this.pump();
  }

  #transportEnded(): void {
    if (this.#held !== undefined) {
      this.#heldEnd = true;
      return;
    }
    const { now } = this.#surroundings.world;
    this.do((engine) => engine.transportClosed(now));
  }

  /** Handles events, moves output, and asks to be woken. */
  pump(): void {
    const { engine } = this;
    this.#drain();
    if (this.#writable) {
      const output = engine.takeOutput();
      if (this.#recording !== undefined) this.#recording.output(output);
      this.up.write(output);
      this.#drain();
    }
    const { frameMax } = engine;
    invariant(
      frameMax === 0 || this.#largestFrame <= frameMax,
      "no frame exceeds frame-max",
      () => `${this.#largestFrame} bytes`,
    );
    invariant(engine.outputSize <= largestOutput, "output stays within its limits", () => `${engine.outputSize} bytes`);
    if (engine.state === "closed") {
      if (this.#writable) this.up.end();
      this.#cancelWake?.();
      return;
    }
    this.#armWake();
  }

  #drain(): void {
    for (let event = this.engine.nextEvent(); event !== undefined; event = this.engine.nextEvent()) {
      this.#recording?.event(event);
      this.#expectations.judge(event);
    }
  }

  #armWake(): void {
    const { world } = this.#surroundings;
    const deadline = this.engine.nextDeadline();
    if (deadline === undefined || deadline >= this.#wakeAt) return;
    this.#cancelWake?.();
    this.#wakeAt = deadline;
    this.#cancelWake = world.at(deadline, () => {
      this.#wakeAt = Infinity;
      const { now } = world;
      this.do((engine) => engine.advance(now));
      const next = this.engine.nextDeadline();
      invariant(next === undefined || next > now, "deadlines advance", () => `${next} at ${now}`);
    });
  }

  /** At rest: nobody waits for an answer, unless something happened to the connection. */
  checkAnswered(): void {
    if (this.active && !this.#expectations.disturbed) this.#expectations.checkAnswered();
  }

  /** Once the run is over: plays the recording to a second engine. */
  checkReplica(): void {
    this.#recording?.check(this.#surroundings.random.fork());
  }
}
