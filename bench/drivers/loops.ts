/** The loops of drivers, as far as they are the same for all libraries: what is timed, and what is checked. */

import { bodiesOf, cycle, Inspector, type Shape } from "../messages.ts";
import type { AckLoad, Broker, RpcLoad, Slice, Stopwatch } from "./driver.ts";

/** The next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

// Sending

/** Publishes that a library without back-pressure is given before one of them is awaited: best by trial. */
export const publishesPerWait = 256;

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

/** Runs an operation `count` times, no more than `window` at a time. One after the other, each is timed. */
export function windowed(
  count: number,
  window: number,
  stopwatch: Stopwatch,
  run: (index: number) => Promise<unknown>,
): Promise<void> {
  return window === 1 ? oneByOne(count, stopwatch, run) : pipelined(count, window, run);
}

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

async function pipelined(count: number, window: number, run: (index: number) => Promise<unknown>): Promise<void> {
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

// Receiving

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

/** Where a consumer of its own hands bodies to, and a promise of when there were `count`. */
export function receiving(shape: Shape, count: number): { take: (body: Uint8Array) => void; done: Promise<void> } {
  const inspector = new Inspector(shape.size);
  const countdown = new Countdown(count);
  const take = (body: Uint8Array): void => {
    inspector.inspect(body);
    countdown.tick();
  };
  return { take, done: countdown.done };
}

/** Gets messages one after the other from a queue that has enough. */
export function getting<T>(
  broker: Broker,
  shape: Shape,
  stopwatch: Stopwatch,
  get: (queue: string) => Promise<T>,
  bodyOf: (message: T) => Uint8Array,
): Slice {
  const inspector = new Inspector(shape.size);
  return (count) => {
    const queue = broker.nextQueue(shape, 0);
    return oneByOne(count, stopwatch, async () => inspector.inspect(bodyOf(await get(queue))));
  };
}

/** What a library answers where a message should be. */
export function present<T>(message: T): Exclude<T, null | undefined | false> {
  if (message === null || message === undefined || message === false) throw new Error("there is no message");
  return message as Exclude<T, null | undefined | false>;
}

/** Deliveries of a batch that is acknowledged as one: a part of every slice, in tests too. */
const batchSize = 80;

/** What an asynchronous handler waits for. */
const ready: Promise<void> = Promise.resolve();

/**
 * A handler that checks deliveries and acknowledges them.
 *
 * @param ack - acknowledges a delivery; with `multiple` all before it as well.
 * @returns the handler, and a promise of when `count` deliveries are acknowledged.
 */
export function acknowledging<T>(
  load: AckLoad,
  count: number,
  bodyOf: (delivery: T) => Uint8Array,
  ack: (delivery: T, multiple: boolean) => void,
): { take: (delivery: T) => void | Promise<void>; done: Promise<void> } {
  const inspector = new Inspector(load.shape.size);
  const { done, settle } = settling(load, count, ack);
  const take = (delivery: T): void => {
    inspector.inspect(bodyOf(delivery));
    settle(delivery);
  };
  const takeLater = async (delivery: T): Promise<void> => {
    inspector.inspect(bodyOf(delivery));
    await ready;
    settle(delivery);
  };
  return { take: load.handler === "sync" ? take : takeLater, done };
}

/** In the order of delivery, in groups of up to eight from the last to the first, or in batches. */
function settling<T>(load: AckLoad, count: number, ack: (delivery: T, multiple: boolean) => void) {
  const countdown = new Countdown(count);
  const { done } = countdown;
  const held: T[] = [];
  const settleOne = (delivery: T): void => {
    ack(delivery, false);
    countdown.tick();
  };
  if (load.order === "in") return { done, settle: settleOne };
  const group = load.order === "batch" ? batchSize : Math.min(8, load.prefetch);
  const settle = (delivery: T): void => {
    held.push(delivery);
    if (held.length < group) return;
    if (load.order === "batch") {
      ack(delivery, true);
      countdown.tick(group);
    } else {
      for (let index = group - 1; index >= 0; index -= 1) settleOne(held[index]!);
    }
    held.length = 0;
  };
  return { done, settle };
}

/** @param messageCount - of a queue whose messages were all acknowledged. */
export function checkAcknowledged(messageCount: number): void {
  if (messageCount > 0) throw new Error(`${messageCount} messages are not acknowledged`);
}

// Calling

/** Remote calls by hand: requests that wait for their answers, by correlation id. */
export class Calls {
  readonly #size: number;
  readonly #waiting = new Map<string, (body: Uint8Array) => void>();
  #made = 0;
  readonly slice: Slice;

  /** @param send - sends a request, whose answer is to be given to {@link Calls.answered}. */
  constructor(
    { shape, inFlight }: RpcLoad,
    stopwatch: Stopwatch,
    send: (body: Buffer, correlationId: string) => unknown,
  ) {
    this.#size = shape.size;
    const bodies = bodiesOf(shape.size);
    const call = (index: number): Promise<void> => {
      const body = bodies[index & (cycle - 1)]!;
      const id = String((this.#made += 1));
      return new Promise((resolve, reject) => {
        this.#waiting.set(id, (answer) => {
          if (this.#belongs(answer, body)) resolve();
          else reject(new Error("the answer belongs to another call"));
        });
        void send(body, id);
      });
    };
    this.slice = (count) => windowed(count, inFlight, stopwatch, call);
  }

  #belongs(answer: Uint8Array, body: Uint8Array): boolean {
    return answer.length === this.#size && answer[0] === body[0] && answer.at(-1) === body.at(-1);
  }

  answered(correlationId: string | undefined, body: Uint8Array): void {
    const resolve = this.#waiting.get(correlationId ?? "");
    if (resolve === undefined) throw new Error(`an answer to no call: ${correlationId}`);
    this.#waiting.delete(correlationId ?? "");
    resolve(body);
  }
}
