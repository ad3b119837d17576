/** Makes inputs for a target, and keeps those that made it do something new. */

import { concat } from "../../broker/codec/octets.ts";
import type { Random } from "../random.ts";
import { largestInput, mutate, splitFrames } from "./frames.ts";
import type { FuzzOutcome, FuzzTarget } from "./target.ts";

/** Kept inputs, at most; a new one takes the place of any. */
const largestCorpus = 4000;
const freshShare = 0.15;
const noiseShare = 0.02;
const longestNoise = 400;

export class Fuzzer {
  readonly target: FuzzTarget;
  readonly #random: Random;
  readonly #corpus: Uint8Array[];
  readonly #seen = new Set<string>();

  constructor(target: FuzzTarget, random: Random, corpus: readonly Uint8Array[]) {
    this.target = target;
    this.#random = random;
    this.#corpus = [...corpus];
  }

  get corpus(): readonly Uint8Array[] {
    return this.#corpus;
  }

  /** How many different things the target has done. */
  get signatures(): number {
    return this.#seen.size;
  }

  /** The next input. */
  next(): Uint8Array {
    const random = this.#random;
    if (random.chance(noiseShare)) {
      return Uint8Array.from({ length: random.int(0, longestNoise) }, () => random.int(0, 255));
    }
    const { target } = this;
    const fresh = (): Uint8Array => target.stream(random).slice(0, largestInput);
    const kept = random.chance(freshShare) ? undefined : random.pick(this.#corpus);
    const base = kept ?? fresh();
    if (kept === undefined && random.chance(0.3)) return base;
    return mutate(
      base,
      random,
      () => target.frames(random),
      () => random.pick(this.#corpus) ?? fresh(),
    );
  }

  /** Notes what an input did. Returns true when the target had not done that before. */
  learn(bytes: Uint8Array, { signature }: FuzzOutcome): boolean {
    const before = this.#seen.size;
    for (const word of signature) this.#seen.add(word);
    if (this.#seen.size === before) return false;
    if (this.#corpus.length < largestCorpus) this.#corpus.push(bytes);
    else this.#corpus[this.#random.int(0, largestCorpus - 1)] = bytes;
    return true;
  }
}

/** The fewest inputs, small ones first, that make a target do all that these make it do. */
export function distil(target: FuzzTarget, corpus: readonly Uint8Array[]): Uint8Array[] {
  const seen = new Set<string>();
  return [...corpus]
    .sort((a, b) => a.length - b.length)
    .filter((bytes) => {
      const before = seen.size;
      for (const word of target.run(bytes).signature) seen.add(word);
      return seen.size > before;
    });
}

/** The message of what an input leads to, `undefined` when it leads to nothing. */
export function findingOf(target: FuzzTarget, bytes: Uint8Array): string | undefined {
  try {
    target.run(bytes);
    return undefined;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

/** A smaller input with the same kind of finding: frames left out, as long as it fails. */
export function shrinkInput(target: FuzzTarget, bytes: Uint8Array): Uint8Array {
  const kind = kindOf(findingOf(target, bytes));
  let smallest = splitFrames(bytes);
  for (let size = smallest.length >> 1; size > 0; size >>= 1) {
    for (let at = smallest.length - size; at >= 0; at -= size) {
      const smaller = smallest.filter((_, index) => index < at || index >= at + size);
      if (kindOf(findingOf(target, concat(smaller))) === kind) smallest = smaller;
    }
  }
  return concat(smallest);
}

function kindOf(finding: string | undefined): string | undefined {
  return finding?.replaceAll(/\d+/g, "#");
}
