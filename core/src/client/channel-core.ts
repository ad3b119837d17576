/**
 * A channel from the inside: it takes what the engine says about the channel, and gives it to whoever is concerned.
 * The methods that an application calls are in channel.ts.
 */

import type { ChannelEngine, ChannelRequestName, Farewell, OneWayName } from "../engine/channel-engine.ts";
import { ChannelError } from "../engine/errors.ts";
import type { ChannelClosedEvent, ConnectionEvent, DeliverEvent } from "../engine/events.ts";
import type { Arguments, Fields, ReplyName } from "../wire/method-types.ts";
import type { Deadlines } from "./deadlines.ts";
import { ConsumerDelivery, GotMessage } from "./delivery.ts";
import { AbortError, type EndError, endedWith } from "./errors.ts";
import { done, Future, rejection } from "./futures.ts";
import type { Link } from "./link.ts";
import { Listeners, type Report } from "./listeners.ts";
import { type PublishWindow, Publishing } from "./publishing.ts";
import type { Answer, CallOptions, Replies } from "./replies.ts";
import type { ReturnedMessage } from "./returned-message.ts";
import { Settlement } from "./settlement.ts";
import { Subscriptions } from "./subscriptions.ts";

/** What the listeners of a channel are given. */
export interface ChannelEvents {
  /** A mandatory message that no queue took came back. In confirm mode the publish's promise rejects as well. */
  readonly return: ReturnedMessage;
  /** The server cancelled a consumer. */
  readonly cancel: { readonly consumerTag: string };
  /** The server asked for a pause in publishing (`active: false`), which is obeyed, or ended it. RabbitMQ never does. */
  readonly flow: { readonly active: boolean };
  /** The channel is closed; `error` is `undefined` when this client closed it, or its connection. */
  readonly closed: { readonly error: EndError | undefined };
}

/** What a connection lends to its channels. */
export interface ChannelHost {
  readonly link: Link;
  readonly replies: Replies;
  readonly deadlines: Deadlines;
  /** Takes what a listener or a handler threw. */
  readonly report: Report;
}

/** The reply of a method, as its fields. */
export type ReplyFields<M extends ChannelRequestName> = Fields<ReplyName<M>>;

export class ChannelCore {
  readonly host: ChannelHost;
  readonly engine: ChannelEngine;
  readonly settlement: Settlement;
  readonly publishing: Publishing;
  readonly subscriptions: Subscriptions;
  readonly listeners: Listeners<ChannelEvents>;
  readonly #opened = new Future<void>();
  readonly #closed = new Future<EndError | undefined>();
  readonly #over = new Future<void>();
  #wasOpened = false;
  #end: EndError | undefined;
  #closing = false;

  constructor(host: ChannelHost, engine: ChannelEngine, window: PublishWindow) {
    const { link, deadlines, report } = host;
    this.host = host;
    this.engine = engine;
    this.settlement = new Settlement(engine, link);
    this.publishing = new Publishing({ link, engine, deadlines }, window);
    this.subscriptions = new Subscriptions(this);
    this.listeners = new Listeners<ChannelEvents>(report);
  }

  get number(): number {
    return this.engine.number;
  }

  /** Settles when the channel is open, or could not be opened. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get state(): "opening" | "open" | "closing" | "closed" {
    if (this.#end !== undefined) return "closed";
    return this.#closing ? "closing" : this.engine.state;
  }

  /** Resolves with the reason when the channel is closed. */
  get closed(): Promise<EndError | undefined> {
    return this.#closed.promise;
  }

  // Commands

  /** Makes a request, and returns a promise of its reply's fields. */
  call<M extends ChannelRequestName>(method: M, fields: Arguments<M>, signal?: AbortSignal): Promise<ReplyFields<M>> {
    return this.ask(method, fields, { signal, value: (answer) => replyFields<M>(answer) });
  }

  /** Makes a request, and returns a promise of what is made of its answer. */
  ask<M extends ChannelRequestName, T>(method: M, fields: Arguments<M>, options: CallOptions<T>): Promise<T> {
    const { signal } = options;
    const end = this.#unusable();
    if (end !== undefined) return rejection(() => endedWith(end, "not-sent"));
    if (signal?.aborted === true) return rejection(() => new AbortError(signal.reason, "not-sent"));
    this.settlement.flush();
    try {
      const request = this.engine.request(method, fields);
      this.host.link.touch();
      return this.host.replies.expect(request, options);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Sends a method that is not answered. */
  tell<M extends OneWayName>(method: M, fields: Arguments<M>): Promise<void> {
    const end = this.#unusable();
    if (end !== undefined) return rejection(() => endedWith(end, "not-sent"));
    this.settlement.flush();
    try {
      this.engine.send(method, fields);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.host.link.touch();
    return done;
  }

  /** Closes the channel; resolves when it is closed, for whatever reason. */
  close(farewell: Farewell): Promise<void> {
    if (this.#closing || this.#end !== undefined) return this.#over.promise;
    try {
      this.settlement.flush();
      this.engine.close(farewell);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.#closing = true;
    this.publishing.stop(closedByClient(this.number));
    this.host.link.touch();
    return this.#over.promise;
  }

  // What the engine says

  handle(event: Exclude<ConnectionEvent, { type: "channel-closed" | "closed" }>): void {
    switch (event.type) {
      case "basic.deliver":
        return this.#deliver(event);
      case "settled":
        return this.publishing.settled(event);
      case "basic.return":
        return this.listeners.emit("return", this.publishing.returned(event));
      case "basic.cancel":
        this.subscriptions.cancelledByServer(event.consumerTag);
        return this.listeners.emit("cancel", { consumerTag: event.consumerTag });
      case "channel.flow":
        this.publishing.makeUseOfRoom();
        return this.listeners.emit("flow", { active: event.active });
      case "channel-open":
        this.#wasOpened = true;
        return this.#opened.resolve();
    }
  }

  /** The channel is closed. */
  ended({ error, requests }: ChannelClosedEvent): void {
    const end = error ?? closedByClient(this.number);
    const reason = error?.code === "CONNECTION_CLOSED" ? undefined : error;
    if (!this.#wasOpened) this.#opened.fail(() => endedWith(end, end instanceof ChannelError ? "refused" : "unknown"));
    this.#end = end;
    this.settlement.end();
    this.host.replies.end(requests, end);
    this.publishing.end(end);
    this.subscriptions.end(reason === undefined ? { type: "closed" } : { type: "lost", error: end });
    this.#closed.resolve(reason);
    this.#over.resolve();
    this.listeners.emit("closed", { error: reason });
  }

  /** The message of a `basic.get`, if there was one. */
  gotMessage(answer: Answer, noAck: boolean): GotMessage | undefined {
    if (answer.type !== "basic.get-ok") return undefined;
    this.settlement.delivered(answer.deliveryTag, noAck);
    return new GotMessage(answer, noAck ? undefined : this.settlement);
  }

  #deliver(event: DeliverEvent): void {
    const { settlement } = this;
    const subscription = this.subscriptions.find(event.consumerTag);
    if (subscription === undefined) return this.subscriptions.stray(event);
    const { noAck } = subscription.info;
    settlement.delivered(event.deliveryTag, noAck);
    // On a channel that is closing nothing can be settled any more: the server gives the message back.
    if (this.#closing && !noAck) return;
    subscription.deliver(new ConsumerDelivery(event, noAck ? undefined : settlement));
  }

  #unusable(): EndError | undefined {
    return this.#end ?? (this.#closing ? closedByClient(this.number) : undefined);
  }
}

function closedByClient(number: number): ChannelError {
  return new ChannelError("CHANNEL_CLOSED", `Channel ${number} was closed by the client`);
}

function replyFields<M extends ChannelRequestName>(answer: Answer): ReplyFields<M> {
  // The engine matched the reply to the request by the table of methods.
  return (answer.type === "reply" ? answer.reply.fields : answer) as ReplyFields<M>;
}
