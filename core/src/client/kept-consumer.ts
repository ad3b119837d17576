/**
 * Consumers that are there whenever their queue is. A consumer of `openConsumer` ends when the server cancels it, or when it
 * cannot come back after an outage; what is here starts another one then, with growing waits.
 */

import { ConnectionError } from "../engine/errors.ts";
import type { Millis } from "../engine/config.ts";
import {
  type BackoffOptions,
  type BackoffState,
  defaultBackoff,
  lost,
  neverOpened,
  nextAttempt,
  opened,
} from "../recovery/backoff.ts";
import { UsageError } from "../wire/errors.ts";
import type { Channel } from "./channel.ts";
import { type Connection, type ConnectionInternals, internalsOf } from "./connection.ts";
import type { Consumer, ConsumerClosed } from "./consumer.ts";
import type { ConsumerEnd, DeliveryHandler, HandlerOptions } from "./consumer-options.ts";
import { ConsumerCancelledError } from "./errors.ts";
import { Future, onAbort } from "./futures.ts";
import { contain } from "./listeners.ts";
import { aFunction, checkOptions, patience } from "./option-checks.ts";
import { backoffChecks } from "./recovery-options.ts";

/** Why a kept consumer waits. */
export interface ConsumerInterruption {
  /** What ended the consumer: `ConsumerCancelledError`, `ConsumerRecoveryError`, `ChannelError`; or why it did not start. */
  readonly cause: unknown;
  /** The next attempt, counted from 1 since a consumer was last stable. */
  readonly attempt: number;
  /** The wait until then. */
  readonly delay: Millis;
}

/** Options of a consumer that is kept. */
export interface KeepOptions extends HandlerOptions {
  /**
   * Runs before each start, on a channel that is closed afterwards: for declaring what may be gone. When it fails, so does
   * the start.
   */
  readonly prepare?: ((channel: Channel) => unknown) | undefined;
  /** How starts are spaced, and when to give up. Default: as recovery's, 1 s, doubled up to 30 s, for ever. */
  readonly backoff?: Partial<BackoffOptions> | undefined;
  /** Is told whenever the consumer has ended, or another start has failed. */
  readonly onInterruption?: ((interruption: ConsumerInterruption) => void) | undefined;
}

/**
 * Starts a consumer, and starts it again when the server cancelled it (its queue was deleted, or moved), when it could not
 * be recovered after an outage, and when its channel was closed for an error. It ends when it is closed, or with the
 * connection.
 *
 * ```ts
 * const prepare = (channel: Channel) => channel.queueDeclare({ queue: "work" });
 * const kept = await keepConsuming(connection, { queue: "work", prepare }, handle);
 * ```
 *
 * @throws as `Connection.openConsumer`, and what `prepare` throws: the first start is tried once, since a queue that is
 * not there then is mostly a mistake.
 */
export async function keepConsuming(
  connection: Connection,
  options: KeepOptions,
  handler: DeliveryHandler,
): Promise<KeptConsumer> {
  const internals = internalsOf(connection);
  const { prepare, backoff, onInterruption, signal, ...consume } = options;
  if (prepare !== undefined) aFunction(prepare, "prepare");
  if (onInterruption !== undefined) aFunction(onInterruption, "onInterruption");
  if (backoff !== undefined) checkOptions<Partial<BackoffOptions>>(backoff, backoffChecks, "backoff", "backoff.");
  const start = async (ending?: AbortSignal): Promise<Consumer> => {
    if (prepare !== undefined) {
      const channel = await connection.openChannel({ signal: ending });
      try {
        await prepare(channel);
      } finally {
        await channel.close();
      }
    }
    return connection.openConsumer({ ...consume, signal: ending }, handler);
  };
  const first = await start(signal);
  const spacing = { ...defaultBackoff, ...backoff };
  return new KeptConsumer(first, { start, spacing, internals, over: connection.closed, onInterruption });
}

interface Keeping {
  readonly start: (ending: AbortSignal) => Promise<Consumer>;
  readonly spacing: BackoffOptions;
  readonly internals: ConnectionInternals;
  /** Resolves when the connection is over. */
  readonly over: Promise<ConnectionError | undefined>;
  readonly onInterruption: KeepOptions["onInterruption"];
}

/** A consumer that is started again when it ends. */
export class KeptConsumer {
  readonly #keeping: Keeping;
  readonly #ended = new Future<ConsumerEnd>();
  readonly #ending = new AbortController();
  /** Why it ends, where that was not the consumer's own end. */
  #end: ConsumerEnd | undefined;
  #consumer: Consumer;
  #state: "consuming" | "waiting" | "ended" = "consuming";
  #backoff: BackoffState;
  #closing: Promise<ConsumerClosed> | undefined;

  /** `keepConsuming` is the way in. */
  constructor(first: Consumer, keeping: Keeping) {
    this.#keeping = keeping;
    this.#consumer = first;
    this.#backoff = opened(neverOpened, keeping.internals.io.now());
    void keeping.over.then((error) => this.#finish(error === undefined ? { type: "closed" } : { type: "lost", error }));
    void this.#keep();
  }

  /** The consumer that there is, or was last. */
  get consumer(): Consumer {
    return this.#consumer;
  }

  /** `"waiting"`: the consumer has ended, and another one will be started. */
  get state(): "consuming" | "waiting" | "ended" {
    return this.#state;
  }

  /** Why there will be no other consumer. Resolves when it is so, and never rejects. */
  get ended(): Promise<ConsumerEnd> {
    return this.#ended.promise;
  }

  /** Ends it: takes no more messages, and waits for handlers, as `Consumer.close`. */
  async close(options?: { readonly drain?: Millis | undefined }): Promise<ConsumerClosed> {
    if (options?.drain !== undefined) patience(options.drain, "drain");
    if (this.#closing === undefined) {
      this.#finish({ type: "cancelled" });
      this.#closing = this.#consumer.close(options);
    }
    return this.#closing;
  }

  /** Closes it, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => {});
  }

  /** Nothing is started any more. */
  #finish(end: ConsumerEnd): void {
    this.#end ??= end;
    this.#ending.abort();
  }

  get #isEnding(): boolean {
    return this.#ending.signal.aborted;
  }

  async #keep(): Promise<void> {
    let end: ConsumerEnd;
    do end = await this.#consumer.ended;
    while (!this.#isOver(end) && (await this.#startAgain(end)));
    this.#state = "ended";
    this.#ended.resolve(this.#end ?? end);
  }

  /** Whether the application wanted this end, or there is no connection any more. */
  #isOver(end: ConsumerEnd): boolean {
    if (this.#isEnding || end.type === "cancelled" || end.type === "closed") return true;
    return end.type === "lost" && end.error instanceof ConnectionError;
  }

  /** Resolves with whether there is another consumer. */
  async #startAgain(end: ConsumerEnd): Promise<boolean> {
    const { internals, spacing, start } = this.#keeping;
    this.#state = "waiting";
    // Handlers that run may still settle; then its channel is of no use any more.
    void this.#consumer.close().catch((error: unknown) => internals.report(error));
    this.#backoff = lost(this.#backoff, internals.io.now(), spacing);
    for (let cause = causeOf(end, this.#consumer); await this.#waited(cause); ) {
      try {
        const consumer = await start(this.#ending.signal);
        if (this.#isEnding) {
          await consumer.close();
          return false;
        }
        this.#consumer = consumer;
        this.#backoff = opened(this.#backoff, internals.io.now());
        this.#state = "consuming";
        return true;
      } catch (error) {
        if (error instanceof UsageError && error.code !== "LIMIT_REACHED") {
          internals.report(error);
          return false;
        }
        cause = error;
      }
    }
    return false;
  }

  /** Resolves with whether it is time for another start; there may be none. */
  async #waited(cause: unknown): Promise<boolean> {
    const { internals, spacing, onInterruption } = this.#keeping;
    const { io, report } = internals;
    const next = nextAttempt(this.#backoff, io.now(), io.random(), spacing);
    if (next === undefined || this.#isEnding) return false;
    this.#backoff = next.state;
    contain(() => onInterruption?.({ cause, attempt: next.state.attempts, delay: next.delay }), report);
    const over = new Future<void>();
    const cancel = io.setTimer(next.delay, () => over.resolve());
    const stopListening = onAbort(this.#ending.signal, () => over.resolve());
    await over.promise;
    cancel();
    stopListening();
    return !this.#isEnding;
  }
}

function causeOf(end: ConsumerEnd, { consumerTag }: Consumer): unknown {
  return "error" in end ? end.error : new ConsumerCancelledError(consumerTag);
}
