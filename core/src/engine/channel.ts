/** One channel's machine: phases, requests, contents, confirms. */

import { decodeAck, decodeMethod, methodId } from "../wire/decode.ts";
import { ProtocolError, UsageError } from "../wire/errors.ts";
import type { FrameReader } from "../wire/frame-reader.ts";
import { frameType } from "../wire/constants.ts";
import type { Arguments, Fields, Method, ServerMethodName } from "../wire/method-types.ts";
import { methods } from "../wire/methods.ts";
import { RepeatedProperties } from "../wire/repeated-properties.ts";
import { invalid } from "../wire/values.ts";
import type { ChannelEngine, ChannelMode, ChannelRequestName, Farewell, OneWayName } from "./channel-engine.ts";
import type { ChannelHost } from "./channel-host.ts";
import { isChannelRequest, isNeverAnswered } from "./channel-methods.ts";
import { closeFields, closeReason } from "./close-reason.ts";
import { type ConfirmOutcome, Confirms } from "./confirms.ts";
import type { Content } from "./content.ts";
import { ContentAssembler, type ContentMethod } from "./content-assembler.ts";
import { ChannelError, type ConnectionError } from "./errors.ts";
import type { ChannelClosedEvent, ConnectionEvent, DeliverEvent, ReplyEvent } from "./events.ts";
import type { FrameWriter, Publication } from "./frame-writer.ts";
import { HeldOutput } from "./held-output.ts";
import { LazyMap } from "./lazy-map.ts";
import { type ChannelPhase, channelPhases, nextPhase } from "./phases.ts";
import { asksForNoReply, PendingRequest, type Request } from "./request.ts";
import { RequestQueue, type RequestSender } from "./request-queue.ts";

const deliverId = methods["basic.deliver"].id;
const ackId = methods["basic.ack"].id;

/** A method that a server sends on a channel. */
type ChannelMethod = Method<ServerMethodName>;

export class Channel implements ChannelEngine, RequestSender {
  readonly number: number;
  readonly #host: ChannelHost;
  readonly #requests: RequestQueue;
  /** Made for the first content. */
  #madeAssembler: ContentAssembler | undefined;
  /** Made for the first publish. */
  #repeated: RepeatedProperties | undefined;
  /** Made when confirms are asked for. */
  #confirms: Confirms | undefined;
  #phase: ChannelPhase = "opening";
  #mode: ChannelMode = "plain";
  #flowActive = true;
  /** The consumers whose bodies are lent. */
  readonly #borrowers = new LazyMap<string, true>();
  #closeRequested = false;
  /** Made for the first request that nothing may overtake. */
  #held: HeldOutput | undefined;
  /** Why the channel ends, where that was settled before the closing handshake is over. */
  #error: ChannelError | undefined;
  /** The end was reported already; only the number is not free yet. */
  #reported = false;

  constructor(number: number, host: ChannelHost) {
    this.number = number;
    this.#host = host;
    this.#requests = new RequestQueue(host.limits.maxWaitingRequests, this);
    this.#requests.add(new PendingRequest("channel.open", number), {});
  }

  get state(): ChannelPhase {
    if (this.#reported) return "closed";
    return this.#closeRequested ? "closing" : this.#phase;
  }

  get mode(): ChannelMode {
    return this.#mode;
  }

  get flowActive(): boolean {
    return this.#flowActive;
  }

  get nextSequence(): number {
    return this.#confirms?.next ?? 1;
  }

  get unconfirmed(): number {
    return this.#confirms?.outstanding ?? 0;
  }

  // Commands

  request<M extends ChannelRequestName>(method: M, fields: Arguments<M>): Request<M> {
    this.#requireUsable(method);
    if (!isChannelRequest(method)) throw invalid(method, "is not a request of a channel");
    if (asksForNoReply(fields)) throw invalid(method, "with noWait has no reply: use send()");
    const request = new PendingRequest(method, this.number);
    this.#requests.add(request, fields);
    this.#requested(request);
    return request;
  }

  send<M extends OneWayName>(method: M, fields: Arguments<M>): void {
    if (isNeverAnswered(method)) {
      this.#requireOpen(method);
      this.#output().method(this.number, method, fields);
      return;
    }
    this.#requireUsable(method);
    if (!isChannelRequest(method)) throw invalid(method, "is not a method that a client sends on a channel");
    if (!asksForNoReply(fields)) throw invalid(method, "without noWait has a reply: use request()");
    const request = new PendingRequest(method, this.number, true);
    this.#requests.add(request, fields);
    this.#requested(request);
  }

  publish(publication: Publication): number {
    this.#requireOpen("basic.publish");
    const confirms = this.#confirms;
    if (confirms === undefined) {
      this.#write(publication);
      return 0;
    }
    if (confirms.outstanding >= this.#host.limits.maxUnconfirmed) {
      throw new UsageError(
        "LIMIT_REACHED",
        `${confirms.outstanding} publishes wait for their confirm (limits.maxUnconfirmed)`,
      );
    }
    this.#write(publication);
    return confirms.published();
  }

  #write(publication: Publication): void {
    this.#repeated ??= new RepeatedProperties();
    this.#output().publish(this.number, publication, this.#repeated);
  }

  ack(deliveryTag: number, multiple: boolean): void {
    this.#requireOpen("basic.ack");
    this.#output().ack(this.number, deliveryTag, multiple);
  }

  nack(deliveryTag: number, multiple: boolean, requeue: boolean): void {
    this.#requireOpen("basic.nack");
    this.#output().nack(this.number, deliveryTag, multiple, requeue);
  }

  reject(deliveryTag: number, requeue: boolean): void {
    this.#requireOpen("basic.reject");
    this.#output().reject(this.number, deliveryTag, requeue);
  }

  close(farewell: Farewell = {}): void {
    if (this.#closeRequested || this.#reported) return;
    this.#requests.addLast(new PendingRequest("channel.close", this.number), closeFields(farewell));
    this.#closeRequested = true;
  }

  lendBodies(consumerTag: string, lend: boolean): void {
    if (lend) this.#borrowers.set(consumerTag, true);
    else if (this.#borrowers.delete(consumerTag) && this.#borrowers.size === 0) this.#madeAssembler?.endLending();
  }

  // What arrives

  /** Takes the frame that the reader stands at. */
  frame(reader: FrameReader): ConnectionEvent | undefined {
    const { bytes, start, end } = reader;
    switch (reader.type) {
      case frameType.method:
        return this.#method(reader);
      case frameType.header:
        return this.#message(this.#assembler().header(bytes, start, end));
      default: {
        const content = this.#assembler().body(bytes, start, end, reader.last);
        // What came behind it is in memory that goes to the receiver, who may do with it whatever he likes.
        if (content !== undefined && this.#assembler().inPlace) reader.detach();
        return this.#message(content);
      }
    }
  }

  /** Where the transport may read to what it brings next, where the reader is inside of a body frame of this channel. */
  readTarget(reader: FrameReader): Uint8Array | undefined {
    return this.#madeAssembler?.target(reader);
  }

  #method(reader: FrameReader): ConnectionEvent | undefined {
    const { bytes, start, end } = reader;
    if (this.#madeAssembler?.busy === true) {
      throw new ProtocolError("UNEXPECTED_FRAME", `Got a method on channel ${this.number} in the middle of a content`);
    }
    if (this.#phase === "open") {
      // The two that come with every message take a short cut past the tables.
      const id = methodId(bytes, start);
      if (id === deliverId) return this.#deliver(reader);
      if (id === ackId) return this.#settled(decodeAck(bytes, start, end), "ack");
    }
    const method = decodeMethod(bytes, start, end, this.#host.strings) as ChannelMethod;
    const phase = nextPhase(channelPhases, this.#phase, method.name);
    if (phase !== undefined) return this.#handle(method, phase);
    if (this.#phase === "closing") {
      // Discarded, but a content is still a content.
      if (isContentMethod(method)) this.#assembler().begin(method);
      return undefined;
    }
    throw new ProtocolError("COMMAND_INVALID", `Got ${method.name} on channel ${this.number}, which is ${this.#phase}`);
  }

  /** A delivery begins. Mostly all of it is there already, and is taken in one go. */
  #deliver(reader: FrameReader): ConnectionEvent | undefined {
    const { frameByFrame, counters, delivers } = this.#host;
    const fields = delivers.read(reader);
    const lends = this.#borrowers.size > 0 && this.#borrowers.has(fields.consumerTag);
    if (!frameByFrame && !this.#reported && reader.peekContent()) {
      const content = this.#assembler().whole(reader, lends);
      if (content !== undefined) {
        reader.takeContent();
        counters.framesReceived += 2;
        counters.messagesReceived += 1;
        return deliverEvent(this.number, fields, content);
      }
    }
    this.#assembler().begin({ name: "basic.deliver", fields: { ...fields } }, lends);
    return undefined;
  }

  #handle(method: ChannelMethod, phase: ChannelPhase): ConnectionEvent | undefined {
    switch (method.name) {
      case "basic.ack":
        return this.#settled(method.fields, "ack");
      case "basic.nack":
        return this.#settled(method.fields, "nack");
      case "basic.get-ok":
        this.#requests.expect(method.name);
        this.#assembler().begin(method);
        return undefined;
      case "basic.deliver":
      case "basic.return":
        this.#assembler().begin(method);
        return undefined;
      case "basic.cancel":
        // RabbitMQ always sets no-wait here, and before 4.3 it closes the connection when it is answered.
        if (!method.fields.noWait) {
          this.#output().method(this.number, "basic.cancel-ok", { consumerTag: method.fields.consumerTag });
        }
        return { type: "basic.cancel", channel: this.number, consumerTag: method.fields.consumerTag };
      case "channel.flow":
        this.#flowActive = method.fields.active;
        this.#output().method(this.number, "channel.flow-ok", { active: method.fields.active });
        return { type: "channel.flow", channel: this.number, active: method.fields.active };
      case "channel.open-ok":
        // The phase first: a close that waited is sent with the reply, and moves on from here.
        this.#phase = phase;
        this.#requests.reply(method.name);
        return { type: "channel-open", channel: this.number };
      case "channel.close":
        return this.#closedByServer(method.fields, phase);
      case "channel.close-ok":
        return this.#closed();
      case "tx.commit-ok":
        this.#held?.release();
        return this.#replied(method);
      default:
        return this.#replied(method);
    }
  }

  #replied(method: ChannelMethod): ReplyEvent {
    const request = this.#requests.reply(method.name);
    return { type: "reply", channel: this.number, request, reply: method as ReplyEvent["reply"] };
  }

  #message(content: Content | undefined): ConnectionEvent | undefined {
    if (content === undefined || this.#reported) return undefined;
    const method = this.#assembler().method as ContentMethod;
    const channel = this.number;
    if (this.#phase !== "open" && method.name !== "basic.return") return undefined;
    this.#host.counters.messagesReceived += 1;
    switch (method.name) {
      case "basic.deliver":
        return deliverEvent(channel, method.fields, content);
      case "basic.return":
        return { type: "basic.return", channel, ...method.fields, content };
      case "basic.get-ok": {
        const request = this.#requests.reply(method.name) as PendingRequest<"basic.get">;
        return { type: "basic.get-ok", channel, request, ...method.fields, content };
      }
    }
  }

  #settled({ deliveryTag, multiple }: Fields<"basic.ack">, outcome: ConfirmOutcome): undefined {
    if (this.#confirms === undefined) {
      throw new ProtocolError(
        "COMMAND_INVALID",
        `Got a confirm on channel ${this.number}, which is not in confirm mode`,
      );
    }
    if (!this.#reported) this.#confirms.settle(deliveryTag, multiple, outcome);
  }

  // Endings

  #closedByServer(fields: Fields<"channel.close">, phase: ChannelPhase): ChannelClosedEvent | undefined {
    const reason = closeReason(fields);
    // The server's reason tells more than that we closed it too.
    this.#error ??= new ChannelError(
      "CHANNEL_CLOSED_BY_SERVER",
      `The server closed channel ${this.number}: ${reason.replyCode} ${reason.replyText}`,
      reason,
    );
    this.#host.writer.method(this.number, "channel.close-ok", {});
    // Where both closed at once, the number is free when our own close is answered too.
    return phase === "closing" ? undefined : this.#closed();
  }

  #closed(): ChannelClosedEvent | undefined {
    this.#phase = "closed";
    this.#host.numberFreed(this.number);
    return this.#report(this.#error);
  }

  /** The connection ended, and the channel with it. */
  connectionClosed(error: ConnectionError): ChannelClosedEvent | undefined {
    this.#held?.discard();
    this.#phase = "closed";
    return this.#report(this.#error ?? error);
  }

  /** A request was not answered in time. Its late reply could be taken for the next one's, so the channel cannot go on. */
  requestTimedOut(request: PendingRequest): ChannelClosedEvent | undefined {
    this.#error ??= new ChannelError(
      "REQUEST_TIMEOUT",
      `${request.method} on channel ${this.number} was not answered in time (requestTimeout)`,
      { method: request.method },
    );
    const event = this.#report(this.#error);
    if (this.#phase !== "closing") {
      const close = new PendingRequest("channel.close", this.number);
      this.#requests.addLast(close, closeFields({ replyText: "Request timeout" }));
    }
    return event;
  }

  /** Tells of the end, once. Opening and closing are not requests of the caller's. */
  #report(error: ChannelError | ConnectionError | undefined): ChannelClosedEvent | undefined {
    const unanswered = this.#requests.drain();
    const { writer, limits, events } = this.#host;
    const before = writer.totalSize;
    this.#held?.discard();
    const mark = limits.outputHighWater;
    if (before >= mark && writer.totalSize < mark) events.push({ type: "writable" });
    if (this.#reported) return undefined;
    this.#reported = true;
    const requests = unanswered.filter(({ method }) => method !== "channel.open" && method !== "channel.close");
    return { type: "channel-closed", channel: this.number, error, requests };
  }

  // Requests

  /** Where requests are written. */
  get writer(): FrameWriter {
    return this.#host.writer;
  }

  requestWritten(request: PendingRequest): void {
    if (!request.noWait) this.#host.requestWritten(request);
    switch (request.method) {
      case "channel.close":
        this.#phase = "closing";
        break;
      case "confirm.select":
      case "tx.select":
      case "tx.rollback":
        this.#held?.release();
        break;
    }
  }

  /** What is published or settled from now on comes behind a request that changes what that means. */
  #requested({ method, sent }: PendingRequest): void {
    switch (method) {
      case "tx.commit":
        return this.#beginHold();
      // The server refuses to change the mode once there is one, and means the first until it has said so.
      case "confirm.select":
        if (this.#mode === "plain") this.#confirmFromNow();
        break;
      case "tx.select":
        if (this.#mode === "plain") this.#mode = "tx";
        break;
      case "tx.rollback":
        break;
      default:
        return;
    }
    if (!sent) this.#beginHold();
  }

  #confirmFromNow(): void {
    this.#mode = "confirm";
    const { number } = this;
    const { events } = this.#host;
    this.#confirms = new Confirms((first, last, outcome) => {
      events.push({ type: "settled", channel: number, first, last, outcome });
    });
  }

  // Helpers

  /** Where publishes and settlements are written at this moment. */
  #output(): FrameWriter {
    return this.#held?.writer ?? this.#host.writer;
  }

  #beginHold(): void {
    this.#held ??= new HeldOutput(this.#host.writer);
    this.#held.begin();
  }

  #assembler(): ContentAssembler {
    return (this.#madeAssembler ??= new ContentAssembler(this.#host.slab, this.#host.limits.maxBodySize));
  }

  #requireUsable(method: string): void {
    if (this.#closeRequested || this.#reported) throw this.#illegal(method);
    const { writer, limits } = this.#host;
    // Until a consumer is ended the server sends it more, and for a message that is not settled it sends no other.
    if (writer.totalSize >= limits.maxOutput && method !== "basic.cancel" && !isNeverAnswered(method)) {
      throw new UsageError("LIMIT_REACHED", `${writer.totalSize} bytes of output wait to be sent (limits.maxOutput)`);
    }
  }

  #requireOpen(method: string): void {
    if (this.#phase !== "open") throw this.#illegal(method);
    this.#requireUsable(method);
  }

  #illegal(method: string): UsageError {
    return new UsageError("ILLEGAL_STATE", `${method} on channel ${this.number}, which is ${this.state}`);
  }
}

function deliverEvent(channel: number, fields: Fields<"basic.deliver">, content: Content): DeliverEvent {
  const { consumerTag, deliveryTag, redelivered, exchange, routingKey } = fields;
  return { type: "basic.deliver", channel, consumerTag, deliveryTag, redelivered, exchange, routingKey, content };
}

function isContentMethod(method: ChannelMethod): method is ContentMethod {
  return "content" in methods[method.name];
}
