/** Conversations with a broker, frame by frame: one script, any broker, and a transcript to compare. */

import {
  type Arguments,
  type BasicProperties,
  type ClientMethodName,
  encodeProperties,
  frameEnd,
  type MethodName,
  Output,
  protocolHeader,
  writeContent,
  writeMethod,
} from "@leveret/core/wire";
import type { Peer, Pipe } from "./peer.ts";
import { Transcriber } from "./transcript.ts";

/** Something to say to a broker. */
export interface Conversation {
  readonly name: string;
  /** Versions of RabbitMQ that it makes no sense with. */
  readonly not?: readonly string[];
  run(talk: Talk): Promise<void>;
}

/** How a connection introduces itself. */
export interface ConnectOptions {
  readonly user?: string;
  readonly password?: string;
  readonly virtualHost?: string;
  readonly frameMax?: number;
  readonly channelMax?: number;
  readonly heartbeat?: number;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  /** Stop before `connection.start-ok`, `connection.tune-ok` or `connection.open`. */
  readonly until?: "start" | "tune" | "open";
}

/** The longest wait for an answer. */
const patience = 4000;
const step = 10;

/** Holds a conversation, and returns what was heard. */
export async function hold(conversation: Conversation, peer: Peer): Promise<readonly string[]> {
  const talk = new Talk(peer);
  try {
    await conversation.run(talk);
    await talk.settle();
  } finally {
    await talk.cleanUp();
  }
  return talk.lines;
}

/** The client's part of a conversation. */
export class Talk {
  readonly lines: string[] = [];
  readonly peer: Peer;
  readonly #connections: WireConnection[] = [];
  /** What was declared, to be deleted afterwards. */
  readonly declared = { queues: new Set<string>(), exchanges: new Set<string>() };

  constructor(peer: Peer) {
    this.peer = peer;
  }

  /** Opens a connection, or begins to. What the broker says until it is open is left out, but for a failure. */
  async connect(options: ConnectOptions = {}): Promise<WireConnection> {
    const connection = await this.dial();
    await connection.handshake(options);
    return connection;
  }

  /** Opens a transport, and sends nothing. */
  async dial(): Promise<WireConnection> {
    const name = String.fromCharCode(0x41 + this.#connections.length);
    const connection = new WireConnection(name, this);
    this.#connections.push(connection);
    await connection.dial();
    return connection;
  }

  /** Lets time pass, and takes down what was heard. */
  async wait(milliseconds: number): Promise<void> {
    await this.peer.wait(milliseconds);
    await this.settle();
  }

  /** Waits until nothing more is heard, and takes it down, connection by connection. */
  async settle(): Promise<void> {
    const heard = (): number => this.#connections.reduce((sum, { frames }) => sum + frames, 0);
    for (let before = -1; before !== heard(); ) {
      before = heard();
      await this.peer.wait(this.peer.quiet);
    }
    for (const connection of this.#connections) connection.takeDown();
  }

  /** Closes everything, and deletes what was declared. */
  async cleanUp(): Promise<void> {
    for (const connection of this.#connections) connection.hangUp();
    await this.peer.wait(this.peer.quiet);
    const { queues, exchanges } = this.declared;
    if (queues.size === 0 && exchanges.size === 0) return;
    const broom = new WireConnection("broom", this);
    await broom.dial();
    await broom.handshake({});
    let channel = 0;
    for (const queue of queues) {
      channel += 1;
      await broom.open(channel);
      await broom.call(channel, "queue.delete", { queue });
    }
    for (const exchange of exchanges) {
      channel += 1;
      await broom.open(channel);
      await broom.call(channel, "exchange.delete", { exchange });
    }
    broom.hangUp();
  }
}

/** One connection of a conversation. */
export class WireConnection {
  readonly #name: string;
  readonly #talk: Talk;
  readonly #transcriber = new Transcriber();
  #pipe: Pipe | undefined;
  #isOver = false;
  #frameMax = 131_072;

  constructor(name: string, talk: Talk) {
    this.#name = name;
    this.#talk = talk;
  }

  get frames(): number {
    return this.#transcriber.frames;
  }

  async dial(): Promise<void> {
    this.#pipe = await this.#talk.peer.connect({
      received: (bytes) => this.#transcriber.receive(bytes),
      ended: () => {
        if (this.#isOver) return;
        this.#isOver = true;
        this.#transcriber.ended();
      },
    });
  }

  async handshake(options: ConnectOptions): Promise<void> {
    const { user = "guest", password = "guest", until } = options;
    this.#frameMax = options.frameMax ?? this.#frameMax;
    await this.#answered(() => this.sendBytes(protocolHeader));
    this.#leaveOut("connection.start ");
    if (until === "start") return;
    await this.#answered(() =>
      this.#write(0, "connection.start-ok", {
        clientProperties: {
          capabilities: options.capabilities ?? {
            authentication_failure_close: true,
            "connection.blocked": true,
            consumer_cancel_notify: true,
          },
        },
        mechanism: "PLAIN",
        response: new TextEncoder().encode(`\0${user}\0${password}`),
        locale: "en_US",
      }),
    );
    this.#leaveOut("connection.tune ");
    if (until === "tune" || this.#isOver) return;
    this.#write(0, "connection.tune-ok", {
      channelMax: options.channelMax ?? 2047,
      frameMax: this.#frameMax,
      heartbeat: options.heartbeat ?? 0,
    });
    if (until === "open") return;
    await this.#answered(() => this.#write(0, "connection.open", { virtualHost: options.virtualHost ?? "/" }));
    this.#leaveOut("connection.open-ok");
  }

  /** Opens a channel; that it works goes without saying. */
  async open(channel: number): Promise<void> {
    await this.#answered(() => this.#write(channel, "channel.open", {}));
    this.#leaveOut("channel.open-ok");
  }

  /** Sends a method, and waits until the broker has said something, and then no more. */
  async call<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): Promise<void> {
    await this.#answered(() => this.tell(channel, name, fields));
  }

  /** Sends a method, and waits for nothing. */
  tell<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): void {
    this.#note(name, fields as Record<string, unknown>);
    this.#write(channel, name, fields);
  }

  /** Sends a message. */
  publish(
    channel: number,
    message: {
      readonly exchange?: string;
      readonly routingKey: string;
      readonly mandatory?: boolean;
      readonly properties?: BasicProperties;
      readonly body?: string;
    },
  ): void {
    const { exchange = "", routingKey, mandatory = false, properties = {}, body = "" } = message;
    this.#write(channel, "basic.publish", { exchange, routingKey, mandatory });
    this.#transcriber.published(channel);
    const output = new Output();
    const octets = new TextEncoder().encode(body);
    writeContent(output, channel, encodeProperties(properties), octets, this.#frameMax);
    for (const piece of output.take()) this.sendBytes(piece);
  }

  /** Sends a frame, whatever it is. */
  frame(type: number, channel: number, payload: Uint8Array, end: number = frameEnd): void {
    const frame = new Uint8Array(payload.length + 8);
    const view = new DataView(frame.buffer);
    view.setUint8(0, type);
    view.setUint16(1, channel);
    view.setUint32(3, payload.length);
    frame.set(payload, 7);
    frame[payload.length + 7] = end;
    this.sendBytes(frame);
  }

  sendBytes(bytes: Uint8Array): void {
    this.#pipe?.send(bytes);
  }

  /** Waits for the end of the stream. */
  async ended(): Promise<void> {
    for (let waited = 0; !this.#isOver && waited < patience; waited += step) await this.#talk.peer.wait(step);
    if (!this.#isOver) this.#talk.lines.push(`${this.#name} STILL OPEN`);
    await this.#talk.settle();
  }

  /** Drops the transport. */
  hangUp(): void {
    this.#isOver = true;
    this.#pipe?.close();
  }

  /** Adds what was heard to the transcript. */
  takeDown(): void {
    for (const line of this.#transcriber.take()) this.#talk.lines.push(`${this.#name} ${line}`);
  }

  async #answered(send: () => void): Promise<void> {
    const before = this.frames;
    send();
    for (let waited = 0; this.frames === before && !this.#isOver && waited < patience; waited += step) {
      await this.#talk.peer.wait(this.#talk.peer.quiet === 0 ? 0 : 1);
      if (this.#talk.peer.quiet === 0) break;
    }
    await this.#talk.settle();
  }

  #write<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): void {
    const output = new Output();
    writeMethod(output, channel, name, fields, 0);
    for (const piece of output.take()) this.sendBytes(piece);
  }

  #leaveOut(start: string): void {
    const { lines } = this.#talk;
    const index = lines.findLastIndex((line) => line.slice(line.indexOf(" ", 2) + 1).startsWith(start));
    if (index >= 0) lines.splice(index, 1);
  }

  #note(name: MethodName | ClientMethodName, fields: Record<string, unknown>): void {
    const { queues, exchanges } = this.#talk.declared;
    if (name === "queue.declare" && fields.queue !== "") queues.add(String(fields.queue));
    if (name === "exchange.declare" && !String(fields.exchange).startsWith("amq."))
      exchanges.add(String(fields.exchange));
  }
}
