/** One direction of a proxied connection. */

import type net from "node:net";
import { setImmediate as nextTurn, setTimeout as later } from "node:timers/promises";

/** How a connection breaks: with FIN to both sides, with RST to both, or so that nobody is told. */
export type Break = "cut" | "reset" | "silence";

/** The faults that count for one direction of one connection. */
export interface PipeFaults {
  /** Milliseconds. */
  readonly delay: number;
  readonly oneByteAtATime: boolean;
  readonly corruptAt: number | undefined;
  readonly breakAfter: { readonly bytes: number; readonly how: Break } | undefined;
}

/** Bytes that a pipe keeps, delayed or silent, before it stops to read. */
export const mostKept = 1_048_576;

/** See the file's comment. */
export class Pipe {
  readonly #from: net.Socket;
  readonly #to: net.Socket;
  readonly #faults: () => PipeFaults;
  readonly #break: (how: Break) => void;
  /** What has arrived and is not forwarded yet. */
  #kept: { readonly chunk: Uint8Array; readonly due: number }[] = [];
  #keptBytes = 0;
  /** Has the source ended? */
  #hasEnded = false;
  #forwarded = 0;
  #isSilent = false;
  #isWorking = false;
  /** Throws away what comes: the connection is broken. */
  #isBroken = false;

  constructor(from: net.Socket, to: net.Socket, faults: () => PipeFaults, breakAll: (how: Break) => void) {
    this.#from = from;
    this.#to = to;
    this.#faults = faults;
    this.#break = breakAll;
    from.on("data", (chunk: Uint8Array) => this.#keep(chunk));
    from.on("end", () => {
      this.#hasEnded = true;
      void this.#work();
    });
    // What breaks at one end breaks at the other.
    from.on("error", () => breakAll("reset"));
  }

  silence(): void {
    this.#isSilent = true;
  }

  speak(): void {
    this.#isSilent = false;
    void this.#work();
  }

  /** Forwards nothing any more. */
  stop(): void {
    this.#isBroken = true;
    this.#kept = [];
    this.#from.resume();
  }

  #keep(chunk: Uint8Array): void {
    if (this.#isBroken) return;
    this.#kept.push({ chunk, due: performance.now() + this.#faults().delay });
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > mostKept) this.#from.pause();
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    for (let next = this.#kept[0]; next !== undefined && !this.#isStopped; next = this.#kept[0]) {
      const wait = next.due - performance.now();
      if (wait > 0) await later(wait);
      if (this.#isStopped) break;
      this.#kept.shift();
      this.#keptBytes -= next.chunk.length;
      await this.#forward(next.chunk);
      if (this.#keptBytes <= mostKept) this.#from.resume();
    }
    this.#isWorking = false;
    if (this.#hasEnded && this.#kept.length === 0 && !this.#isStopped) this.#to.end();
  }

  get #isStopped(): boolean {
    return this.#isSilent || this.#isBroken;
  }

  async #forward(chunk: Uint8Array): Promise<void> {
    const { breakAfter, corruptAt, oneByteAtATime } = this.#faults();
    const room = breakAfter === undefined ? chunk.length : Math.max(0, breakAfter.bytes - this.#forwarded);
    const passing = chunk.slice(0, room);
    const inverted = corruptAt === undefined ? undefined : passing[corruptAt - this.#forwarded];
    if (corruptAt !== undefined && inverted !== undefined) passing[corruptAt - this.#forwarded] = inverted ^ 0xff;
    this.#forwarded += passing.length;

    if (oneByteAtATime) await this.#dribble(passing);
    else if (passing.length > 0 && !this.#to.write(passing)) await this.#drained();

    if (breakAfter === undefined || this.#forwarded < breakAfter.bytes || this.#isBroken) return;
    const rest = chunk.subarray(room);
    if (rest.length > 0) this.#kept.unshift({ chunk: rest, due: 0 });
    this.#keptBytes += rest.length;
    this.#break(breakAfter.how);
  }

  async #dribble(bytes: Uint8Array): Promise<void> {
    // What was large when the fault began must not outlast it, nor the connection.
    for (let at = 0; at < bytes.length && !this.#to.destroyed && !this.#isBroken; at += 1) {
      if (!this.#faults().oneByteAtATime) {
        this.#to.write(bytes.subarray(at));
        return;
      }
      this.#to.write(bytes.subarray(at, at + 1));
      await nextTurn();
    }
  }

  async #drained(): Promise<void> {
    if (this.#to.destroyed) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#to.off("drain", done);
        this.#to.off("close", done);
        resolve();
      };
      this.#to.on("drain", done);
      this.#to.on("close", done);
    });
  }
}
