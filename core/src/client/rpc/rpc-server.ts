/** The answering side of remote calls: requests in, a handler, replies out, and only then the acknowledgement. */

import type { Millis } from "../../engine/config.ts";
import { ChannelError } from "../../engine/errors.ts";
import { directReplyTo } from "../../recovery/replay.ts";
import { isBytes } from "../../wire/bytes.ts";
import { UsageError } from "../../wire/errors.ts";
import { checkCodec, decodeMessage, type EncodedMessage, encodeMessage, type MaybePromise } from "../codecs/codec.ts";
import { CodecError } from "../codecs/codec-error.ts";
import { type Connection, type ConnectionInternals, internalsOf } from "../connection.ts";
import type { Consumer } from "../consumer.ts";
import type { ConsumerEnd } from "../consumer-options.ts";
import type { ConsumerDelivery } from "../delivery.ts";
import { closeAfterHandlers } from "../handlers-publisher.ts";
import { UnroutableError } from "../errors.ts";
import { checkMessageNames } from "../message-names.ts";
import { patience } from "../option-checks.ts";
import { contain, type Report } from "../listeners.ts";
import type { Publisher } from "../publisher.ts";
import { errorHeaders, internalError, RpcError } from "./rpc-error.ts";
import { defaultDrain, defaultServerConcurrency, type RpcServerOptions, rpcServerNames } from "./rpc-options.ts";
import { ReplyWith, type RpcHandler, ServedRequest } from "./rpc-request.ts";

/** What a server has done so far. */
export interface RpcServerCounters {
  /** Requests that were answered with a result. */
  readonly answered: number;
  /** Requests that were answered with an error. */
  readonly failed: number;
  /** Requests that nobody wanted to have answered, or whose caller was gone. */
  readonly unanswered: number;
}

/**
 * Answers requests from a queue, many at a time. A request is acknowledged when its reply is confirmed, so none is lost
 * with a server or a connection; one that comes again is handled again.
 *
 * A handler that throws answers with an error: the caller gets an `RpcError`. What it gets of other errors than
 * `RpcError` is `INTERNAL_ERROR` and nothing else, unless `describeError` says more; the error itself is reported as the
 * connection's `callback-error`.
 *
 * ```ts
 * const server = await openRpcServer(connection, { queue: "sums", requestCodec: jsonCodec<number[]>(), replyCodec: jsonCodec<number>() },
 *   (numbers) => numbers.reduce((a, b) => a + b, 0));
 * ```
 *
 * @throws as `Connection.openConsumer`.
 */
export async function openRpcServer<Request = Uint8Array, Reply = Uint8Array>(
  connection: Connection,
  options: RpcServerOptions<Request, Reply>,
  handler: RpcHandler<Request, Reply>,
): Promise<RpcServer> {
  const internals = internalsOf(connection);
  checkMessageNames(options, rpcServerNames);
  if (typeof handler !== "function") throw new UsageError("INVALID_ARGUMENT", "The handler is not a function");
  const { queue, consumerTag, exclusive, arguments: table, signal } = options;
  const { requestCodec, replyCodec, concurrency, prefetch } = options;
  if (requestCodec !== undefined) checkCodec(requestCodec, "requestCodec");
  if (replyCodec !== undefined) checkCodec(replyCodec, "replyCodec");
  const limit = concurrency ?? (prefetch === undefined || prefetch === 0 ? defaultServerConcurrency : prefetch);
  const publisher = await connection.openPublisher({ persistent: false, signal });
  const answering = new Answering(publisher, options, handler, internals);
  try {
    const consumer = await connection.openConsumer(
      {
        queue,
        consumerTag,
        exclusive,
        arguments: table,
        prefetch: prefetch ?? limit,
        concurrency: limit,
        settle: "manual",
        signal,
      },
      (delivery) => answering.answer(delivery),
    );
    return new RpcServer(consumer, publisher, answering);
  } catch (error) {
    void publisher.close();
    throw error;
  }
}

/** A server that runs. */
export class RpcServer {
  readonly #consumer: Consumer;
  readonly #publisher: Publisher;
  readonly #answering: Serving;
  #closing: Promise<void> | undefined;

  /** `openRpcServer` is the way in. */
  constructor(consumer: Consumer, publisher: Publisher, answering: Serving) {
    this.#consumer = consumer;
    this.#publisher = publisher;
    this.#answering = answering;
    void consumer.ended.then((end) => {
      if (end.type === "lost" || end.type === "not-recovered") answering.abandon(end.error);
      else if (end.type === "closed") answering.abandon(serverClosed());
    });
  }

  /** The queue that requests come from. */
  get queue(): string {
    return this.#consumer.queue;
  }

  /** Requests that are being handled. */
  get running(): number {
    return this.#consumer.running;
  }

  /** What the server has done so far. */
  get counters(): RpcServerCounters {
    return this.#answering.counters;
  }

  /** Why the server gets no more requests. Resolves when it is so, and never rejects. */
  get ended(): Promise<ConsumerEnd> {
    return this.#consumer.ended;
  }

  /**
   * Takes no more requests, waits for those that are being handled, and sends their replies. Requests that were not
   * handled go back to the queue; the signal of those that were being handled aborts then.
   *
   * @param options - `drain`: how long to wait for handlers, in milliseconds; default 30 s.
   */
  async close({ drain = defaultDrain }: { readonly drain?: Millis | undefined } = {}): Promise<void> {
    patience(drain, "drain");
    this.#closing ??= this.#close(drain);
    return this.#closing;
  }

  /** Closes the server, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(drain: Millis): Promise<void> {
    await this.#consumer.close({ drain });
    this.#answering.abandon(serverClosed());
    await closeAfterHandlers(this.#publisher);
  }
}

function serverClosed(): ChannelError {
  return new ChannelError("CHANNEL_CLOSED", "The RPC server was closed");
}

/** The requests that a server answers. */
interface Serving {
  readonly counters: RpcServerCounters;
  /** Those that are being handled went back to their queue: nobody waits for these handlers. */
  abandon(reason: unknown): void;
}

/** What a request is answered with. */
interface Answer extends EncodedMessage {
  readonly isError: boolean;
}

/** From a delivery to its reply. Nothing that happens to one request is thrown. */
class Answering<Request, Reply> implements Serving {
  readonly counters: { answered: number; failed: number; unanswered: number } = {
    answered: 0,
    failed: 0,
    unanswered: 0,
  };
  readonly #publisher: Publisher;
  readonly #options: RpcServerOptions<Request, Reply>;
  readonly #handler: RpcHandler<Request, Reply>;
  readonly #internals: ConnectionInternals;
  readonly #report: Report;
  readonly #running = new Set<ServedRequest>();

  constructor(
    publisher: Publisher,
    options: RpcServerOptions<Request, Reply>,
    handler: RpcHandler<Request, Reply>,
    internals: ConnectionInternals,
  ) {
    this.#publisher = publisher;
    this.#options = options;
    this.#handler = handler;
    this.#internals = internals;
    this.#report = internals.report;
  }

  abandon(reason: unknown): void {
    for (const request of this.#running) request.abandon(reason);
  }

  async answer(delivery: ConsumerDelivery): Promise<void> {
    let isAnswered = true;
    try {
      const { replyTo = "" } = delivery.properties;
      const answer = await this.#handle(delivery);
      if (answer === undefined) isAnswered = false;
      else if (replyTo === "") this.counters.unanswered += 1;
      else isAnswered = await this.#send(delivery, replyTo, answer);
    } catch (error) {
      // Properties that do not parse: whoever sent them expects nothing.
      this.#report(error);
    }
    if (!delivery.outstanding) return;
    try {
      if (isAnswered) delivery.ack();
      else delivery.nack();
    } catch (error) {
      // Whatever it is, the request goes back with the channel.
      this.#report(error);
    }
  }

  /** `undefined` for what failed when it was others' to answer already. */
  async #handle(delivery: ConsumerDelivery): Promise<Answer | undefined> {
    const request = new ServedRequest(delivery, this.#internals);
    this.#running.add(request);
    try {
      const reply = await this.#handler(await this.#decode(delivery), request);
      return { ...(await this.#encode(reply)), isError: false };
    } catch (error) {
      const isAbort = request.isAbort(error);
      if (!request.abandoned) return this.#errorReply(isAbort ? new RpcError("TIMEOUT", "The time was up") : error);
      if (!isAbort) this.#report(error);
      return undefined;
    } finally {
      request.done();
      this.#running.delete(request);
    }
  }

  #decode({ body, properties }: ConsumerDelivery): MaybePromise<Request> {
    const codec = this.#options.requestCodec;
    return codec === undefined ? (body as Request) : decodeMessage(codec, { body, properties });
  }

  #encode(reply: Reply | ReplyWith<Reply>): MaybePromise<EncodedMessage> {
    const { replyCodec, properties: common } = this.#options;
    const isSpecial = reply instanceof ReplyWith;
    const value = isSpecial ? reply.value : reply;
    const properties = isSpecial ? { ...common, ...reply.properties } : common;
    if (replyCodec !== undefined) return encodeMessage(replyCodec, value, properties);
    if (isBytes(value)) return { body: value, properties: properties ?? {} };
    throw new UsageError("INVALID_ARGUMENT", "A handler without a replyCodec returns a Uint8Array");
  }

  #errorReply(error: unknown): Answer {
    const { code, message } = this.#describe(error);
    const { properties } = this.#options;
    const headers = { ...properties?.headers, ...errorHeaders(code, message) };
    return { body: new Uint8Array(0), properties: { ...properties, headers }, isError: true };
  }

  #describe(error: unknown): { readonly code: string; readonly message: string } {
    if (error instanceof RpcError) return { code: error.remoteCode, message: error.message };
    if (error instanceof CodecError && error.code !== "ENCODE_FAILED") {
      return { code: "BAD_REQUEST", message: `The request could not be decoded; expected ${error.contentType}` };
    }
    let described: RpcError | undefined;
    contain(() => {
      described = this.#options.describeError?.(error);
    }, this.#report);
    if (described !== undefined) return { code: described.remoteCode, message: described.message };
    this.#report(error);
    return internalError;
  }

  /** Sends a reply. False: it did not arrive, and the request is to be handled once more. */
  async #send(delivery: ConsumerDelivery, replyTo: string, answer: Answer): Promise<boolean> {
    const { correlationId } = delivery.properties;
    try {
      await this.#publisher.publish(answer.body, {
        routingKey: replyTo,
        // RabbitMQ before 4.2 hands mandatory ones back although they arrived.
        mandatory: !replyTo.startsWith(directReplyTo),
        properties: { ...answer.properties, correlationId },
      });
      if (answer.isError) this.counters.failed += 1;
      else this.counters.answered += 1;
      return true;
    } catch (error) {
      // The caller is gone.
      if (error instanceof UnroutableError) {
        this.counters.unanswered += 1;
        return true;
      }
      // The reply cannot be sent, whoever tries.
      if (error instanceof UsageError && !answer.isError) {
        return this.#send(delivery, replyTo, this.#errorReply(error));
      }
      this.#report(error);
      // Once more, and not for ever.
      return error instanceof UsageError || delivery.redelivered;
    }
  }
}
