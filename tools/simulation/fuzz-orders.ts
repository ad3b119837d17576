/** What the fuzzer's two threads have in common. */

import { fileURLToPath } from "node:url";
import { brokerTarget, engineTarget, type FuzzTarget } from "../../conformance/src/simulation/fuzz/index.ts";

/** Inputs that led somewhere new, and those that found something: small files, named after their target. */
export const corpusFolder = fileURLToPath(new URL("../../conformance/src/simulation/fuzz-corpus", import.meta.url));

/** Room for the head (count of cases, length of the input, index of the target) and the input itself. */
export const inputSize: number = 12 + 65_536;

export interface FuzzOrders {
  readonly seconds: number;
  readonly seed: number;
  readonly targets: readonly FuzzTarget["name"][];
  readonly save: boolean;
  /** The input that is run now, for whoever has to say where the other thread hangs. */
  readonly input: SharedArrayBuffer;
}

export interface FuzzProgress {
  readonly line: string;
  readonly isFinding: boolean;
}

/** The target that a name, or the name of a file of the corpus, speaks of. */
export function targetOf(name: string): FuzzTarget {
  return name.includes(brokerTarget.name) ? brokerTarget : engineTarget;
}
