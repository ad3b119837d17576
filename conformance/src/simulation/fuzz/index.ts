/** Fuzzing of engine and broker: inputs by grammar and mutation, kept when they lead somewhere new. */

export { brokerTarget } from "./broker-target.ts";
export { engineTarget } from "./engine-target.ts";
export { hashOf } from "./frames.ts";
export { distil, findingOf, Fuzzer, shrinkInput } from "./fuzzer.ts";
export type { FuzzTarget } from "./target.ts";
