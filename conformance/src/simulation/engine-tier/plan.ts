/** What a run of the engine tier is made of: a seed, a length, and what may happen. */

/** What clients do, with how likely it is. */
export const actionWeights = {
  publish: 30,
  consume: 8,
  settle: 20,
  get: 4,
  declare: 20,
  "declare-exchange": 5,
  "delete-exchange": 1,
  bind: 14,
  unbind: 1,
  delete: 2,
  purge: 1,
  cancel: 3,
  qos: 2,
  "open-channel": 10,
  "close-channel": 2,
  transact: 6,
  recover: 1,
  "update-secret": 1,
  misuse: 3,
  "stop-reading": 1,
  "close-connection": 1,
} as const;

/** What goes wrong, with how likely it is. */
export const faultWeights = {
  cut: 4,
  stall: 8,
  corrupt: 2,
  block: 3,
  unblock: 6,
  restart: 1,
  "crash-broker": 1,
  "close-connections": 1,
  "close-channel": 3,
  "cancel-consumer": 3,
  "delete-queue": 1,
  freeze: 1,
} as const;

export type ActionName = keyof typeof actionWeights;
export type FaultName = keyof typeof faultWeights;
/** Something that a run may leave out, to find what a failure needs. */
export type Feature = ActionName | FaultName;
export const features = [...Object.keys(faultWeights), ...Object.keys(actionWeights)] as readonly Feature[];

/** A run that repeats itself exactly. */
export interface SimulationPlan {
  readonly seed: number;
  /** Actions and faults, in all. */
  readonly steps: number;
  /** What does not happen in this run. Everything else draws the same numbers as without it. */
  readonly without: ReadonlySet<Feature>;
}

/** The steps of a run, unless it is told. */
export const defaultSteps = 120;

/** The arguments of the command that replays a run. */
export function replayArguments({ seed, steps, without }: SimulationPlan): string {
  const left = without.size === 0 ? "" : ` --without ${[...without].join(",")}`;
  return `--seed ${seed} --steps ${steps}${left}`;
}
