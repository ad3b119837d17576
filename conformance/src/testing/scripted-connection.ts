/** One connection of a peer: follows a script, and checks what it receives. */

import type net from "node:net";
import { TLSSocket } from "node:tls";
import { isPattern, longestStretch, pattern } from "../io-contract/pattern.ts";
import type { PeerStep } from "../io-contract/index.ts";

/** See the file's comment. */
export class ScriptedConnection {
  /** Bytes. */
  received = 0;
  /** Bytes that the connection took, of what is to be said. */
  said = 0;
  isIntact = true;
  /** Did the other side end? */
  hasEnded = false;
  readonly #socket: net.Socket;
  #echoes = false;
  /** Calls of `go` that no `"wait"` has used yet. */
  #tickets: number;
  #isReleased = false;
  #wake = (): void => {};

  constructor(socket: net.Socket, tickets: number) {
    this.#socket = socket;
    this.#tickets = tickets;
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => this.#heard(chunk));
    socket.on("end", () => {
      this.hasEnded = true;
      if (this.#echoes || this.#isReleased) socket.end();
      this.#wake();
    });
    socket.on("drain", () => {
      if (this.#echoes) socket.resume();
      this.#wake();
    });
    socket.on("close", () => this.#wake());
  }

  go(): void {
    this.#tickets += 1;
    this.#wake();
  }

  /** Leaves the script: reads what comes, and ends when the other side does. */
  release(): void {
    this.#isReleased = true;
    this.#echoes = false;
    this.#socket.resume();
    if (this.hasEnded) this.#socket.end();
    this.#wake();
  }

  /** Does one step after the other, as long as the connection lives. */
  async follow(script: readonly PeerStep[]): Promise<void> {
    for (const step of script) {
      if (this.#isOver) return;
      await this.#do(step);
    }
  }

  get #isOver(): boolean {
    return this.#isReleased || this.#socket.destroyed;
  }

  async #do(step: PeerStep): Promise<void> {
    switch (step.do) {
      case "echo":
        this.#echoes = true;
        if (this.hasEnded) this.#socket.end();
        return;
      case "say":
        return this.#say(step.bytes);
      case "hear":
        return this.#until(() => this.received >= step.bytes || this.hasEnded);
      case "hear-end":
        return this.#until(() => this.hasEnded);
      case "stall":
        this.#socket.pause();
        return;
      case "listen":
        this.#socket.resume();
        return;
      case "wait":
        await this.#until(() => this.#tickets > 0);
        this.#tickets -= 1;
        return;
      case "end":
        this.#socket.end();
        return;
      case "reset":
        this.#reset();
    }
  }

  #heard(chunk: Uint8Array): void {
    if (!isPattern(chunk, this.received)) this.isIntact = false;
    this.received += chunk.length;
    if (this.#echoes && !this.#socket.write(chunk)) this.#socket.pause();
    this.#wake();
  }

  async #say(bytes: number): Promise<void> {
    const end = this.said + bytes;
    while (this.said < end && !this.#isOver) {
      const chunk = pattern(this.said, Math.min(longestStretch, end - this.said));
      this.said += chunk.length;
      this.#socket.write(chunk);
      await this.#until(() => !this.#socket.writableNeedDrain);
    }
  }

  #reset(): void {
    // A TLS socket has no RST of its own; its transport has.
    const under: unknown = Reflect.get(this.#socket, "_parent");
    const socket = this.#socket instanceof TLSSocket ? (under as net.Socket) : this.#socket;
    socket.resetAndDestroy();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
