/** The client tier: the promise client whole, against the embedded broker, on virtual time. */

export { InvariantViolation } from "../violation.ts";
export { type ClientPlan, defaultSteps, type Feature, features, replayArguments } from "./plan.ts";
export { type ClientReport, findViolation, simulateClients } from "./run.ts";
export type { Breathe } from "./settle.ts";
