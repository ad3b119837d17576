/** A caller, a strict server, a network and a clock, and what an engine promises whatever they do. */

import { joined } from "../../wire/bytes.ts";
import { UsageError } from "../../wire/errors.ts";
import type { MethodName } from "../../wire/method-types.ts";
import { methods } from "../../wire/methods.ts";
import type { ChannelEngine } from "../channel-engine.ts";
import { isChannelRequest } from "../channel-methods.ts";
import { ConnectionEngine } from "../connection-engine.ts";
import type { ConnectionEvent } from "../events.ts";
import type { Request } from "../request.ts";
import { plain } from "../sasl.ts";
import { ModelServer } from "./model-server.ts";
import { sampleFields } from "./sample-fields.ts";

const requestNames = (Object.keys(methods) as MethodName[]).filter(isChannelRequest);
const noWaitNames = requestNames.filter((name) => "noWait" in methods[name].fields);
/** Without confirms there is nothing to settle, so every other request is this one. */
const requestChoices = requestNames.flatMap((name) => [name, "confirm.select" as const]);

/** One thing that happens. The numbers choose among what there is. */
export type Step =
  | {
      readonly client:
        | "open"
        | "request"
        | "send"
        | "publish"
        | "ack"
        | "closeChannel"
        | "updateSecret"
        | "close"
        | "misuse";
    }
  | { readonly server: "answer" | "settle" | "send" | "closeChannel" | "closeConnection" }
  | { readonly network: "out" | "in" | "hangUp" }
  | { readonly clock: number };

export type NumberedStep = Step & { readonly a: number; readonly b: number };

interface Published {
  readonly channel: ChannelEngine;
  readonly settled: Set<number>;
}

/** Plays a schedule, and checks every promise as it goes. */
export class Play {
  readonly engine: ConnectionEngine;
  readonly events: ConnectionEvent[] = [];
  readonly output: Uint8Array[] = [];
  readonly #server = new ModelServer();
  readonly #misuse: boolean;
  /** The channels that have not ended, by number. */
  readonly #channels = new Map<number, Published>();
  readonly #requests = new Set<Request>();
  /** What the server has sent and the network has not brought. */
  #onTheWay: Uint8Array = new Uint8Array(0);
  #now = 0;

  constructor(misuse: boolean) {
    this.#misuse = misuse;
    const limits = { maxWaitingRequests: 4, maxUnconfirmed: 8, maxOutput: 4096, outputHighWater: 500 };
    this.engine = new ConnectionEngine({ mechanisms: [plain("u", "p")], limits, heartbeat: 60 }, 0);
    while (this.engine.state !== "open") {
      this.#out();
      this.#in(1e6);
    }
  }

  play(steps: readonly NumberedStep[]): this {
    for (const each of steps) this.#step(each);
    this.engine.transportClosed(this.#now);
    this.#drain();
    demand(this.#requests.size === 0, "A request has not ended");
    demand(this.#channels.size === 0, "A channel has not ended");
    demand(this.events.at(-1)?.type === "closed", "The connection has not ended");
    demand(this.engine.nextDeadline() === undefined, "There is a deadline after the end");
    return this;
  }

  #step(each: NumberedStep): void {
    const { a, b } = each;
    if ("client" in each) {
      try {
        this.#command(each.client, a, b);
      } catch (error) {
        if (!(error instanceof UsageError) || error.code === "INVALID_ARGUMENT") throw error;
      }
      this.#drain();
    } else if ("server" in each) {
      this.#serverStep(each.server, a, b);
    } else if ("clock" in each) {
      this.#wait(each.clock);
    } else if (each.network === "out") {
      this.#out();
    } else if (each.network === "in") {
      this.#in(a);
    } else {
      this.engine.transportClosed(this.#now);
      this.#drain();
    }
  }

  #command(what: Extract<Step, { client: string }>["client"], a: number, b: number): void {
    const entry = [...this.#channels.values()][a % Math.max(1, this.#channels.size)];
    if (what === "open") {
      const channel = this.engine.openChannel();
      demand(!this.#channels.has(channel.number), "A channel number was given away twice");
      this.#channels.set(channel.number, { channel, settled: new Set() });
    } else if (what === "updateSecret") {
      this.#requests.add(this.engine.updateSecret(new Uint8Array(3), "because"));
    } else if (what === "close") {
      this.engine.close();
    } else if (what === "misuse") {
      if (this.#misuse) this.#doWrong(entry?.channel, b);
    } else if (entry !== undefined) {
      this.#channelCommand(what, entry.channel, b);
    }
  }

  #channelCommand(what: string, channel: ChannelEngine, choice: number): void {
    const name = requestChoices[choice % requestChoices.length] as "queue.declare";
    const oneWay = noWaitNames[choice % noWaitNames.length] as "queue.declare";
    const outcome = { deliveryTag: choice, multiple: choice % 2 === 0 };
    switch (what) {
      case "request":
        this.#requests.add(channel.request(name, sampleFields(name) as never));
        break;
      case "send":
        channel.send(oneWay, { ...sampleFields(oneWay), noWait: true } as never);
        break;
      case "publish": {
        const { nextSequence, mode } = channel;
        const sequence = channel.publish({ exchange: "", routingKey: "q", body: new Uint8Array(choice) });
        demand(sequence === (mode === "confirm" ? nextSequence : 0), "A publish has the wrong number");
        break;
      }
      case "ack":
        if (choice % 3 === 0) channel.ack(outcome.deliveryTag, outcome.multiple);
        else if (choice % 3 === 1) channel.nack(outcome.deliveryTag, outcome.multiple, true);
        else channel.reject(outcome.deliveryTag, true);
        break;
      case "closeChannel":
        channel.close();
        break;
    }
  }

  /** A mistake of the caller's: it throws, and that is all that it does. */
  #doWrong(channel: ChannelEngine | undefined, choice: number): void {
    const body = new Uint8Array(1);
    const mistakes: (() => unknown)[] = [
      () => this.engine.openChannel(-1),
      () => this.engine.updateSecret("no bytes" as never, ""),
      () => this.engine.advance(Number.NaN),
      () => channel?.publish({ exchange: "x".repeat(300), routingKey: "", body }),
      () =>
        channel?.publish({ exchange: "", routingKey: "", properties: { headers: { f: Symbol("f") as never } }, body }),
      () => channel?.ack(-1, false),
      () => channel?.request("tx.commit", null as never),
      () => channel?.request("queue.declare", { queue: 1 as never }),
      () => channel?.request("channel.close" as never, {} as never),
      () => channel?.send("confirm.select", { noWait: "yes" as never }),
      () => channel?.send("basic.nack", { deliveryTag: 1 } as never),
    ];
    const mistake = mistakes[choice % mistakes.length];
    if (channel === undefined && choice % mistakes.length > 2) return;
    demand(isRefused(mistake), `Mistake ${choice % mistakes.length} was not noticed`);
  }

  #serverStep(what: Extract<Step, { server: string }>["server"], a: number, b: number): void {
    const channel = 1 + (a % 3);
    const unasked = ["deliver", "return", "cancel", "flow", "blocked"] as const;
    switch (what) {
      case "answer":
        return this.#server.answer(a % 4, b);
      case "settle":
        return this.#server.settle(channel, b, b % 3 === 0, b % 5 === 0 ? "nack" : "ack");
      case "send":
        return this.#server.send(channel, unasked[b % unasked.length] ?? "flow", b);
      case "closeChannel":
        return this.#server.closeChannel(channel);
      case "closeConnection":
        return this.#server.closeConnection();
    }
  }

  /** Time passes, with the engine woken at every deadline and not more often. */
  #wait(time: number): void {
    const end = this.#now + time;
    let wakeUps = 0;
    for (let at = this.engine.nextDeadline(); at !== undefined && at <= end; at = this.engine.nextDeadline()) {
      this.#now = Math.max(this.#now, at);
      this.engine.advance(this.#now);
      this.#drain();
      wakeUps += 1;
      demand(wakeUps < 100, "The engine asks to be woken again and again");
    }
    this.#now = end;
    this.engine.advance(end);
    this.#drain();
  }

  #out(): void {
    const output = this.engine.takeOutput();
    this.output.push(...output.map((bytes) => bytes.slice()));
    if (!this.#server.ended) this.#server.read(output);
    this.#drain();
  }

  #in(size: number): void {
    this.#onTheWay = joined([this.#onTheWay, this.#server.take()]);
    const chunk = this.#onTheWay.slice(0, size);
    this.#onTheWay = this.#onTheWay.subarray(chunk.length);
    this.engine.receive(chunk, this.#now);
    this.#drain();
    chunk.fill(0xee);
  }

  #drain(): void {
    for (let event = this.engine.nextEvent(); event !== undefined; event = this.engine.nextEvent()) this.#note(event);
  }

  #note(event: ConnectionEvent): void {
    demand(this.events.at(-1)?.type !== "closed", `Got ${event.type} after the end`);
    this.events.push(event);
    // The server made no mistake, so the engine may find none.
    if (event.type === "closed" && event.error?.code === "PROTOCOL_ERROR") throw event.error;
    if ("channel" in event && event.channel !== 0) this.#noteOnChannel(event);
    if ("request" in event) this.#ended(event.request);
    if ("requests" in event) event.requests.forEach((request) => this.#ended(request));
  }

  #noteOnChannel(event: Extract<ConnectionEvent, { channel: number }>): void {
    const entry = this.#channels.get(event.channel);
    if (entry === undefined) throw new Error(`Got ${event.type} on channel ${event.channel}, which had ended`);
    if (event.type === "settled") {
      const { first, last } = event;
      demand(first <= last && last < entry.channel.nextSequence, `${first} to ${last} were settled`);
      for (let sequence = first; sequence <= last; sequence += 1) {
        demand(!entry.settled.has(sequence), `Publish ${sequence} was settled twice`);
        entry.settled.add(sequence);
      }
    } else if (event.type === "channel-closed") {
      demand(entry.channel.state === "closed", "A channel has ended and is not closed");
      this.#channels.delete(event.channel);
    }
  }

  #ended(request: Request): void {
    if (!this.#requests.delete(request)) throw new Error(`${request.method} ended twice, or was never made`);
  }
}

function isRefused(mistake: (() => unknown) | undefined): boolean {
  try {
    mistake?.();
    return false;
  } catch (error) {
    return error instanceof UsageError;
  }
}

function demand(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}
