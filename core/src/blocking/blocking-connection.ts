/** A connection for programs without `await`. */

import type { CloseOptions, Negotiated } from "../client/connection-options.ts";
import type { ConnectionState } from "../client/connection-events.ts";
import { patience } from "../client/option-checks.ts";
import type { Millis } from "../engine/config.ts";
import { UsageError } from "../wire/errors.ts";
import type { FieldTable } from "../wire/field-values.ts";
import { pack, unpack } from "../threads/pack.ts";
import { unpackError } from "../threads/pack-errors.ts";
import type { ThreadPort } from "../threads/port.ts";
import { type HostItem, type PackedEvent, portLane } from "../threads/protocol.ts";
import type { ChannelFacts } from "../threads/greeting.ts";
import { BlockingChannel } from "./blocking-channel.ts";
import type { BlockingHost } from "./blocking-lane.ts";
import type { Blocking, BlockingOptions } from "./blocking-options.ts";
import type { CallbackHandle } from "./callback-handle.ts";
import { type BlockingConnectOptions, sendableOptions } from "./connect-options.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { BlockingServices } from "./services.ts";
import { SyncPort } from "./sync-port.ts";

/** How much longer than the time for closing the worker may take to answer. */
const closeGrace: Millis = 10_000;

/** What the listeners of a blocking connection are given. */
export interface BlockingConnectionEvents {
  /** The server stopped reading from this connection: publishes wait. */
  readonly blocked: { readonly reason: string };
  /** The server reads again. */
  readonly unblocked: undefined;
  /** The connection was lost. */
  readonly disconnected: { readonly error: Error; readonly willRecover: boolean };
  /** An attempt to connect will be made. */
  readonly reconnecting: { readonly attempt: number; readonly delay: Millis };
  /** An attempt to connect failed. */
  readonly "reconnect-failed": { readonly attempt: number; readonly error: Error };
  /** Everything is back, but for what `failures` tells of. */
  readonly recovered: { readonly epoch: number; readonly took: Millis; readonly failures: readonly string[] };
  /** The server gave a queue that it names itself another name. */
  readonly "queue-renamed": { readonly oldName: string; readonly newName: string };
  /** The connection is over; `error` is `undefined` when this client closed it. */
  readonly closed: { readonly error: Error | undefined };
}

/** What is known of a connection. */
interface Look {
  readonly state: ConnectionState;
  readonly blocked: string | undefined;
  readonly negotiated: Negotiated;
  readonly serverProperties: FieldTable;
}

/**
 * A connection whose calls block until they are answered. It lives in a worker, where heartbeats are answered whatever
 * this thread does. Callbacks are called in {@link processDataEvents}, {@link sleep}, and the channels' `startConsuming`
 * and `consume`, never else.
 *
 * It recovers as the promise client's does, while calls wait; `recovery: false` makes a loss the end.
 */
export class BlockingConnection {
  readonly #port: SyncPort;
  readonly #dispatcher: Dispatcher;
  readonly #services: BlockingServices;
  readonly #host: BlockingHost;
  readonly #listeners = new Map<keyof BlockingConnectionEvents, Set<(value: never) => unknown>>();
  /** Those that are open, or whose end somebody is to be told; by their lanes. */
  readonly #channels = new Map<number, BlockingChannel>();
  readonly #callbackPorts = new Set<ThreadPort>();
  #look: Look;
  #state: "open" | "closed" = "open";
  /** Whether {@link close} was called. */
  #wasClosed = false;
  #end: Error | undefined;

  /** @internal `connect` of an adapter is the way in. */
  constructor(services: BlockingServices, options: BlockingConnectOptions | string) {
    const given = typeof options === "string" ? { uri: options } : options;
    const sendable = sendableOptions(given);
    this.#services = services;
    this.#port = new SyncPort(services, given.timeout ?? Infinity);
    this.#dispatcher = new Dispatcher(() => services.now());
    this.#host = {
      port: this.#port,
      dispatcher: this.#dispatcher,
      pumpUntil: (until, limit) => this.#pumpUntil(until, limit),
      forget: (lane) => this.#channels.delete(lane),
    };
    this.#port.addLane(portLane, { handle: (item) => this.#handle(item) });
    try {
      this.#look = this.#port.call(portLane, "connect", sendable) as Look;
    } catch (error) {
      this.#port.end();
      throw error;
    }
  }

  // What is known

  /** `"closed"` when the connection is over, or its worker is gone, as far as this thread has heard. */
  get state(): "open" | "closed" {
    return this.#port.state.isOver ? "closed" : this.#state;
  }

  /** Why the connection is over, where it was not this client that closed it. */
  get closeReason(): Error | undefined {
    return this.#end ?? (this.#state === "open" ? this.#port.loss : undefined);
  }

  /** What both sides agreed on. */
  get negotiated(): Negotiated {
    return this.#look.negotiated;
  }

  /** What the server says of itself: product, version, platform, capabilities. */
  get serverProperties(): FieldTable {
    return this.#look.serverProperties;
  }

  /** What the server says it can do, such as `"publisher_confirms"` and `"consumer_cancel_notify"`. */
  get serverCapabilities(): FieldTable {
    return (this.serverProperties["capabilities"] as FieldTable | undefined) ?? {};
  }

  /** The server's reason, while it does not read from this connection. Asks the worker. */
  get blocked(): string | undefined {
    if (this.state === "closed") return undefined;
    this.#look = this.#port.call(portLane, "look") as Look;
    return this.#look.blocked;
  }

  /** Adds a listener, which is called when events are dispatched; the returned function removes it. */
  on<Name extends keyof BlockingConnectionEvents>(
    name: Name,
    listener: (value: BlockingConnectionEvents[Name]) => unknown,
  ): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  // Channels

  /**
   * Opens a channel, with the lowest free number unless one is asked for.
   *
   * @throws UsageError LIMIT_REACHED when all numbers are in use; ConnectionError; TimeoutError.
   */
  openChannel({ number, timeout }: BlockingOptions & { readonly number?: number | undefined } = {}): BlockingChannel {
    const more = {
      timeout,
      undo: (answer: HostItem) => {
        const { lane } = unpack((answer as { value?: unknown }).value) as { lane: number };
        this.#port.outbox.post({ type: "call", lane, id: 0, method: "close", options: new Map(), abortable: false });
        this.#port.outbox.post({ type: "done", lane, tag: 0 });
      },
    };
    const facts = this.#port.call(portLane, "openChannel", { number }, more) as ChannelFacts & { lane: number };
    const channel = new BlockingChannel(this.#host, facts.lane, facts);
    this.#channels.set(facts.lane, channel);
    return channel;
  }

  // Waiting

  /**
   * Calls what waits to be called: timers that are due, calls from other threads, handlers, listeners; in the order in
   * which they came.
   *
   * @param options - `timeLimit`: how long to wait for something to call, in milliseconds. Default 0: not at all;
   * `Infinity`: as long as it takes.
   * @throws What a callback throws: the rest waits for the next call. ChannelError when the server closed a channel and
   * no call has said so yet; ConnectionError when the connection is over. UsageError ILLEGAL_STATE inside a callback.
   */
  processDataEvents({ timeLimit = 0 }: { readonly timeLimit?: Millis | undefined } = {}): void {
    requireTime("timeLimit", timeLimit);
    this.#dispatcher.requireOutside("processDataEvents is not to be called");
    const deadline = this.#port.now() + timeLimit;
    for (;;) {
      this.#port.look();
      const called = this.#dispatcher.dispatch();
      this.#throwUntoldEnd();
      if (called > 0) return;
      this.#requireOpen();
      if (this.#port.now() >= deadline) return;
      this.#port.lookOnce(Math.min(deadline, this.#dispatcher.nextTimer));
    }
  }

  /**
   * Waits for so long, and calls meanwhile what waits to be called. Inside a callback it only waits.
   *
   * @throws What a callback throws.
   */
  sleep(duration: Millis): void {
    requireTime("duration", duration);
    this.#pumpUntil(() => false, this.#port.now() + duration, false);
  }

  /** Calls `callback` once when so long has passed, and events are dispatched; the returned function cancels it. */
  callLater(delay: Millis, callback: () => unknown): () => void {
    return this.#dispatcher.callLater(delay, callback);
  }

  /**
   * Has a callback called when events are dispatched next, in its turn.
   *
   * @throws UsageError ILLEGAL_STATE when the connection is closed.
   */
  addCallbackThreadsafe(callback: () => unknown): void {
    this.#requireOpen();
    this.#dispatcher.callLater(0, callback);
  }

  /**
   * Lets other threads have a callback called in this one: functions cannot be given to another thread, so the callback
   * stays here, and a handle to call it with goes there. Post it, with its `port` transferred, and give it to
   * `CallbackCaller` there.
   *
   * @throws UsageError ILLEGAL_STATE when the connection is closed.
   */
  callbackHandle<Value>(callback: (value: Value) => unknown): CallbackHandle {
    this.#requireOpen();
    if (typeof callback !== "function") throw new UsageError("INVALID_ARGUMENT", "The callback is not a function");
    const { port1, port2 } = this.#services.messageChannel();
    this.#callbackPorts.add(port1);
    this.#port.watch(() => {
      for (let found = false; ; found = true) {
        const received = this.#services.receive(port1);
        if (received === undefined) return found;
        this.#port.state.leaveCall();
        this.#dispatcher.push(() => void callback(received.message as Value));
      }
    });
    return { port: port2, state: this.#port.state.buffer };
  }

  // The connection itself

  /** Gives the server a new secret, such as a fresh OAuth 2 token, before the old one expires. */
  updateSecret({
    timeout,
    ...options
  }: BlockingOptions & { readonly newSecret: string | Uint8Array; readonly reason: string }): void {
    this.#port.call(portLane, "updateSecret", options, { timeout });
  }

  /**
   * Closes the connection, and its channels with it, and ends the worker. Events that wait are dropped. Does nothing when
   * the connection is closed.
   *
   * @param options - `timeout`: how long to wait for the server's answer. Default: the connection's `closeTimeout`.
   */
  close(options: Blocking<CloseOptions> = {}): void {
    if (this.#wasClosed) return;
    const { timeout = Infinity } = options;
    patience(timeout, "timeout");
    this.#wasClosed = true;
    // Not by `call`, which keeps the timeout to itself: here it is the worker's.
    const send = (id: number): void => {
      const packed = pack(options, "close");
      this.#port.outbox.post({ type: "call", lane: portLane, id, method: "close", options: packed, abortable: false });
    };
    try {
      // The worker always answers, in its own time; when it is gone, that is found out.
      if (!this.#port.state.isOver) this.#port.ask(portLane, "close", send, { timeout: timeout + closeGrace });
    } finally {
      this.#state = "closed";
      this.#port.look();
      for (const port of this.#callbackPorts) port.close();
      this.#port.end();
      this.#dispatcher.clear();
    }
  }

  /** Closes the connection, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  // Inside

  #pumpUntil(until: () => boolean, limit: Millis, endMatters = true): boolean {
    const dispatches = !this.#dispatcher.isDispatching;
    for (;;) {
      if (until()) return true;
      this.#port.look();
      if (dispatches) this.#dispatcher.dispatch();
      if (until()) return true;
      const now = this.#port.now();
      if (now >= limit) return false;
      if (endMatters) this.#requireOpen();
      if (dispatches && this.#dispatcher.size > 0) continue;
      this.#port.lookOnce(dispatches ? Math.min(limit, this.#dispatcher.nextTimer) : limit, !endMatters);
    }
  }

  /** @throws What ended the connection. */
  #requireOpen(): void {
    if (this.#end !== undefined) throw this.#end;
    if (this.#state === "closed") throw new UsageError("ILLEGAL_STATE", "The connection is closed");
    this.#port.requireWorker();
  }

  #throwUntoldEnd(): void {
    for (const [lane, channel] of this.#channels) {
      if (channel.state !== "closed") continue;
      const error = channel.takeUntoldEnd();
      this.#channels.delete(lane);
      if (error !== undefined && this.#end === undefined) throw error;
    }
  }

  #handle(item: HostItem): void {
    if (item.type === "event") this.#event(item.name as keyof BlockingConnectionEvents, item.value);
  }

  #event(name: keyof BlockingConnectionEvents, { value, error: packed }: PackedEvent): void {
    const error = packed && unpackError(packed);
    if (name === "closed") {
      this.#state = "closed";
      this.#end = error;
    }
    if ((this.#listeners.get(name)?.size ?? 0) === 0) return;
    const event = name === "unblocked" ? undefined : { ...(unpack(value) as object), ...(packed && { error }) };
    this.#dispatcher.push(() => {
      for (const listener of this.#listeners.get(name) ?? []) listener(event as never);
    });
  }
}

function requireTime(name: string, value: unknown): void {
  if (typeof value === "number" && value >= 0) return;
  throw new UsageError("INVALID_ARGUMENT", `${name} is a number of milliseconds, not ${String(value)}`);
}
