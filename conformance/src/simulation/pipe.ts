/** One direction of a simulated link: bytes go in, and come out later, in other pieces, or not at all. */

import { concat } from "../broker/codec/octets.ts";
import type { Random } from "./random.ts";
import type { Millis, World } from "./world.ts";

/** What comes out of a pipe. */
export interface PipeEnd {
  /** The chunk is lent for the length of the call; afterwards it is overwritten. */
  received(chunk: Uint8Array): void;
  /** Nothing comes any more: the other side ended, or the link was cut. */
  ended(): void;
}

/** What a written chunk is overwritten with after it was received: whoever kept a reference will be found out. */
const scribble = 0xa5;

/** How a link behaves while nothing goes wrong. */
export interface PipeOptions {
  /** The longest time that bytes travel. */
  readonly latency: Millis;
  /** The largest piece that arrives at once. */
  readonly largestPiece: number;
}

/** Bytes on their way. Their order is kept. */
export class Pipe {
  readonly #world: World;
  readonly #random: Random;
  readonly #options: PipeOptions;
  readonly #end: PipeEnd;
  #lastArrival: Millis = 0;
  #stalledUntil: Millis = 0;
  #state: "open" | "ending" | "over" = "open";
  /** Bytes that are on their way. */
  inFlight = 0;
  #corruptNext = false;

  constructor(world: World, random: Random, options: PipeOptions, end: PipeEnd) {
    this.#world = world;
    this.#random = random;
    this.#options = options;
    this.#end = end;
  }

  /** Sends bytes, cut anew into pieces: where the chunks met depends on what outputs of earlier runs left of their memory. */
  write(chunks: readonly Uint8Array[]): void {
    if (this.#state !== "open") return;
    const bytes = concat(chunks);
    for (let start = 0; start < bytes.length; ) {
      const end = Math.min(bytes.length, start + this.#random.int(1, this.#options.largestPiece));
      this.#send(bytes.slice(start, end));
      start = end;
    }
  }

  /** Ends the direction behind what was written. */
  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#world.at(this.#arrival(), () => this.#over());
  }

  /** Drops what is on its way; the end is noticed after a while. */
  cut(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#world.after(this.#random.int(0, this.#options.latency), () => this.#end.ended());
  }

  /** Nothing arrives for that time; afterwards everything does. */
  stall(duration: Millis): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.#world.now + duration);
  }

  /** Changes one bit of the next piece that is sent. */
  corrupt(): void {
    this.#corruptNext = true;
  }

  #send(piece: Uint8Array): void {
    if (this.#corruptNext) {
      this.#corruptNext = false;
      const at = this.#random.int(0, piece.length - 1);
      piece[at] = (piece[at] as number) ^ (1 << this.#random.int(0, 7));
    }
    this.inFlight += piece.length;
    this.#world.at(this.#arrival(), () => {
      this.inFlight -= piece.length;
      if (this.#state === "over") return;
      this.#end.received(piece);
      piece.fill(scribble);
    });
  }

  #arrival(): Millis {
    const soonest = Math.max(this.#lastArrival, this.#stalledUntil, this.#world.now);
    this.#lastArrival = Math.max(soonest, this.#world.now + this.#random.int(0, this.#options.latency));
    return this.#lastArrival;
  }

  #over(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#end.ended();
  }
}
