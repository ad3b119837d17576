/** The client's engine, fed with whatever a server might say. */

import { type ChannelEngine, ConnectionEngine, type ConnectionEvent, plain, UsageError } from "@leveret/core";
import { Random } from "../random.ts";
import { invariant } from "../violation.ts";
import { chunksOf, hashOf } from "./frames.ts";
import { serverFrames, serverStream } from "./grammar.ts";
import type { FuzzOutcome, FuzzTarget } from "./target.ts";

const published = 12;
const limits = { maxBodySize: 200_000, maxOutput: 1024 * 1024, maxWaitingRequests: 64 };
const mostWakeUps = 50;

export const engineTarget: FuzzTarget = {
  name: "engine",
  stream: serverStream,
  frames: serverFrames,
  run(bytes) {
    return new Puppet(bytes).run();
  },
};

/** A driver that does the same at the same event, so that the bytes alone decide what happens. */
class Puppet {
  readonly #engine = new ConnectionEngine({ mechanisms: [plain("guest", "guest")], limits }, 0);
  readonly #bytes: Uint8Array;
  readonly #random: Random;
  readonly #signature = new Set<string>();
  #previous = "";
  #events = 0;
  #output = 0;
  #closed = 0;
  #now = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#random = new Random(hashOf(bytes));
  }

  run(): FuzzOutcome {
    const patient = this.#random.chance(0.3);
    for (const chunk of chunksOf(this.#bytes, this.#random)) {
      this.#engine.receive(chunk, this.#now);
      this.#drain();
      this.#engine.detachInput();
      chunk.fill(0xa5);
      if (patient && this.#random.chance(0.1)) this.#wait();
    }
    if (patient) for (let wakeUps = 0; wakeUps < mostWakeUps && this.#wait(); wakeUps += 1);
    this.#engine.transportClosed(this.#now);
    this.#drain();
    invariant(this.#closed === 1, "closed is the last event, and comes once", () => `${this.#closed} times`);
    invariant(this.#engine.nextDeadline() === undefined, "nothing is due after the end", () => "a deadline");
    const most = 4 * this.#bytes.length + 100_000;
    invariant(this.#output <= most, "output is in proportion to input", () => `${this.#output} bytes`);
    return { signature: [...this.#signature], survivor: this.#engine };
  }

  /** Time passes until something is due. */
  #wait(): boolean {
    const deadline = this.#engine.nextDeadline();
    if (deadline === undefined) return false;
    this.#now = Math.max(this.#now, deadline);
    this.#engine.advance(this.#now);
    this.#drain();
    // What was commanded meanwhile may ask to be told the time.
    if (this.#engine.nextDeadline() === this.#now) {
      this.#engine.advance(this.#now);
      this.#drain();
    }
    const next = this.#engine.nextDeadline();
    invariant(next === undefined || next > this.#now, "deadlines advance", () => `${next} at ${this.#now}`);
    return true;
  }

  #drain(): void {
    // A frame has 8 bytes at least, and makes one event, or one for each run of confirms.
    const most = this.#bytes.length / 8 + 2 * published + mostWakeUps + 50;
    for (let event = this.#engine.nextEvent(); event !== undefined; event = this.#engine.nextEvent()) {
      this.#events += 1;
      invariant(this.#events <= most, "events are in proportion to input", () => `${this.#events}`);
      invariant(this.#closed === 0, "closed is the last event, and comes once", () => `${event?.type} after it`);
      this.#note(event);
      this.#react(event);
    }
    for (const segment of this.#engine.takeOutput()) this.#output += segment.length;
  }

  #note(event: ConnectionEvent): void {
    let word: string = event.type;
    if (event.type === "closed" || event.type === "channel-closed") {
      const { error } = event;
      word += ` ${error?.code} ${error?.message.replaceAll(/\d+|".*?"/g, "#").slice(0, 60)}`;
    } else if (event.type === "reply") {
      word += ` ${event.reply.name}`;
    }
    this.#signature.add(`${this.#previous}>${word}`);
    this.#previous = word;
    // Contents are decoded when somebody looks.
    if ("content" in event) {
      try {
        void event.content.properties;
      } catch (error) {
        this.#signature.add(`properties ${(error as Error).message.replaceAll(/\d+|".*?"/g, "#").slice(0, 60)}`);
        if ((error as Error).name !== "ProtocolError") throw error;
      }
      void event.content.body;
    }
  }

  #react(event: ConnectionEvent): void {
    switch (event.type) {
      case "closed":
        this.#closed += 1;
        return;
      case "open":
        this.#engine.openChannel();
        this.#engine.openChannel();
        return;
      case "channel-open": {
        const channel = this.#engine.channel(event.channel);
        if (channel !== undefined) this.#use(channel);
        return;
      }
      case "basic.deliver":
      case "basic.get-ok":
        return attempt(() => this.#engine.channel(event.channel)?.ack(event.deliveryTag, false));
      default:
    }
  }

  #use(channel: ChannelEngine): void {
    if (channel.number === 1) {
      attempt(() => channel.request("confirm.select", {}));
      attempt(() => channel.request("queue.declare", { queue: "q" }));
      for (let number = 0; number < published; number += 1) {
        attempt(() =>
          channel.publish({ exchange: "", routingKey: "q", mandatory: true, body: new Uint8Array(number * 100) }),
        );
      }
    } else {
      attempt(() => channel.request("basic.consume", { queue: "q", consumerTag: "c" }));
      attempt(() => channel.request("basic.get", { queue: "q" }));
      attempt(() => channel.request("basic.recover", { requeue: true }));
    }
  }
}

/** A command may come too late; nothing else may go wrong with it. */
function attempt(command: () => unknown): void {
  try {
    command();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
}
