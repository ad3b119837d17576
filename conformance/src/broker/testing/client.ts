/** A client that says what it is told and hears everything in order, without a promise. */

import {
  type Arguments,
  type BasicProperties,
  encodeProperties,
  type MethodName,
  Output,
  protocolHeader,
  writeContent,
  writeHeartbeat,
  writeMethod,
} from "@leveret/core/wire";
import type { Broker } from "../broker.ts";
import { concat } from "../codec/octets.ts";
import type { BrokerConnection } from "../connection/connection.ts";
import type { PeerOptions } from "../connection/host.ts";
import { Transcriber } from "./transcript.ts";

/** A broker, its clock, and the clients on it. */
export class World {
  readonly broker: Broker;
  now = 1_700_000_000_000;

  constructor(broker: Broker) {
    this.broker = broker;
  }

  /** Lets time pass, deadline by deadline. */
  pass(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let next = this.broker.nextDeadline(); next !== undefined && next <= end; next = this.broker.nextDeadline()) {
      this.now = Math.max(this.now, next);
      this.broker.advance(this.now);
    }
    this.now = end;
    this.broker.advance(end);
  }

  /** A client whose connection is open, and which has channel 1. */
  client(options: ClientOptions = {}): TestClient {
    const client = this.stranger(options);
    client.login(options);
    client.send(1, "channel.open", {});
    client.heard();
    return client;
  }

  /** A client that has said nothing yet. */
  stranger(options: ClientOptions = {}): TestClient {
    return new TestClient(this, this.broker.connect(this.now, options.peer));
  }
}

export interface ClientOptions {
  readonly peer?: PeerOptions;
  readonly user?: string;
  readonly password?: string;
  readonly virtualHost?: string;
  readonly heartbeat?: number;
  readonly frameMax?: number;
  readonly capabilities?: Readonly<Record<string, boolean>>;
}

const everyCapability = {
  authentication_failure_close: true,
  "connection.blocked": true,
  consumer_cancel_notify: true,
};

export class TestClient {
  readonly connection: BrokerConnection;
  readonly #world: World;
  readonly #transcriber = new Transcriber({ isRaw: true });
  #frameMax = 131_072;

  constructor(world: World, connection: BrokerConnection) {
    this.#world = world;
    this.connection = connection;
  }

  login(options: ClientOptions = {}): void {
    const { user = "guest", password = "guest", virtualHost = "/", heartbeat = 0 } = options;
    this.#frameMax = options.frameMax ?? this.#frameMax;
    this.bytes(protocolHeader);
    this.send(0, "connection.start-ok", {
      clientProperties: { capabilities: options.capabilities ?? everyCapability },
      mechanism: "PLAIN",
      response: new TextEncoder().encode(`\0${user}\0${password}`),
      locale: "en_US",
    });
    this.send(0, "connection.tune-ok", { channelMax: 2047, frameMax: this.#frameMax, heartbeat });
    this.send(0, "connection.open", { virtualHost });
  }

  send<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): void {
    const output = new Output();
    writeMethod(output, channel, name, fields, 0);
    this.#sendAll(output);
  }

  /** Publishes messages with these bodies, in one chunk. */
  publish(
    routingKey: string,
    bodies: readonly string[],
    options: {
      readonly exchange?: string;
      readonly channel?: number;
      readonly mandatory?: boolean;
      readonly properties?: BasicProperties;
    } = {},
  ): void {
    const { exchange = "", channel = 1, mandatory = false, properties = {} } = options;
    const output = new Output();
    for (const body of bodies) {
      writeMethod(output, channel, "basic.publish", { exchange, routingKey, mandatory }, 0);
      writeContent(output, channel, encodeProperties(properties), new TextEncoder().encode(body), this.#frameMax);
    }
    this.#sendAll(output);
  }

  heartbeat(): void {
    const output = new Output();
    writeHeartbeat(output);
    this.#sendAll(output);
  }

  bytes(bytes: Uint8Array): void {
    this.connection.receive(bytes, this.#world.now);
  }

  /** What the broker has sent since the last call, in order; what it sends after this call comes with the next. */
  heard(): string[] {
    for (const piece of this.connection.takeOutput()) this.#transcriber.receive(piece);
    return this.#transcriber.take();
  }

  #sendAll(output: Output): void {
    // In one chunk: what happens within one turn is part of what is tested.
    this.bytes(concat(output.take()));
  }
}
