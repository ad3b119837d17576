/** What a client expects of its connection, and the judge of every event: one that may not come now is a violation. */

import type {
  ChannelClosedEvent,
  ClosedEvent,
  ConnectionEvent,
  DeliverEvent,
  GetOkEvent,
  Request,
} from "@leveret/core";
import type { Arrival, Ledger } from "../ledger.ts";
import { checkBody, idOf } from "../message-marks.ts";
import { invariant } from "../violation.ts";
import type { ChannelModel, HeldMessage, RequestModel } from "./channel-model.ts";

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

export class Expectations {
  readonly #ledger: Ledger;
  readonly channels: Map<number, ChannelModel> = new Map();
  /** The requests of channel 0. */
  readonly #requests = new Map<Request, RequestModel>();
  /** Something happened to the connection that may end it. Otherwise nothing does. */
  disturbed: boolean;
  /** Bits were changed on the way to the client: nothing that it hears can be believed any more. */
  poisoned = false;
  #ended = false;
  /** Requests that were not answered: what is on its way may still be carried out, until the broker hears our end. */
  #pending: RequestModel[] = [];
  #mayReachBroker = true;

  constructor(ledger: Ledger, disturbed: boolean) {
    this.#ledger = ledger;
    this.disturbed = disturbed;
  }

  /** The last event has come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Expects the end of a request: of a channel, or of the connection itself. */
  expect(channel: ChannelModel | undefined, request: Request, model: RequestModel): void {
    (channel?.requests ?? this.#requests).set(request, model);
  }

  /** The broker knows that the client is gone: nothing that is on its way is carried out any more. */
  brokerHeardOfTheEnd(): void {
    this.#mayReachBroker = false;
    for (const { ended } of this.#pending.splice(0)) ended?.();
  }

  /** Takes note of an event, which has to be one that may come now. */
  judge(event: ConnectionEvent): void {
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
        return this.#ledger.returned(idOf(event.content.properties.messageId));
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
          this.#ledger.settle(id, event.outcome);
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
    this.#ledger.delivered(id, arrivalOf(event, queue), consumer.seen);
    checkBody(id, event.content.body);
    if (consumer.noAck) this.#ledger.mayBeGone(id, queue);
    else this.#outstanding(channel, event.deliveryTag, { id, queue });
  }

  #got(event: GetOkEvent): void {
    const id = idOf(event.content.properties.messageId);
    const channel = this.#channel(event.channel);
    const queue = channel.requests.get(event.request)?.queue;
    invariant(queue !== undefined, "a message that was got was asked for", () => `message ${id}`);
    this.#ledger.delivered(id, { ...arrivalOf(event, queue), redelivered: true }, new Map());
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

  /** At rest: nobody waits for an answer. */
  checkAnswered(): void {
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
}

function arrivalOf(event: DeliverEvent | GetOkEvent, queue: string): Arrival {
  const { exchange, routingKey, redelivered, content } = event;
  return { queue, exchange, routingKey, redelivered, properties: content.properties, bodySize: content.body.length };
}
