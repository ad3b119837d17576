/**
 * What the benchmark asks of a client. A driver writes each loop the way its library's users would for speed, with the
 * library's own back-pressure; everything else, what to check included, is the same for all, and in `loops.ts`.
 */

import type { Shape } from "../messages.ts";

/** Where the broker is, and what it has. */
export interface Broker {
  readonly port: number;
  /** The queue to consume `count` messages of a shape from. Each is asked for once. */
  nextQueue(shape: Shape, count: number, consumers?: number): string;
  /**
   * After `count` messages were published.
   *
   * @param messageCount - how many the broker says there are in the queue `routingKey`.
   * @throws Error when it got more or fewer.
   */
  checkPublished(count: number, messageCount: number): void;
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
  /** Channels that take turns; only Leveret is asked for more than one. */
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
  /** Consumers of as many channels, that get messages in turn; only Leveret is asked for more than one. */
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
  /**
   * By the client for remote calls that a library has; a library without one takes part with the same by hand. The
   * hand-written client asks for what Leveret's asks for: a confirm of each request, and its return if no queue takes it.
   */
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
