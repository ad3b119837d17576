/** The client tier: the promise client whole, against the embedded broker, on virtual time. */

export { InvariantViolation } from "../violation.ts";
export { type ClientPlan, defaultSteps, type Feature, replayArguments } from "./plan.ts";
export { type ClientReport, findViolation, simulateClients } from "./run.ts";
export type { Breathe } from "./settle.ts";
export { shrink } from "./shrink.ts";
