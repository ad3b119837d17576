/** Many messages, one promise. */

import type { Millis } from "../engine/config.ts";
import { isBytes } from "../wire/bytes.ts";
import { AmqpError, type Outcome, UsageError } from "../wire/errors.ts";
import { Future } from "./futures.ts";
import { illegal } from "./option-checks.ts";
import type { Publisher } from "./publisher.ts";
import type { PublishOptions } from "./publisher-options.ts";
import type { WaitOptions } from "./publishing.ts";

/** Messages of one batch that are handed to the publisher before one of them is confirmed. */
const maxHandedOver = 2000;

/** Bytes of their bodies. */
const maxHandedOverBytes: number = 16 * 1024 * 1024;

/** A message of a batch: a body, and what it says itself. */
export interface BatchMessage extends Omit<PublishOptions, keyof WaitOptions> {
  readonly body: Uint8Array;
}

/** Options of a batch. */
export interface BatchOptions {
  /** How long each message may take, counted from when it is handed over. Default: the publisher's. */
  readonly timeout?: Millis | undefined;
  /** Gives up what is not confirmed yet. */
  readonly signal?: AbortSignal | undefined;
}

/** A message of a batch that was not confirmed. */
export interface BatchFailure {
  /** Its place in the batch, from 0. */
  readonly index: number;
  readonly error: AmqpError;
}

/** Messages of a batch were not confirmed. All others were. */
export class BatchError extends AmqpError {
  override name = "BatchError";
  declare readonly code: "BATCH_FAILED";
  /** In the order of the batch. */
  readonly failures: readonly BatchFailure[];

  /** @param size How many messages the batch had. */
  constructor(failures: readonly BatchFailure[], size: number) {
    const first = failures[0];
    super(
      "BATCH_FAILED",
      `${failures.length} of ${size} messages were not confirmed; first, at ${first?.index}: ${first?.error.message}`,
      { cause: first?.error, outcome: outcomeOf(failures) },
    );
    this.failures = failures;
  }

  override get retryable(): boolean {
    return this.failures.every(({ error }) => error.retryable);
  }
}

/**
 * Publishes many messages, in their order, and resolves when the server has confirmed all of them. No more are under way
 * at a time than the publisher's window lets, and none is held back for those before it.
 *
 * ```ts
 * await publishBatch(publisher, orders.map((order) => ({ body: encode(order), routingKey: order.country })));
 * ```
 *
 * @throws BatchError when messages were not confirmed, with each of them and why; UsageError before anything is sent when
 * something else than messages is in the batch.
 */
export async function publishBatch(
  publisher: Publisher,
  messages: readonly (BatchMessage | Uint8Array)[],
  { timeout, signal }: BatchOptions = {},
): Promise<void> {
  if (!Array.isArray(messages)) throw illegal("messages", "an array", messages);
  messages.forEach(checkMessage);
  const batch = new Batch();
  const failures: BatchFailure[] = [];
  for (const [index, message] of messages.entries()) {
    if (batch.isFull) await batch.hasRoom();
    const { body, ...options } = isBytes(message) ? { body: message } : message;
    const publish = publisher.publish(body, {
      ...options,
      ...(timeout !== undefined && { timeout }),
      ...(signal !== undefined && { signal }),
    });
    batch.handOver(publish, body.length, (error) => failures.push({ index, error }));
  }
  await batch.isOver();
  failures.sort((a, b) => a.index - b.index);
  if (failures.length > 0) throw new BatchError(failures, messages.length);
}

/** What of a batch is under way. */
class Batch {
  #handedOver = 0;
  #bytes = 0;
  #wait: Future<void> | undefined;
  #waitsForRoom = false;

  get isFull(): boolean {
    return this.#handedOver >= maxHandedOver || this.#bytes >= maxHandedOverBytes;
  }

  handOver(publish: Promise<void>, size: number, failed: (error: AmqpError) => void): void {
    this.#handedOver += 1;
    this.#bytes += size;
    const settled = (): void => {
      this.#handedOver -= 1;
      this.#bytes -= size;
      if (this.#handedOver === 0 || (this.#waitsForRoom && !this.isFull)) this.#wait?.resolve();
    };
    publish.then(settled, (error: AmqpError) => {
      failed(error);
      settled();
    });
  }

  async hasRoom(): Promise<void> {
    this.#waitsForRoom = true;
    await this.#settles();
    this.#waitsForRoom = false;
  }

  async isOver(): Promise<void> {
    if (this.#handedOver > 0) await this.#settles();
  }

  async #settles(): Promise<void> {
    this.#wait = new Future<void>();
    await this.#wait.promise;
    this.#wait = undefined;
  }
}

function checkMessage(message: unknown, index: number): void {
  if (isBytes(message)) return;
  if (typeof message === "object" && message !== null && isBytes((message as { body?: unknown }).body)) return;
  throw new UsageError("INVALID_ARGUMENT", `messages[${index}] is a Uint8Array, or an object with a body that is one`);
}

/** Unknown as soon as one is; not sent only when none was. */
function outcomeOf(failures: readonly BatchFailure[]): Outcome {
  const outcomes = new Set(failures.map(({ error }) => error.outcome ?? "unknown"));
  if (outcomes.has("unknown")) return "unknown";
  return outcomes.has("refused") ? "refused" : "not-sent";
}
