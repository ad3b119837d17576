/** A client that does at random what clients do, one connection after another. */

import type { ConnectionEngine } from "@leveret/core";
import { type Route, routeTo } from "../ledger.ts";
import { bodyOf } from "../message-marks.ts";
import type { Random } from "../random.ts";
import { invariant } from "../violation.ts";
import type { Millis } from "../world.ts";
import type { ChannelModel, HeldMessage, RequestModel } from "./channel-model.ts";
import { ConnectionModel, type Surroundings } from "./connection-model.ts";
import type { Exchanges } from "../exchanges.ts";
import type { ActionName } from "./plan.ts";
import type { Queues } from "../queues.ts";
import { TopologyUser } from "./topology-user.ts";

const largestBurst = 8;
const largestBody = 12_000;
const smallBody = 40;
const largestPrefetch = 5;
const mostChannels = 4;
const persistent = 2;
const modeWeights = { confirm: 6, plain: 2, tx: 2 } as const;
/** Publishes to a queue that there never is. */
const missShare = 0.03;
/** Publishes to an exchange, where there is one. */
const exchangeShare = 0.5;
/** How long a client stays away after its connection ended. */
const longestAbsence: Millis = 300;
/** How long a client reads nothing. */
const longestPause: Millis = 8_000;

export class SimulatedClient {
  readonly #random: Random;
  readonly #queues: Queues;
  readonly #exchanges: Exchanges;
  readonly #topology: TopologyUser;
  readonly #surroundings: Surroundings;
  readonly #nextPublisher: () => number;
  #connection: ConnectionModel;
  /** All connections of this client, for the checks at the end. */
  readonly connections: ConnectionModel[] = [];
  #returnsAt: Millis | undefined;
  #nextTag = 0;

  constructor(
    number: number,
    queues: Queues,
    exchanges: Exchanges,
    surroundings: Surroundings,
    nextPublisher: () => number,
  ) {
    this.#random = surroundings.random.fork();
    this.#queues = queues;
    this.#exchanges = exchanges;
    this.#surroundings = surroundings;
    this.#nextPublisher = nextPublisher;
    this.#connection = this.#connect();
    const { ledger } = surroundings;
    this.#topology = new TopologyUser(number, { queues, exchanges, ledger, random: this.#random }, (...request) =>
      this.#request(...request),
    );
  }

  get connection(): ConnectionModel {
    return this.#connection;
  }

  /** Comes back after an absence. To be called as time passes. */
  live(): void {
    const { now } = this.#surroundings.world;
    if (!this.#connection.ended) return;
    this.#returnsAt ??= now + this.#random.int(0, longestAbsence);
    if (now < this.#returnsAt) return;
    this.#returnsAt = undefined;
    this.#connection = this.#connect();
  }

  /** Does one thing, unless there is no occasion for it. */
  act(action: ActionName): void {
    if (!this.#connection.active) return;
    switch (action) {
      case "open-channel":
        return this.#openChannel();
      case "update-secret":
        return this.#connection.updateSecret();
      case "close-connection":
        return this.#connection.do((engine) => engine.close());
      case "stop-reading":
        this.#connection.disturb();
        return this.#connection.stopReading(this.#random.int(1, longestPause));
      case "misuse":
        return this.#misuse();
      default: {
        const channel = this.#random.pick(
          [...this.#connection.channels.values()].filter(({ state }) => state === "open"),
        );
        if (channel !== undefined) this.#actOn(channel, action);
      }
    }
  }

  /** Ends what there is in an orderly way. */
  retire(): void {
    this.#connection.do((engine) => engine.close());
  }

  #connect(): ConnectionModel {
    const connection = new ConnectionModel(this.#surroundings, this.#nextPublisher);
    this.connections.push(connection);
    return connection;
  }

  #actOn(channel: ChannelModel, action: ActionName): void {
    switch (action) {
      case "publish":
        return this.#publish(channel);
      case "consume":
        return this.#consume(channel);
      case "settle":
        return this.#settle(channel);
      case "get":
        return this.#get(channel);
      case "declare":
      case "delete":
      case "purge":
        return this.#topology.changeQueue(channel, action);
      case "declare-exchange":
      case "delete-exchange":
        return this.#topology.changeExchange(channel, action);
      case "bind":
      case "unbind":
        return this.#topology.changeBinding(channel, action);
      case "cancel":
        return this.#cancel(channel);
      case "qos": {
        const prefetchCount = this.#random.int(0, largestPrefetch);
        return this.#request(channel, (engine) => engine.request("basic.qos", { prefetchSize: 0, prefetchCount }));
      }
      case "transact":
        return this.#transact(channel);
      case "recover":
        return this.#recover(channel);
      case "close-channel":
        channel.state = "closing";
        return this.#command(channel, (engine) => engine.close());
    }
  }

  /** Opens a channel, and chooses how its publishes are treated: what was published before that would be treated otherwise. */
  #openChannel(): void {
    if (this.#connection.channels.size >= mostChannels) return;
    const channel = this.#connection.openChannel();
    const mode = this.#random.weighted(modeWeights);
    if (mode === "confirm") this.#request(channel, (engine) => engine.request("confirm.select", {}));
    if (mode === "tx") this.#request(channel, (engine) => engine.request("tx.select", {}));
  }

  /** A way for a message: to an exchange, to a queue, or to where there is none. */
  #pickRoute(): Route | undefined {
    const random = this.#random;
    if (random.chance(missShare)) return routeTo("nowhere", false);
    const route = random.chance(exchangeShare) ? this.#exchanges.pickRoute(random) : undefined;
    if (route !== undefined) return route;
    const queue = random.pick(this.#queues.all.filter(({ state, isGraveyard }) => state === "present" && !isGraveyard));
    return queue === undefined ? undefined : routeTo(queue.name);
  }

  #publish(channel: ChannelModel): void {
    const mode = this.#modeOf(channel);
    // What is published before the select was sent is not confirmed; a model of that would say nothing.
    if (mode === "plain" && channel.requests.size > 0) return;
    const burst = this.#random.int(1, largestBurst);
    for (let left = burst; left > 0 && this.#connection.active && channel.state === "open"; left -= 1) {
      const route = this.#pickRoute();
      if (route === undefined) return;
      const size = this.#random.int(0, this.#random.chance(0.1) ? largestBody : smallBody);
      channel.published += 1;
      const { exchange, routingKey, headers } = route;
      const { publisher, published: number } = channel;
      const id = this.#surroundings.ledger.publish({ route, publisher, number, bodySize: size, mandatory: true });
      const publication = {
        exchange,
        routingKey,
        mandatory: true,
        properties: { messageId: String(id), deliveryMode: persistent, headers },
        body: bodyOf(id, size),
      };
      const expected = this.#engineOf(channel)?.nextSequence;
      const sequence = this.#connection.do((engine) => engine.channel(channel.number)?.publish(publication));
      if (mode === "tx") channel.uncommitted.push(id);
      if (mode !== "confirm") continue;
      invariant(sequence === expected, "sequence numbers are foretold", () => `${sequence}, not ${expected}`);
      channel.unconfirmed.set(sequence ?? 0, id);
    }
  }

  #consume(channel: ChannelModel): void {
    const queue = this.#random.pick(this.#queues.all);
    if (queue === undefined) return;
    const consumerTag = `c${this.#nextTag}`;
    this.#nextTag += 1;
    const noAck = this.#random.chance(0.2);
    // Messages may be taken by this consumer as soon as the request is sent.
    if (noAck) this.#surroundings.ledger.fleeting(queue.name);
    channel.consumers.set(consumerTag, { queue: queue.name, noAck, seen: new Map() });
    this.#request(channel, (engine) => engine.request("basic.consume", { queue: queue.name, consumerTag, noAck }));
  }

  #cancel(channel: ChannelModel): void {
    const consumerTag = this.#random.pick([...channel.consumers.keys()]);
    if (consumerTag === undefined) return;
    this.#request(channel, (engine) => engine.request("basic.cancel", { consumerTag }), {
      answered: () => channel.consumers.delete(consumerTag),
    });
  }

  #get(channel: ChannelModel): void {
    const queue = this.#random.pick(this.#queues.all);
    if (queue === undefined) return;
    this.#request(channel, (engine) => engine.request("basic.get", { queue: queue.name }), { queue: queue.name });
  }

  #settle(channel: ChannelModel): void {
    if (channel.recovering) return;
    const tag = this.#random.pick([...channel.unsettled.keys()]);
    if (tag === undefined) return;
    const way = this.#random.pick(["ack", "ack", "ack-multiple", "nack", "nack-multiple", "drop", "reject"] as const);
    const multiple = way.endsWith("-multiple");
    const requeue = way !== "drop";
    const keeps = way.startsWith("nack") || way === "reject";
    for (const settled of [...channel.unsettled.keys()]) {
      if (multiple ? settled > tag : settled !== tag) continue;
      const message = channel.unsettled.get(settled) as HeldMessage;
      if (!keeps) this.#giveUp(message, way === "drop");
      if (this.#modeOf(channel) === "tx") channel.settledInTransactions.set(settled, message);
      channel.unsettled.delete(settled);
    }
    // What a transaction settled is outstanding again when it was rolled back, and a later `multiple` takes it along.
    if (multiple && !keeps) {
      for (const [settled, message] of channel.settledInTransactions)
        if (settled <= tag) this.#giveUp(message, way === "drop");
    }
    this.#command(channel, (engine) => {
      if (way.startsWith("ack")) engine.ack(tag, multiple);
      else if (way === "reject") engine.reject(tag, true);
      else engine.nack(tag, multiple, requeue);
    });
  }

  #giveUp({ id, queue }: HeldMessage, isRejected: boolean): void {
    if (isRejected) this.#surroundings.ledger.rejected(id, queue);
    else this.#surroundings.ledger.mayBeGone(id, queue);
  }

  #transact(channel: ChannelModel): void {
    if (this.#modeOf(channel) !== "tx") return;
    const uncommitted = channel.uncommitted;
    channel.uncommitted = [];
    if (this.#random.chance(0.3)) return this.#request(channel, (engine) => engine.request("tx.rollback", {}));
    const { ledger } = this.#surroundings;
    this.#request(channel, (engine) => engine.request("tx.commit", {}), {
      answered: () => {
        for (const id of uncommitted) ledger.settle(id, "ack");
      },
    });
    // Before the commit is answered; it belongs to the next transaction.
    if (this.#random.chance(0.5)) this.#publish(channel);
  }

  #recover(channel: ChannelModel): void {
    // In a transaction, acknowledgements that are not committed come back in ways of their own.
    if (channel.recovering || this.#modeOf(channel) === "tx") return;
    channel.recovering = true;
    this.#request(channel, (engine) => engine.request("basic.recover", { requeue: true }), {
      answered: () => {
        // Everything that arrived before the answer was put back.
        channel.unsettled.clear();
        channel.recovering = false;
      },
    });
  }

  #misuse(): void {
    if (this.#random.chance(0.3)) return this.#connection.misuse(this.#random.pick(wrongOnConnection));
    const open = [...this.#connection.channels.values()].find(({ state }) => state === "open");
    if (open === undefined) return;
    const wrong = this.#random.pick(wrongOnChannel);
    this.#connection.misuse((engine) => wrong(required(engine, open)));
  }

  // Helpers

  #engineOf(channel: ChannelModel) {
    return this.#connection.engine.channel(channel.number);
  }

  #modeOf(channel: ChannelModel): "plain" | "confirm" | "tx" {
    return this.#engineOf(channel)?.mode ?? "plain";
  }

  #command(channel: ChannelModel, command: (engine: Channel) => void): void {
    this.#connection.do((engine) => command(required(engine, channel)));
  }

  #request(
    channel: ChannelModel,
    make: (engine: Channel) => ReturnType<Channel["request"]>,
    model: RequestModel = {},
  ): void {
    let request: ReturnType<Channel["request"]> | undefined;
    // The model has to know the request before its answer can be handled.
    this.#connection.do((engine) => {
      request = make(required(engine, channel));
      if (engine === this.#connection.engine) this.#connection.expect(channel, request, model);
    });
  }
}

export type Channel = NonNullable<ReturnType<ConnectionEngine["channel"]>>;

/** Commands that may not change anything. */
const wrongOnConnection: readonly [
  (engine: ConnectionEngine) => unknown,
  ...((engine: ConnectionEngine) => unknown)[],
] = [
  (engine) => engine.openChannel(70_000),
  (engine) => engine.openChannel(-1),
  (engine) => engine.close({ replyText: "x".repeat(256) }),
  (engine) => engine.updateSecret(new Uint8Array(1), "\ud800"),
];
const wrongOnChannel: readonly [(channel: Channel) => unknown, ...((channel: Channel) => unknown)[]] = [
  (channel) => channel.request("queue.declare", { queue: "x".repeat(256) }),
  (channel) => channel.request("queue.declare", { queue: "x", noWait: true }),
  (channel) => channel.send("queue.declare", { queue: "x" }),
  (channel) => channel.publish({ exchange: "\udfff", routingKey: "", body: new Uint8Array(5000) }),
  (channel) => channel.request("basic.qos", { prefetchSize: 0, prefetchCount: 65_536 }),
  (channel) => channel.ack(-1, false),
];

function required(engine: ConnectionEngine, { number }: ChannelModel): Channel {
  const channel = engine.channel(number);
  invariant(channel !== undefined, "a channel lives until its end was reported", () => `channel ${number}`);
  return channel;
}
