/** One channel's machine: phases, requests, contents, confirms. */

import { decodeDeliver, decodeMethod, methodId } from "../wire/decode.ts";
import { ProtocolError, UsageError } from "../wire/errors.ts";
import type { FrameReader } from "../wire/frame-reader.ts";
import { frameType } from "../wire/constants.ts";
import type { Arguments, Fields, Method, RequestName, ServerMethodName } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
import type { ShortStrings } from "../wire/short-strings.ts";
import type { ChannelEngine, ChannelMode, ChannelRequestName, Farewell, OneWayName } from "./channel-engine.ts";
import { closeReason } from "./close-reason.ts";
import type { EngineLimits } from "./config.ts";
import { Confirms } from "./confirms.ts";
import { type AssembledMessage, ContentAssembler, type ContentMethod } from "./content-assembler.ts";
import { ChannelError, type ConnectionError } from "./errors.ts";
import type { ChannelClosedEvent, ConnectionEvent, ReplyEvent } from "./events.ts";
import type { FrameWriter, Publication } from "./frame-writer.ts";
import { type ChannelPhase, channelPhases, nextPhase } from "./phases.ts";
import { PendingRequest, type Request } from "./request.ts";
import { RequestQueue } from "./request-queue.ts";
import type { Slab } from "./slab.ts";

/** What a channel needs of its connection. */
export interface ChannelHost {
  readonly writer: FrameWriter;
  readonly limits: EngineLimits;
  readonly slab: Slab;
  readonly strings: ShortStrings;
  /** Queues an event behind those that wait already. */
  emit(event: ConnectionEvent): void;
  /** A request was put into the output: its time runs. */
  requestSent(request: PendingRequest): void;
  /** A message arrived whole. */
  messageReceived(): void;
  /** Both peers agree that the channel is closed. */
  numberFreed(number: number): void;
}

const deliverId = methods["basic.deliver"].id;

/** A method that a server sends on a channel. */
type ChannelMethod = Method<ServerMethodName>;

export class Channel implements ChannelEngine {
  readonly number: number;
  readonly #host: ChannelHost;
  /** Where the channel writes: the connection's output, or a writer that waits while a commit is in flight. */
  #writer: FrameWriter;
  readonly #requests: RequestQueue;
  readonly #assembler: ContentAssembler;
  readonly #confirms = new Confirms();
  #phase: ChannelPhase = "opening";
  #mode: ChannelMode = "plain";
  #flowActive = true;
  #closeRequested = false;
  /** Why the channel ends, where that was settled before the closing handshake is over. */
  #error: ChannelError | undefined;
  /** The end was reported already; only the number is not free yet. */
  #reported = false;

  constructor(number: number, host: ChannelHost) {
    this.number = number;
    this.#host = host;
    this.#writer = host.writer;
    this.#assembler = new ContentAssembler(host.slab, host.limits.maxBodySize);
    this.#requests = new RequestQueue(host.limits.maxWaitingRequests, {
      send: (request) => this.#transmit(request),
      encode: (request) => this.#writer.encode(this.number, request.method, request.fields),
    });
    this.#requests.add(new PendingRequest("channel.open", number, {}));
  }

  get state(): ChannelPhase {
    return this.#closeRequested && this.#phase !== "closed" ? "closing" : this.#phase;
  }

  get mode(): ChannelMode {
    return this.#mode;
  }

  get flowActive(): boolean {
    return this.#flowActive;
  }

  get nextSequence(): number {
    return this.#confirms.next;
  }

  get unconfirmed(): number {
    return this.#confirms.outstanding;
  }

  // Commands

  request<M extends ChannelRequestName>(method: M, fields: Arguments<M>): Request<M> {
    this.#requireUsable(method);
    const request = new PendingRequest(method, this.number, fields);
    if (request.noWait) throw new UsageError("INVALID_ARGUMENT", `${method} with noWait has no reply: use send()`);
    this.#requests.add(request);
    return request;
  }

  send<M extends OneWayName>(method: M, fields: Arguments<M>): void {
    this.#requireUsable(method);
    if (isRequest(method)) {
      const request = new PendingRequest(method, this.number, fields as Arguments<typeof method>);
      if (!request.noWait)
        throw new UsageError("INVALID_ARGUMENT", `${method} without noWait has a reply: use request()`);
      this.#requests.add(request);
    } else {
      this.#requireOpen(method);
      this.#writer.method(this.number, method, fields);
    }
  }

  publish(publication: Publication): number {
    this.#requireOpen("basic.publish");
    if (this.#mode !== "confirm") {
      this.#writer.publish(this.number, publication);
      return 0;
    }
    if (this.#confirms.outstanding >= this.#host.limits.maxUnconfirmed) {
      throw new UsageError(
        "LIMIT_REACHED",
        `${this.#confirms.outstanding} publishes wait for their confirm (limits.maxUnconfirmed)`,
      );
    }
    this.#writer.publish(this.number, publication);
    return this.#confirms.published();
  }

  ack(deliveryTag: number, multiple: boolean): void {
    this.#requireOpen("basic.ack");
    this.#writer.ack(this.number, deliveryTag, multiple);
  }

  nack(deliveryTag: number, multiple: boolean, requeue: boolean): void {
    this.#requireOpen("basic.nack");
    this.#writer.nack(this.number, deliveryTag, multiple, requeue);
  }

  reject(deliveryTag: number, requeue: boolean): void {
    this.#requireOpen("basic.reject");
    this.#writer.reject(this.number, deliveryTag, requeue);
  }

  close(farewell: Farewell = {}): void {
    if (this.#closeRequested || this.#phase === "closed") return;
    this.#requests.add(new PendingRequest("channel.close", this.number, closeFields(farewell)));
    this.#closeRequested = true;
  }

  // What arrives

  /** Takes the frame that the reader stands at. */
  frame(reader: FrameReader): ConnectionEvent | undefined {
    const { bytes, start, end } = reader;
    switch (reader.type) {
      case frameType.method:
        return this.#method(bytes, start, end);
      case frameType.header:
        return this.#message(this.#assembler.header(bytes, start, end));
      default:
        return this.#message(this.#assembler.body(bytes, start, end, reader.last));
    }
  }

  #method(bytes: Uint8Array, start: number, end: number): ConnectionEvent | undefined {
    if (this.#assembler.busy) {
      throw new ProtocolError("UNEXPECTED_FRAME", `Got a method on channel ${this.number} in the middle of a content`);
    }
    if (methodId(bytes, start) === deliverId && this.#phase === "open") {
      this.#assembler.begin({ name: "basic.deliver", fields: decodeDeliver(bytes, start, end, this.#host.strings) });
      return undefined;
    }
    const method = decodeMethod(bytes, start, end, this.#host.strings) as ChannelMethod;
    const phase = nextPhase(channelPhases, this.#phase, method.name);
    if (phase !== undefined) return this.#handle(method, phase);
    if (this.#phase === "closing") {
      // Discarded, but a content is still a content.
      if (isContentMethod(method)) this.#assembler.begin(method);
      return undefined;
    }
    throw new ProtocolError("COMMAND_INVALID", `Got ${method.name} on channel ${this.number}, which is ${this.#phase}`);
  }

  #handle(method: ChannelMethod, phase: ChannelPhase): ConnectionEvent | undefined {
    switch (method.name) {
      case "basic.ack":
        return this.#settled(method.fields, "ack");
      case "basic.nack":
        return this.#settled(method.fields, "nack");
      case "basic.get-ok":
        if (this.#requests.inFlight?.method !== "basic.get") {
          throw new ProtocolError("COMMAND_INVALID", "Got basic.get-ok, which answers no request in flight");
        }
        this.#assembler.begin(method);
        return undefined;
      case "basic.deliver":
      case "basic.return":
        this.#assembler.begin(method);
        return undefined;
      case "basic.cancel":
        // RabbitMQ always sets no-wait here, and before 4.3 it closes the connection when it is answered.
        if (!method.fields.noWait) {
          this.#writer.method(this.number, "basic.cancel-ok", { consumerTag: method.fields.consumerTag });
        }
        return { type: "basic.cancel", channel: this.number, consumerTag: method.fields.consumerTag };
      case "channel.flow":
        this.#flowActive = method.fields.active;
        this.#writer.method(this.number, "channel.flow-ok", { active: method.fields.active });
        return { type: "channel.flow", channel: this.number, active: method.fields.active };
      case "channel.open-ok":
        this.#requests.reply(method.name);
        this.#phase = phase;
        return { type: "channel-open", channel: this.number };
      case "channel.close":
        return this.#closedByServer(method.fields, phase);
      case "channel.close-ok":
        return this.#closed();
      default:
        return this.#replied(method);
    }
  }

  #replied(method: ChannelMethod): ReplyEvent {
    const held = this.#writer;
    if (method.name === "tx.commit-ok" && held !== this.#host.writer) {
      this.#writer = this.#host.writer;
      this.#writer.join(held);
    }
    const request = this.#requests.reply(method.name);
    return { type: "reply", channel: this.number, request, reply: method as ReplyEvent["reply"] };
  }

  #message(message: AssembledMessage | undefined): ConnectionEvent | undefined {
    if (message === undefined || this.#phase !== "open") return undefined;
    this.#host.messageReceived();
    const { method, content } = message;
    const channel = this.number;
    switch (method.name) {
      case "basic.deliver": {
        const { consumerTag, deliveryTag, redelivered, exchange, routingKey } = method.fields;
        return { type: "basic.deliver", channel, consumerTag, deliveryTag, redelivered, exchange, routingKey, content };
      }
      case "basic.return": {
        const { replyCode, replyText, exchange, routingKey } = method.fields;
        return { type: "basic.return", channel, replyCode, replyText, exchange, routingKey, content };
      }
      case "basic.get-ok": {
        const request = this.#requests.reply(method.name) as PendingRequest<"basic.get">;
        const { deliveryTag, redelivered, exchange, routingKey, messageCount } = method.fields;
        return {
          type: "basic.get-ok",
          channel,
          request,
          deliveryTag,
          redelivered,
          exchange,
          routingKey,
          messageCount,
          content,
        };
      }
    }
  }

  #settled({ deliveryTag, multiple }: Fields<"basic.ack">, outcome: "ack" | "nack"): undefined {
    if (this.#mode !== "confirm") {
      throw new ProtocolError(
        "COMMAND_INVALID",
        `Got a confirm on channel ${this.number}, which is not in confirm mode`,
      );
    }
    if (this.#reported) return;
    this.#confirms.settle(deliveryTag, multiple, (first, last) => {
      this.#host.emit({ type: "settled", channel: this.number, first, last, outcome });
    });
  }

  // Endings

  #closedByServer(fields: Fields<"channel.close">, phase: ChannelPhase): ChannelClosedEvent | undefined {
    const reason = closeReason(fields);
    const error = new ChannelError(
      "CHANNEL_CLOSED_BY_SERVER",
      `The server closed channel ${this.number}: ${reason.replyCode} ${reason.replyText}`,
      reason,
    );
    // Whatever waited for a commit would be the last thing on a channel that is gone.
    this.#writer = this.#host.writer;
    this.#writer.method(this.number, "channel.close-ok", {});
    if (phase === "closing") {
      // Both closed at once: the number is free when our own close is answered too. The server's reason tells more.
      this.#error ??= error;
      return undefined;
    }
    this.#error = error;
    return this.#closed();
  }

  /** The requests that end with the channel. Opening and closing are not requests of the caller's. */
  #unanswered(): Request[] {
    return this.#requests.drain().filter(({ method }) => method !== "channel.open" && method !== "channel.close");
  }

  #closed(): ChannelClosedEvent | undefined {
    this.#phase = "closed";
    this.#host.numberFreed(this.number);
    return this.#report(this.#error);
  }

  #report(error: ChannelError | ConnectionError | undefined): ChannelClosedEvent | undefined {
    const requests = this.#unanswered();
    if (this.#reported) return undefined;
    this.#reported = true;
    return { type: "channel-closed", channel: this.number, error, requests };
  }

  /** The connection ended, and the channel with it. */
  connectionClosed(error: ConnectionError): ChannelClosedEvent | undefined {
    this.#phase = "closed";
    return this.#report(this.#error ?? error);
  }

  /** A request was not answered in time. Its late reply could be taken for the next one's, so the channel cannot go on. */
  requestTimedOut(request: PendingRequest): ChannelClosedEvent | undefined {
    const error = new ChannelError(
      "REQUEST_TIMEOUT",
      `${request.method} on channel ${this.number} was not answered in time (requestTimeout)`,
      { method: request.method },
    );
    this.#error ??= error;
    const event = this.#report(this.#error);
    this.#writer = this.#host.writer;
    this.#closeRequested = true;
    if (this.#phase !== "closing") {
      this.#requests.add(
        new PendingRequest("channel.close", this.number, closeFields({ replyText: "Request timeout" })),
      );
    }
    return event;
  }

  // Helpers

  #transmit(request: PendingRequest): void {
    if (request.frames === undefined) this.#writer.method(this.number, request.method, request.fields);
    else this.#writer.encoded(request.frames);
    request.sent = true;
    if (!request.noWait) this.#host.requestSent(request);
    switch (request.method) {
      case "channel.close":
        this.#phase = "closing";
        break;
      case "confirm.select":
        this.#mode = "confirm";
        break;
      case "tx.select":
        this.#mode = "tx";
        break;
      case "tx.commit":
        // RabbitMQ before 4.3 closes the connection for any method between a commit and its answer.
        this.#writer = this.#host.writer.fork();
        break;
    }
  }

  #requireUsable(method: string): void {
    if (this.#closeRequested || this.#phase === "closed") {
      throw new UsageError("ILLEGAL_STATE", `${method} on channel ${this.number}, which is ${this.state}`);
    }
    const { writer, limits } = this.#host;
    if (writer.size >= limits.maxOutput) {
      throw new UsageError("LIMIT_REACHED", `${writer.size} bytes of output wait to be sent (limits.maxOutput)`);
    }
  }

  #requireOpen(method: string): void {
    if (this.#phase !== "open" || this.#closeRequested) {
      throw new UsageError("ILLEGAL_STATE", `${method} on channel ${this.number}, which is ${this.state}`);
    }
    this.#requireUsable(method);
  }
}

function closeFields({ replyCode = 200, replyText = "Normal shutdown" }: Farewell): Arguments<"channel.close"> {
  return { replyCode, replyText, classId: 0, methodId: 0 };
}

function isContentMethod(method: ChannelMethod): method is ContentMethod {
  return "content" in methods[method.name];
}

function isRequest(method: OneWayName): method is OneWayName & RequestName {
  return "replies" in methods[method];
}
