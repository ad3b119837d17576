/**
 * A small strict server. It answers when the test says so, and it throws what RabbitMQ would punish: an engine that makes
 * such a mistake fails the test.
 */

import type { Method, MethodName } from "../../wire/method-types.ts";
import { start, tune } from "./driver.ts";
import { repliesTo, sampleFields } from "./sample-fields.ts";
import { type SentFrame, SentFrames, ServerBytes } from "./server.ts";

interface ModelChannel {
  /** What was asked and not answered, oldest first. */
  readonly requests: MethodName[];
  mode: "plain" | "confirm" | "tx";
  /** Publishes since confirms were selected. */
  published: number;
  /** Publishes that were neither acked nor nacked. */
  readonly unsettled: Set<number>;
  /** The server closed it, and waits for the answer. */
  closing: boolean;
  /** The content frames that have to come: a header, or so many bytes. */
  due: "header" | number | undefined;
}

const closeFields = { replyCode: 404, replyText: "NOT_FOUND", classId: 0, methodId: 0 };

/** The server's side of one connection. */
export class ModelServer {
  readonly #frames = new SentFrames();
  readonly #bytes = new ServerBytes(0);
  readonly #channels = new Map<number, ModelChannel>();
  /** The requests of channel 0 that were not answered. */
  readonly #requests: MethodName[] = [];
  #blocked = false;
  /** The server closed the connection: whatever else arrives is ignored. */
  #closing = false;
  #closedByClient = false;
  #open = false;
  #ended = false;

  /** Takes the output of an engine. */
  read(segments: readonly Uint8Array[]): void {
    for (const frame of this.#frames.read(segments)) this.#take(frame);
  }

  /** What the server has to say. */
  take(): Uint8Array {
    return this.#bytes.take();
  }

  /** Whether the connection is over for the server. */
  get ended(): boolean {
    return this.#ended;
  }

  // What it does when it is told

  /** Answers the oldest request of a channel, or of the connection. */
  answer(number: number, choice: number): void {
    if (this.#ended || this.#closing) return;
    if (number === 0) {
      const request = this.#requests.shift();
      if (request === undefined) return;
      this.#bytes.method(0, request === "connection.close" ? "connection.close-ok" : "connection.update-secret-ok", {});
      this.#ended = request === "connection.close";
      return;
    }
    const channel = this.#channels.get(number);
    if (channel === undefined || channel.closing) return;
    const request = channel.requests.shift();
    if (request === undefined) return;
    const replies = repliesTo(request);
    const reply = replies[choice % replies.length] as MethodName;
    this.#bytes.method(number, reply, sampleFields(reply) as never);
    if (reply === "basic.get-ok") this.#bytes.content(number, new Uint8Array(choice % 50));
    if (reply === "channel.close-ok") this.#channels.delete(number);
  }

  /** Settles a publish, or all up to it. */
  settle(number: number, choice: number, multiple: boolean, outcome: "ack" | "nack"): void {
    const channel = this.#usable(number);
    if (channel === undefined || channel.unsettled.size === 0) return;
    const tags = [...channel.unsettled];
    const deliveryTag = tags[choice % tags.length] as number;
    for (const tag of tags) if (tag === deliveryTag || (multiple && tag < deliveryTag)) channel.unsettled.delete(tag);
    if (outcome === "ack") this.#bytes.method(number, "basic.ack", { deliveryTag, multiple });
    else this.#bytes.method(number, "basic.nack", { deliveryTag, multiple, requeue: true });
  }

  /** Sends something that nobody asked for. */
  send(number: number, what: "deliver" | "return" | "cancel" | "flow" | "blocked", choice: number): void {
    if (what === "blocked") return this.#toggleBlocked();
    if (this.#usable(number) === undefined) return;
    const fields = { consumerTag: "c", deliveryTag: 1, exchange: "", routingKey: "" };
    const body = new Uint8Array(choice);
    switch (what) {
      case "deliver":
        this.#bytes.method(number, "basic.deliver", fields).content(number, body);
        break;
      case "return":
        this.#bytes.method(number, "basic.return", { ...closeFields, ...fields }).content(number, body);
        break;
      case "cancel":
        this.#bytes.method(number, "basic.cancel", { consumerTag: "c", noWait: choice % 2 === 0 });
        break;
      case "flow":
        this.#bytes.method(number, "channel.flow", { active: choice % 2 === 0 });
        break;
    }
  }

  closeChannel(number: number): void {
    const channel = this.#usable(number);
    if (channel === undefined) return;
    channel.closing = true;
    this.#bytes.method(number, "channel.close", closeFields);
  }

  closeConnection(): void {
    if (this.#ended || this.#closing || !this.#open) return;
    this.#closing = true;
    this.#bytes.method(0, "connection.close", { ...closeFields, replyCode: 320 });
  }

  #toggleBlocked(): void {
    if (this.#ended || this.#closing || !this.#open) return;
    this.#blocked = !this.#blocked;
    if (this.#blocked) this.#bytes.method(0, "connection.blocked", { reason: "memory" });
    else this.#bytes.method(0, "connection.unblocked", {});
  }

  /** A channel on which the server may send. */
  #usable(number: number): ModelChannel | undefined {
    const channel = this.#channels.get(number);
    if (this.#ended || this.#closing || channel === undefined || channel.closing) return undefined;
    return channel.requests[0] === "channel.open" ? undefined : channel;
  }

  // What it takes

  #take(frame: SentFrame): void {
    if (this.#ended) throw new Error(`Got ${frame.type} after the end`);
    switch (frame.type) {
      case "protocol-header":
        this.#bytes.method(0, "connection.start", start);
        break;
      case "heartbeat":
        break;
      case "method":
        if (frame.channel === 0) this.#takeOwn(frame.method);
        else this.#takeMethod(frame.channel, frame.method);
        break;
      case "header":
        this.#takeContent(frame.channel, "header", frame.bodySize);
        break;
      case "body":
        this.#takeContent(frame.channel, "body", frame.bytes.length);
        break;
    }
  }

  #takeOwn(method: Method): void {
    switch (method.name) {
      case "connection.start-ok":
        this.#bytes.method(0, "connection.tune", { ...tune, channelMax: 3 });
        break;
      case "connection.tune-ok":
        break;
      case "connection.open":
        this.#bytes.method(0, "connection.open-ok", {});
        this.#open = true;
        break;
      case "connection.update-secret":
        this.#requests.push(method.name);
        break;
      case "connection.close":
        if (this.#closing) this.#bytes.method(0, "connection.close-ok", {});
        // A server does not answer anything else after this.
        else this.#requests.splice(0, this.#requests.length, method.name);
        this.#channels.clear();
        this.#closedByClient = true;
        break;
      case "connection.close-ok":
        if (!this.#closing) throw new Error("Got connection.close-ok, which answers nothing");
        this.#ended = true;
        break;
      default:
        throw new Error(`Got ${method.name} on channel 0`);
    }
  }

  #takeMethod(number: number, method: Method): void {
    const channel = this.#channels.get(number);
    if (this.#closing) return;
    if (this.#closedByClient) throw new Error(`Got ${method.name} after connection.close`);
    if (method.name === "channel.open") {
      if (channel !== undefined) throw new Error("Got a second channel.open");
      this.#channels.set(number, newChannel());
      return;
    }
    if (channel === undefined) throw new Error(`Got ${method.name} on channel ${number}, which is not open`);
    if (channel.due !== undefined) throw new Error(`Got ${method.name} in the middle of a content`);
    if (channel.closing) return this.#takeWhileClosing(number, channel, method);
    // RabbitMQ lets a channel be closed that waits for a commit, as one that has waited for too long is.
    if (channel.requests.includes("tx.commit") && method.name !== "channel.close") {
      throw new Error(`Got ${method.name} while a commit is in flight`);
    }
    if (channel.requests.includes("channel.close")) throw new Error(`Got ${method.name} after channel.close`);
    if (method.name === "channel.close-ok") throw new Error("Got channel.close-ok, which answers nothing");
    if (method.name === "confirm.select" || method.name === "tx.select") {
      const mode = method.name === "tx.select" ? "tx" : "confirm";
      if (channel.mode === "plain") channel.mode = mode;
      if (channel.mode !== mode) return this.closeChannel(number);
    }
    if ((method.name === "tx.commit" || method.name === "tx.rollback") && channel.mode !== "tx") {
      return this.closeChannel(number);
    }
    if (method.name === "basic.publish") {
      channel.due = "header";
      if (channel.mode === "confirm") channel.unsettled.add((channel.published += 1));
    }
    if (repliesTo(method.name).length > 0 && !("noWait" in method.fields && method.fields.noWait)) {
      channel.requests.push(method.name);
    }
  }

  #takeWhileClosing(number: number, channel: ModelChannel, method: Method): void {
    if (method.name === "channel.close") this.#bytes.method(number, "channel.close-ok", {});
    if (method.name === "channel.close-ok") this.#channels.delete(number);
    if (method.name === "basic.publish") channel.due = "header";
  }

  #takeContent(number: number, type: "header" | "body", size: number): void {
    const channel = this.#channels.get(number);
    if (channel === undefined || this.#closing) return;
    if (type === "header" ? channel.due !== "header" : typeof channel.due !== "number" || size > channel.due) {
      throw new Error(`Got a ${type} of ${size} bytes, which was not due`);
    }
    const left = type === "header" ? size : (channel.due as number) - size;
    channel.due = left === 0 ? undefined : left;
  }
}

function newChannel(): ModelChannel {
  return {
    requests: ["channel.open"],
    mode: "plain",
    published: 0,
    unsettled: new Set(),
    closing: false,
    due: undefined,
  };
}
