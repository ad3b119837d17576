/**
 * What an adapter makes `@leveret/core/blocking` of, for its runtime: its services, and the program of its worker.
 *
 * @packageDocumentation
 */

export { endBlocking, serveBlocking } from "../serve-blocking.ts";
export { type BlockingServices, missingProgram, type StartedWorker, type WorkerData } from "../services.ts";
