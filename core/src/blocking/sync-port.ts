/** A port's end in the thread that blocks: a call goes out, and the thread sleeps until it is answered. */

import { AbortError, TimeoutError } from "../client/errors.ts";
import { patience } from "../client/option-checks.ts";
import type { Millis } from "../engine/config.ts";
import { ConnectionError } from "../engine/errors.ts";
import { Outbox, isBatch, openBatch } from "../threads/outbox.ts";
import { pack, unpack } from "../threads/pack.ts";
import { packError, unpackError } from "../threads/pack-errors.ts";
import { type BodyItem, type GotItem, type GuestItem, type HostItem, portLane } from "../threads/protocol.ts";
import { ThreadError } from "../threads/thread-error.ts";
import type { AmqpError } from "../wire/errors.ts";
import type { BlockingServices, StartedWorker } from "./services.ts";
import { SharedState } from "./shared-state.ts";

/** How long a worker may take to start. */
const startLimit: Millis = 30_000;

/** How long the answer to giving up may take: it says whether the call was sent. */
const abortGrace: Millis = 1000;

/** The longest that a thread sleeps at a time. */
const longestWait: Millis = 0x7fff_ffff;

/** How long the thread sleeps at a time, and before it asks a silent worker whether it is still there. */
const pulse: Millis = 5000;

/** Sleep without a word from the worker, after which it is gone: one that runs out of memory ends without telling. */
const deadSilence: Millis = 35_000;

/** What hears of a lane while the thread looks at its port. Nothing of the application's is called then. */
export interface SyncLane {
  handle(item: HostItem): void;
}

/** How to make a call. */
export interface SyncCallMore {
  readonly timeout?: Millis | undefined;
  /** Undoes a success that came after the caller had given up. */
  readonly undo?: ((answer: HostItem) => void) | undefined;
  readonly numbered?: (id: number) => void;
}

type Answer = Extract<HostItem, { type: "reply" | "failed" | "got" }>;

export class SyncPort {
  readonly state: SharedState = new SharedState();
  readonly outbox: Outbox<GuestItem>;
  readonly #services: BlockingServices;
  readonly #worker: StartedWorker;
  readonly #timeout: Millis;
  readonly #lanes = new Map<number, SyncLane>();
  readonly #abandoned = new Map<number, (answer: HostItem) => void>();
  /** Looked at whenever the port is; each says whether it found anything. */
  readonly #watchers = new Set<() => boolean>();
  #ids = 0;
  #awaited: number | undefined;
  #answer: Answer | undefined;
  #greeted = false;
  #wasEnded = false;
  /** How long the thread has slept since the worker was heard last. */
  #silence: Millis = 0;
  #isAsked = false;

  /**
   * Starts the worker, and waits until it is there.
   *
   * @param timeout - The limit of calls that say none.
   * @throws ThreadError WORKER_LOST
   */
  constructor(services: BlockingServices, timeout: Millis) {
    this.#services = services;
    this.#timeout = timeout;
    this.#worker = services.startWorker(this.state.buffer);
    this.outbox = new Outbox<GuestItem>(this.#worker.port);
    this.#lanes.set(portLane, { handle: (item) => void (this.#greeted ||= item.type === "hello") });
    const deadline = this.now() + startLimit;
    while (!this.#greeted) {
      this.lookOnce(deadline);
      if (this.now() < deadline && !this.state.isOver) continue;
      this.#worker.terminate();
      throw new ThreadError("WORKER_LOST", "The worker for the connection did not start", { outcome: "not-sent" });
    }
  }

  now(): Millis {
    return this.#services.now();
  }

  addLane(lane: number, guest: SyncLane): void {
    this.#lanes.set(lane, guest);
  }

  removeLane(lane: number): void {
    this.#lanes.delete(lane);
  }

  /** Has something looked at whenever the port is; `look` says whether it found anything. The returned function ends that. */
  watch(look: () => boolean): () => void {
    this.#watchers.add(look);
    return () => void this.#watchers.delete(look);
  }

  /**
   * Makes a call, and blocks until it is answered.
   *
   * @throws What the call rejected with; TimeoutError; ThreadError WORKER_LOST; ConnectionError CONNECTION_CLOSED after `end`.
   */
  call(lane: number, method: string, options: object = {}, more: SyncCallMore = {}): unknown {
    const { timeout = this.#timeout, numbered } = more;
    const abortable = timeout !== Infinity;
    return this.ask(
      lane,
      method,
      (id) => {
        const packed = pack(withoutTimeout(options), method);
        numbered?.(id);
        this.outbox.post({ type: "call", lane, id, method, options: packed, abortable });
      },
      { ...more, timeout },
    );
  }

  /** Sends something that is answered, and blocks until it is. */
  ask(
    lane: number,
    what: string,
    send: (id: number) => void,
    { timeout = this.#timeout, undo }: SyncCallMore = {},
  ): unknown {
    if (this.state.isOver) throw this.#gone("not-sent");
    patience(timeout, "timeout");
    this.#ids += 1;
    const id = this.#ids;
    send(id);
    this.outbox.flush();
    const deadline = this.now() + timeout;
    let answer = this.#await(id, deadline);
    let late = false;
    if (answer === undefined) {
      late = true;
      const reason = packError(new Error("out of time"));
      this.outbox.post({ type: "abort", lane, id, reason });
      this.outbox.flush();
      answer = this.#await(id, this.now() + abortGrace);
    }
    if (answer === undefined) {
      if (undo !== undefined) this.#abandoned.set(id, undo);
      throw new TimeoutError(`${what} took longer than ${timeout} ms`, "unknown");
    }
    if (answer.type === "got") return answer;
    if (answer.type === "reply") return unpack(answer.value);
    const error = unpackError(answer.error);
    if (late && error instanceof AbortError) {
      throw new TimeoutError(`${what} took longer than ${timeout} ms`, error.outcome ?? "unknown");
    }
    throw error;
  }

  /**
   * Looks at what has arrived; when that is nothing, sleeps until there is something, or until the deadline. When the
   * worker is gone nothing comes any more: then it sleeps only where the time is to pass all the same.
   */
  lookOnce(deadline: Millis, alsoWhenOver = false): void {
    const seen = this.state.sequence;
    if (this.look()) return;
    // What looking found to say, such as what goes back.
    this.outbox.flush();
    const left = deadline - this.now();
    if (left <= 0) return;
    if (!this.state.isOver) this.#sleep(seen, left);
    else if (alsoWhenOver) this.state.wait(seen, Math.min(Math.max(left, 0.1), longestWait));
  }

  /** Sleeps, for a pulse at most: a machine that is suspended meanwhile proves nothing by the time that passes. */
  #sleep(seen: number, left: Millis): void {
    const longest = Math.min(Math.max(left, 0.1), pulse);
    const before = this.now();
    this.state.wait(seen, longest);
    this.#silence += Math.min(this.now() - before, longest);
    if (this.#silence >= deadSilence) {
      this.state.end();
    } else if (this.#silence >= pulse && !this.#isAsked) {
      this.#isAsked = true;
      // Any answer will do; nobody waits for it.
      this.outbox.post({ type: "call", lane: portLane, id: 0, method: "look", options: new Map(), abortable: false });
      this.outbox.flush();
    }
  }

  /** Looks at what has arrived; false when that is nothing. */
  look(): boolean {
    let found = false;
    for (const watcher of this.#watchers) if (watcher()) found = true;
    for (;;) {
      const received = this.#services.receive(this.#worker.port);
      if (received === undefined) return found;
      found = true;
      this.#silence = 0;
      this.#isAsked = false;
      if (isBatch<HostItem>(received.message)) openBatch(received.message, (item) => this.#handle(item));
    }
  }

  /** Ends the worker; calls that come later are told that the connection was closed. */
  end(): void {
    this.#wasEnded = true;
    this.outbox.close();
    this.state.end();
    this.#worker.port.close();
    this.#worker.terminate();
  }

  /** Why nothing can be called any more, when the worker is gone. */
  get loss(): AmqpError | undefined {
    return this.state.isOver ? this.#gone("not-sent") : undefined;
  }

  /** @throws ThreadError when the worker is gone; ConnectionError when it was ended here. */
  requireWorker(): void {
    if (this.state.isOver) throw this.#gone("not-sent");
  }

  #await(id: number, deadline: Millis): Answer | undefined {
    this.#awaited = id;
    this.#answer = undefined;
    try {
      for (;;) {
        const isOver = this.state.isOver;
        this.lookOnce(deadline);
        if (this.#answer !== undefined) return this.#answer;
        // It was over before the last look: nothing more comes.
        if (isOver) throw this.#gone("unknown");
        if (this.now() >= deadline) return undefined;
      }
    } finally {
      this.#awaited = undefined;
      this.#answer = undefined;
    }
  }

  #handle(item: HostItem): void {
    if (item.type !== "reply" && item.type !== "failed" && item.type !== "got") {
      return this.#lanes.get(item.lane)?.handle(item);
    }
    if (item.id === this.#awaited) {
      this.#answer = item;
      return;
    }
    const undo = this.#abandoned.get(item.id);
    this.#abandoned.delete(item.id);
    if (item.type !== "failed") undo?.(item);
  }

  #gone(outcome: "not-sent" | "unknown"): AmqpError {
    return this.#wasEnded
      ? new ConnectionError("CONNECTION_CLOSED", "The connection was closed by the client", { outcome })
      : new ThreadError("WORKER_LOST", "The thread of the connection is gone", { outcome });
  }
}

/** The message of a call that brought one. */
export type Got = GotItem & BodyItem;

function withoutTimeout(options: object): object {
  if (!("timeout" in options)) return options;
  const { timeout: _, ...rest } = options;
  return rest;
}
