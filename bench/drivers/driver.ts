/**
 * What the benchmark asks of a client. A driver writes each loop the way its library's users would for speed, with the
 * library's own back-pressure; everything else, what to check included, is the same for all.
 */

import { bodiesOf, cycle, echoKey, exchange, Inspector, routingKey, type Shape } from "../messages.ts";

/** Where the broker is, and how it differs. */
export interface Broker {
  readonly kind: "null" | "rabbitmq";
  readonly port: number;
  /** Milliseconds for which it confirms nothing. */
  readonly holdsFor: number;
  /** The queue to consume `count` messages of a shape from. Each is asked for once. */
  nextQueue(shape: Shape, count: number, consumers?: number): string;
}

/**
 * Does so many operations, and resolves when they are done: with what was published at the broker, or with what was
 * delivered checked. `count` is a multiple of the messages' cycle.
 */
export type Slice = (count: number) => Promise<void>;

export interface PublishLoad {
  readonly shape: Shape;
  /** As many as go out at once, or one in each turn of the event loop. */
  readonly pace: "burst" | "turn";
  /** Channels that take turns. */
  readonly channels?: number;
}

export interface ConfirmLoad {
  readonly shape: Shape;
  /** Unconfirmed messages at a time; 1 waits for each. */
  readonly window: number;
  /** Whether each message has a promise of its own, also where a callback for all would do. */
  readonly promises?: boolean;
}

export interface ConsumeLoad {
  readonly shape: Shape;
  readonly by: "handler" | "iterator" | "batch";
  /** The handler is lent the body for the length of its call, where a library can do that. */
  readonly lent?: boolean;
  /** Consumers of as many channels, that get messages in turn. */
  readonly consumers?: number;
}

export interface AckLoad {
  readonly shape: Shape;
  readonly prefetch: number;
  /** In the order of delivery, in groups from the last to the first, or in batches that are acknowledged as one. */
  readonly order: "in" | "out" | "batch";
  readonly handler: "sync" | "async";
}

export interface RpcLoad {
  readonly shape: Shape;
  readonly inFlight: number;
  /** By the client for remote calls that a library has; a library without one takes part with the same by hand. */
  readonly own?: boolean;
}

/** Told how long each operation took that waits for the one before, in nanoseconds. */
export type Stopwatch = (nanoseconds: number) => void;

/** A connection with what the workloads do over it. What a library cannot do is missing. */
export interface Session {
  publish?(load: PublishLoad): Promise<Slice>;
  confirm?(load: ConfirmLoad, stopwatch: Stopwatch): Promise<Slice>;
  consume?(load: ConsumeLoad): Promise<Slice>;
  ack?(load: AckLoad): Promise<Slice>;
  get?(load: { readonly shape: Shape }, stopwatch: Stopwatch): Promise<Slice>;
  rpc?(load: RpcLoad, stopwatch: Stopwatch): Promise<Slice>;
  /** Declares a queue and deletes it, while others are recorded for recovery. */
  topology?(load: { readonly recorded: number }): Promise<Slice>;
  /** Opens a channel, and returns what closes it. */
  openChannel?(): Promise<() => Promise<unknown>>;
  close(): Promise<void>;
}

export interface Driver {
  /** @param shape - of the messages to come: some libraries want larger frames for large ones. */
  connect(broker: Broker, shape: Shape): Promise<Session>;
}

// What drivers share

export { bodiesOf, cycle, echoKey, exchange, Inspector, routingKey };

/** Publishes that a library without back-pressure is given before one of them is awaited: best by trial. */
export const publishesPerWait = 256;

/** What an asynchronous handler waits for. */
export const done: Promise<void> = Promise.resolve();

/** The next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits until so many things have happened. */
export class Countdown {
  #left: number;
  #resolve!: () => void;
  readonly done: Promise<void>;

  constructor(count: number) {
    this.#left = count;
    this.done = new Promise((resolve) => (this.#resolve = resolve));
  }

  tick(count = 1): void {
    this.#left -= count;
    if (this.#left === 0) this.#resolve();
    else if (this.#left < 0) throw new Error("more happened than was asked for");
  }
}

/** Keeps no more than so many operations in flight. */
export class InFlight {
  readonly #limit: number;
  #count = 0;
  #resume: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#count >= this.#limit;
  }

  begin(): void {
    this.#count += 1;
  }

  readonly end = (): void => {
    this.#count -= 1;
    if (this.#resume !== undefined && this.#count < this.#limit) this.#wake();
  };

  readonly room = (): Promise<void> => new Promise((resolve) => (this.#resume = resolve));

  /** Resolves when nothing is in flight. */
  async drained(): Promise<void> {
    while (this.#count > 0) await this.room();
  }

  #wake(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }
}

/** Counts what was published, and compares it with what the broker says. */
export class Ledger {
  readonly #broker: Broker;
  #published = 0;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** @param messageCount - what the broker says of the queue `sink`. */
  check(count: number, messageCount: number): void {
    this.#published += count;
    // RabbitMQ's queue has a limit; who started the run looks into it at the end.
    if (this.#broker.kind === "null" && messageCount !== this.#published) {
      throw new Error(`the broker got ${messageCount} messages of ${this.#published}`);
    }
  }
}

/** Deliveries of a batch that is acknowledged as one: a part of every slice, in tests too. */
export const batchSize = 80;

/**
 * Acknowledges deliveries in the order of delivery, in groups of up to eight from the last to the first, or in batches.
 *
 * @param ack - acknowledges a delivery; with `multiple` all before it as well, which are so many.
 */
export function settler<T>(
  load: AckLoad,
  ack: (delivery: T, multiple: boolean, count: number) => void,
): (delivery: T) => void {
  if (load.order === "in") return (delivery) => ack(delivery, false, 1);
  const held: T[] = [];
  if (load.order === "batch") {
    return (delivery) => {
      held.push(delivery);
      if (held.length < batchSize) return;
      ack(delivery, true, held.length);
      held.length = 0;
    };
  }
  const group = Math.min(8, load.prefetch);
  return (delivery) => {
    held.push(delivery);
    if (held.length < group) return;
    for (let index = group - 1; index >= 0; index -= 1) ack(held[index]!, false, 1);
    held.length = 0;
  };
}

/** Runs an operation `count` times, one after the other, and times each. */
export async function oneByOne(
  count: number,
  stopwatch: Stopwatch,
  run: (index: number) => Promise<unknown>,
): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const before = process.hrtime.bigint();
    await run(index);
    stopwatch(Number(process.hrtime.bigint() - before));
  }
}

/** Runs an operation `count` times, so many at a time. */
export async function pipelined(
  count: number,
  window: number,
  run: (index: number) => Promise<unknown>,
): Promise<void> {
  const inFlight = new InFlight(window);
  const failed = (error: unknown): never => {
    throw error;
  };
  for (let index = 0; index < count; index += 1) {
    inFlight.begin();
    run(index).then(inFlight.end, failed);
    if (inFlight.isFull) await inFlight.room();
  }
  await inFlight.drained();
}

/** Requests that wait for their answers, by correlation id. */
export class Calls {
  readonly #size: number;
  readonly #waiting = new Map<string, (body: Uint8Array) => void>();
  #made = 0;

  constructor(shape: Shape) {
    this.#size = shape.size;
  }

  /** Sends with a new correlation id, and resolves with the answer's body. */
  call(body: Uint8Array, send: (correlationId: string) => void): Promise<void> {
    const id = String((this.#made += 1));
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (answer) => {
        if (answer.length === this.#size && answer[0] === body[0] && answer.at(-1) === body.at(-1)) resolve();
        else reject(new Error("the answer belongs to another call"));
      });
      send(id);
    });
  }

  answered(correlationId: string | undefined, body: Uint8Array): void {
    const resolve = this.#waiting.get(correlationId ?? "");
    if (resolve === undefined) throw new Error(`an answer to no call: ${correlationId}`);
    this.#waiting.delete(correlationId ?? "");
    resolve(body);
  }
}
