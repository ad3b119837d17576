/**
 * The bench that cases work at: it opens streams, watches that each keeps the order of the contract whatever the case is
 * about, and looks at the end that nothing is left open.
 */

import {
  type ByteStream,
  type Endpoint,
  type IoServices,
  type Millis,
  type TransportError,
} from "@leveret/core/client";
import type { IoContext, Peer, PeerHost, PeerOptions } from "./contract.ts";
import { ContractError, equal, ok } from "./expect.ts";
import { isPattern, longestStretch, pattern } from "./pattern.ts";

/** How long anything may take. Reached only by a failure. */
const patience: Millis = 20_000;

/** What a case does inside the calls of a stream. May throw, where that is what the case is about. */
export interface ProbeHooks {
  readonly opened?: (probe: StreamProbe) => void;
  readonly received?: (probe: StreamProbe, chunk: Uint8Array) => void;
  readonly readTarget?: () => Uint8Array | undefined;
  readonly writable?: (probe: StreamProbe) => void;
}

/** See the file's comment. */
export class Bench {
  readonly io: IoServices;
  readonly peers: PeerHost;
  readonly #probes: StreamProbe[] = [];
  readonly #listening: Peer[] = [];

  constructor({ io, peers }: IoContext) {
    this.io = io;
    this.peers = peers;
  }

  async listen(options: PeerOptions): Promise<Peer> {
    const peer = await this.peers.listen(options);
    this.#listening.push(peer);
    return peer;
  }

  connect(endpoint: Endpoint, hooks: ProbeHooks = {}): StreamProbe {
    const probe = new StreamProbe(this, hooks);
    probe.connect(endpoint);
    this.#probes.push(probe);
    return probe;
  }

  /** Connects, and waits until the stream is open. */
  async open(endpoint: Endpoint, hooks: ProbeHooks = {}): Promise<StreamProbe> {
    const probe = this.connect(endpoint, hooks);
    await probe.until(() => probe.isOpen, "opened");
    return probe;
  }

  /** Waits for a condition that no stream reports. */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const limit = this.io.now() + patience;
    while (!(await condition())) {
      if (this.io.now() > limit) throw new ContractError(`Waited in vain for: ${what}`);
      await this.delay(2);
    }
  }

  delay(time: Millis): Promise<void> {
    return new Promise((resolve) => {
      this.io.setTimer(time, resolve);
    });
  }

  /** Many turns of the loop, and a little time: for what must not happen. */
  async quiet(): Promise<void> {
    for (let turn = 0; turn < 25; turn += 1) {
      await new Promise<void>((resolve) => {
        this.io.post(resolve);
      });
      await this.delay(1);
    }
  }

  /** The end of every case: streams that are open are aborted, each is closed once, and no connection is left. */
  async finish(): Promise<void> {
    for (const probe of this.#probes) if (!probe.isClosed) probe.abort();
    for (const probe of this.#probes) await probe.until(() => probe.isClosed, "closed");
    for (const peer of this.#listening) {
      await peer.release();
      await this.until(async () => (await peer.report()).open === 0, "the peer to see the end of every connection");
    }
    await this.quiet();
    for (const probe of this.#probes) {
      equal(probe.violations.join("; "), "", "the order of calls was kept");
      equal(probe.closes, 1, "calls of closed");
    }
  }
}

/** One stream, and everything that it said. */
export class StreamProbe implements ByteStream {
  /** Calls that came where the contract has no place for them. */
  readonly violations: string[] = [];
  /** Bytes. */
  received = 0;
  /** Calls of `received`. */
  chunks = 0;
  writables = 0;
  closes = 0;
  cause: TransportError | undefined;
  readonly #bench: Bench;
  readonly #hooks: ProbeHooks;
  readonly #waiting = new Set<() => void>();
  #stream: ByteStream | undefined;
  #opens = 0;
  /** Calls of ours that are under way. */
  #calls = 0;
  #isPaused = false;
  #wasAborted = false;
  #written = 0;

  constructor(bench: Bench, hooks: ProbeHooks) {
    this.#bench = bench;
    this.#hooks = hooks;
  }

  get isOpen(): boolean {
    return this.#opens > 0;
  }

  get isClosed(): boolean {
    return this.closes > 0;
  }

  connect(endpoint: Endpoint): void {
    this.#stream = this.#call(() =>
      this.#bench.io.connect(endpoint, {
        opened: () => {
          this.#told("opened", this.#opens > 0 || this.chunks > 0);
          this.#opens += 1;
          this.#act(() => this.#hooks.opened?.(this));
        },
        received: (chunk) => {
          this.#told("received", this.#opens === 0 || this.#isPaused || chunk.length === 0);
          if (!isPattern(chunk, this.received)) this.violations.push(`other bytes than were sent, at ${this.received}`);
          this.received += chunk.length;
          this.chunks += 1;
          this.#act(() => this.#hooks.received?.(this, chunk));
        },
        readTarget: () => {
          this.#told("readTarget", this.#opens === 0 || this.#isPaused);
          return this.#hooks.readTarget?.();
        },
        writable: () => {
          this.#told("writable", this.#opens === 0);
          this.writables += 1;
          this.#act(() => this.#hooks.writable?.(this));
        },
        closed: (cause) => {
          this.#told("closed", this.#isPaused && this.isOpen && !this.#wasAborted);
          this.closes += 1;
          this.cause = cause;
          this.#wake();
        },
      }),
    );
  }

  write(chunks: readonly Uint8Array[]): boolean {
    return this.#call((stream) => stream.write(chunks));
  }

  /** Writes so many bytes of the pattern, as one chunk. */
  writePattern(size: number): boolean {
    const chunk = pattern(this.#written, size);
    ok(size <= longestStretch, "a stretch of the pattern is not longer than its period");
    this.#written += size;
    return this.write([chunk]);
  }

  pause(): void {
    this.#isPaused = true;
    this.#call((stream) => stream.pause());
  }

  resume(): void {
    this.#isPaused = false;
    this.#call((stream) => stream.resume());
  }

  end(answered?: boolean): void {
    this.#call((stream) => stream.end(answered));
  }

  abort(): void {
    this.#wasAborted = true;
    this.#call((stream) => stream.abort());
  }

  /** Waits for what the stream says. */
  async until(condition: () => boolean, what: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (!condition()) return;
        cancel();
        this.#waiting.delete(check);
        resolve();
      };
      const cancel = this.#bench.io.setTimer(patience, () => {
        this.#waiting.delete(check);
        const { received, writables, closes, cause, violations } = this;
        const state = { opens: this.#opens, received, writables, closes, cause: cause?.message, violations };
        reject(new ContractError(`Waited in vain for: ${what}; the stream is at ${JSON.stringify(state)}`));
      });
      this.#waiting.add(check);
      check();
    });
  }

  /** Waits for the end, and gives its cause. */
  async closed(): Promise<TransportError | undefined> {
    await this.until(() => this.isClosed, "closed");
    return this.cause;
  }

  #call<T>(call: (stream: ByteStream) => T): T {
    this.#calls += 1;
    try {
      // Only `connect` is called before there is a stream, and does not use it.
      return call(this.#stream as ByteStream);
    } finally {
      this.#calls -= 1;
    }
  }

  #told(what: string, isMisplaced: boolean): void {
    if (isMisplaced) this.violations.push(`${what} out of place`);
    if (this.isClosed) this.violations.push(`${what} after closed`);
    if (this.#wasAborted && what !== "closed") this.violations.push(`${what} after abort`);
    if (this.#calls > 0) this.violations.push(`${what} inside of a call of the owner's`);
  }

  #act(hook: () => void): void {
    try {
      hook();
    } finally {
      this.#wake();
    }
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}
