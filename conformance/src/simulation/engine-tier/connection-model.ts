/** One connection of a simulated client: an engine, a link to the broker, and what the client believes to be so. */

import {
  type ChannelClosedEvent,
  type ClosedEvent,
  type ConnectionConfig,
  ConnectionEngine,
  type ConnectionEvent,
  type DeliverEvent,
  type GetOkEvent,
  type Request,
  UsageError,
} from "@leveret/core";
import type { BrokerConnection } from "../../broker/index.ts";
import type { Arrival, Ledger } from "../ledger.ts";
import { Pipe, type PipeOptions } from "../pipe.ts";
import type { Random } from "../random.ts";
import { invariant } from "../violation.ts";
import type { Millis, World } from "../world.ts";
import type { BrokerSide } from "./broker-side.ts";
import { ChannelModel, type HeldMessage, type RequestModel } from "./channel-model.ts";
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

/** The reply code of channel closes that the simulation orders. */
export const orderedClose = 311;

/** What may end a channel by the server's word: a queue that somebody deleted, or an order of the simulation. */
const expectedChannelCodes: readonly (number | undefined)[] = [404, orderedClose];

/** What may end a connection whose bytes were not changed on the way. */
const expectedEnds: readonly string[] = [
  "CONNECTION_LOST",
  "CONNECTION_CLOSED_BY_SERVER",
  "HEARTBEAT_TIMEOUT",
  // Without heartbeats, of a broker that is frozen.
  "REQUEST_TIMEOUT",
  "HANDSHAKE_TIMEOUT",
  "CLOSE_TIMEOUT",
];

/** How much output an engine may hold: what one burst of publishes makes, and no more. */
const largestOutput = 16 * 1024 * 1024;

export class ConnectionModel {
  readonly engine: ConnectionEngine;
  readonly channels: Map<number, ChannelModel> = new Map();
  readonly brokerConnection: BrokerConnection;
  readonly up: Pipe;
  readonly down: Pipe;
  readonly #surroundings: Surroundings;
  readonly #recording: Recording | undefined;
  readonly #requests = new Map<Request, RequestModel>();
  #nextPublisher: () => number;
  #ended = false;
  /** Something happened to the connection that may end it. Otherwise nothing does. */
  disturbed: boolean;
  /** Bits were changed on the way to the client: nothing that it hears can be believed any more. */
  poisoned = false;
  #largestFrame = 0;
  #writable = true;
  #held: Uint8Array[] | undefined;
  #heldEnd = false;
  #wakeAt: Millis = Infinity;
  #cancelWake: (() => void) | undefined;
  /** Requests that were not answered: what is on its way may still be carried out, until the broker hears our end. */
  #pending: RequestModel[] = [];
  #mayReachBroker = true;

  constructor(surroundings: Surroundings, nextPublisher: () => number) {
    const { world, brokerSide, random, config, pipes, recorded } = surroundings;
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
    this.disturbed = brokerSide.broker.alarm !== undefined;
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
        this.#mayReachBroker = false;
        for (const { ended } of this.#pending.splice(0)) ended?.();
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
    return this.#ended;
  }

  /** Whether the client does anything on its own: not before the connection is open, nor when it cannot trust what it hears. */
  get active(): boolean {
    return this.engine.state === "open" && !this.poisoned;
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
    channel.requests.set(request, model);
  }

  updateSecret(): void {
    const request = this.do((engine) => engine.updateSecret(new Uint8Array([1, 2, 3]), "simulated"));
    this.#requests.set(request, {});
  }

  // The transport

  /** Both directions are gone, with what was on its way. */
  cut(): void {
    this.disturbed = true;
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
      this.#handle(event);
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

  // Events

  #handle(event: ConnectionEvent): void {
    invariant(!this.#ended, "closed is the last event", () => `${event.type} came after it`);
    if (event.type === "closed") return this.#closed(event);
    if (event.type === "channel-closed") return this.#channelClosed(event);
    if (this.poisoned) return;
    switch (event.type) {
      case "open":
      case "connection.blocked":
      case "connection.unblocked":
      case "writable":
        return;
      case "reply":
        if (event.channel === 0) return this.#answered(this.#requests, event.request);
        return this.#answered(this.#channel(event.channel).requests, event.request);
      case "basic.get-ok":
        this.#got(event);
        return this.#answered(this.#channel(event.channel).requests, event.request);
      case "channel-open":
        this.#channel(event.channel).state = "open";
        return;
      case "basic.deliver":
        return this.#delivered(event);
      case "basic.return":
        return this.#surroundings.ledger.returned(idOf(event.content.properties.messageId));
      case "basic.cancel":
        this.#channel(event.channel).consumers.delete(event.consumerTag);
        return;
      case "channel.flow":
        return;
      case "settled":
        for (let sequence = event.first; sequence <= event.last; sequence += 1) {
          const { unconfirmed } = this.#channel(event.channel);
          const id = unconfirmed.get(sequence);
          invariant(id !== undefined, "a publish is settled once, after it was sent", () => `sequence ${sequence}`);
          unconfirmed.delete(sequence);
          this.#surroundings.ledger.settle(id, event.outcome);
        }
    }
  }

  #delivered(event: DeliverEvent): void {
    const channel = this.#channel(event.channel);
    const consumer = channel.consumers.get(event.consumerTag);
    const id = idOf(event.content.properties.messageId);
    // A cancelled consumer still gets what was on its way. It is settled like any other.
    if (consumer === undefined) {
      channel.unsettled.set(event.deliveryTag, { id, queue: undefined });
      return;
    }
    const { queue } = consumer;
    this.#surroundings.ledger.delivered(id, arrivalOf(event, queue), consumer.seen);
    checkBody(id, event.content.body);
    if (consumer.noAck) this.#surroundings.ledger.mayBeGone(id, queue);
    else this.#outstanding(channel, event.deliveryTag, { id, queue });
  }

  #got(event: GetOkEvent): void {
    const id = idOf(event.content.properties.messageId);
    const channel = this.#channel(event.channel);
    const queue = channel.requests.get(event.request)?.queue;
    invariant(queue !== undefined, "a message that was got was asked for", () => `message ${id}`);
    this.#surroundings.ledger.delivered(id, { ...arrivalOf(event, queue), redelivered: true }, new Map());
    checkBody(id, event.content.body);
    this.#outstanding(channel, event.deliveryTag, { id, queue });
  }

  #outstanding(channel: ChannelModel, deliveryTag: number, message: HeldMessage): void {
    invariant(!channel.unsettled.has(deliveryTag), "a delivery tag is used once", () => `tag ${deliveryTag}`);
    channel.unsettled.set(deliveryTag, message);
  }

  #answered(requests: Map<Request, RequestModel>, request: Request): void {
    const model = requests.get(request);
    invariant(model !== undefined, "a request ends once", () => request.method);
    requests.delete(request);
    model.answered?.();
    model.ended?.();
  }

  #unanswered(expected: Map<Request, RequestModel>, requests: readonly Request[]): void {
    for (const request of requests) {
      invariant(expected.has(request) || this.poisoned, "a request ends once", () => request.method);
      this.#notAnswered(expected.get(request));
      expected.delete(request);
    }
    // Answers to a client that believes nothing were not looked at.
    if (this.poisoned) {
      for (const model of expected.values()) this.#notAnswered(model);
      return;
    }
    invariant(expected.size === 0, "every request ends", () => [...expected.keys()].map(({ method }) => method).join());
  }

  #notAnswered(model: RequestModel | undefined): void {
    if (model === undefined) return;
    if (this.#mayReachBroker) this.#pending.push(model);
    else model.ended?.();
  }

  #channelClosed({ channel: number, error, requests }: ChannelClosedEvent): void {
    const channel = this.#channel(number);
    this.channels.delete(number);
    this.#unanswered(channel.requests, requests);
    if (this.poisoned || error === undefined || error.name === "ConnectionError") return;
    invariant(error.code !== "REQUEST_TIMEOUT" || this.disturbed, "a request is answered in time", () => error.message);
    if (error.code !== "CHANNEL_CLOSED_BY_SERVER") return;
    invariant(expectedChannelCodes.includes(error.replyCode), "the server finds nothing wrong", () => error.message);
  }

  #closed({ error, requests }: ClosedEvent): void {
    this.#ended = true;
    invariant(this.channels.size === 0, "channels end before their connection", () => [...this.channels.keys()].join());
    this.#unanswered(this.#requests, requests);
    if (this.poisoned || error === undefined) return;
    invariant(
      this.disturbed,
      "a connection lives until something happens to it",
      () => `${error.code} ${error.message}`,
    );
    invariant(
      expectedEnds.includes(error.code),
      "a connection ends for a reason that was given",
      () => `${error.code} ${error.message}`,
    );
    const forced = error.replyCode === undefined || error.replyCode === 320;
    invariant(forced, "the server finds nothing wrong", () => error.message);
  }

  #channel(number: number): ChannelModel {
    const channel = this.channels.get(number);
    invariant(channel !== undefined, "events are of channels that there are", () => `channel ${number}`);
    return channel;
  }

  /** At rest: nobody waits for an answer, unless something happened to the connection. */
  checkAnswered(): void {
    if (!this.active || this.disturbed) return;
    const waiting = [this.#requests, ...[...this.channels.values()].map(({ requests }) => requests)];
    for (const requests of waiting) {
      invariant(requests.size === 0, "every request is answered", () =>
        [...requests.keys()].map(({ method }) => method).join(),
      );
    }
    for (const { unconfirmed } of this.channels.values()) {
      invariant(unconfirmed.size === 0, "every publish is confirmed", () => [...unconfirmed.values()].join());
    }
  }

  /** Once the run is over: plays the recording to a second engine. */
  checkReplica(): void {
    this.#recording?.check(this.#surroundings.random.fork());
  }
}

function arrivalOf(event: DeliverEvent | GetOkEvent, queue: string): Arrival {
  const { exchange, routingKey, redelivered, content } = event;
  return { queue, exchange, routingKey, redelivered, properties: content.properties, bodySize: content.body.length };
}

function idOf(messageId: string | undefined): number {
  invariant(messageId !== undefined && /^\d+$/.test(messageId), "a message keeps its properties", () =>
    String(messageId),
  );
  return Number(messageId);
}

/** The body of a message: as many octets as were asked for, each telling of the id and its place. */
export function bodyOf(id: number, size: number): Uint8Array {
  const body = new Uint8Array(size);
  for (let at = 0; at < size; at += 1) body[at] = octetAt(id, at);
  return body;
}

function checkBody(id: number, body: Uint8Array): void {
  for (let at = 0; at < body.length; at += 1) {
    if (body[at] !== octetAt(id, at)) {
      invariant(false, "a body arrives as it was sent", () => `octet ${at} of message ${id}`);
    }
  }
}

function octetAt(id: number, at: number): number {
  return (id * 31 + at) & 0xff;
}
