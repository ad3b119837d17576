/** What a run of the client tier is made of: a seed, a length, and what may happen. */

/** What applications do, with how likely it is. */
export const actionWeights = {
  "open-channel": 8,
  "open-publisher": 8,
  "open-consumer": 8,
  publish: 34,
  send: 8,
  flush: 3,
  ready: 3,
  declare: 10,
  "declare-exchange": 5,
  "delete-exchange": 1,
  bind: 10,
  unbind: 1,
  delete: 4,
  purge: 1,
  get: 5,
  settle: 14,
  consume: 4,
  qos: 1,
  recover: 1,
  commit: 6,
  pause: 3,
  take: 4,
  cancel: 3,
  abort: 3,
  "update-secret": 1,
  misuse: 3,
  "close-channel": 2,
  "close-publisher": 2,
  "close-consumer": 3,
  "close-connection": 1,
} as const;

/** What goes wrong, with how likely it is. */
export const faultWeights = {
  cut: 4,
  stall: 7,
  corrupt: 2,
  "refuse-dials": 2,
  "ignore-dials": 1,
  block: 3,
  unblock: 6,
  restart: 1,
  "crash-broker": 1,
  "wipe-broker": 1,
  "close-connection-by-server": 2,
  "close-channel-by-server": 3,
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
export interface ClientPlan {
  readonly seed: number;
  /** Actions and faults, in all. */
  readonly steps: number;
  /** What does not happen in this run. */
  readonly without: ReadonlySet<Feature>;
  /** Whether connections recover: then losses are no ends, and applications keep what they have. Default false. */
  readonly recovery?: boolean;
}

/** The steps of a run, unless it is told. */
export const defaultSteps = 120;

/** The arguments of the command that replays a run. */
export function replayArguments({ seed, steps, without, recovery = false }: ClientPlan): string {
  const left = without.size === 0 ? "" : ` --without ${[...without].join(",")}`;
  return `--tier ${recovery ? "recovery" : "client"} --seed ${seed} --steps ${steps}${left}`;
}
