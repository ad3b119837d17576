/** Whether the goals are reached: ratios to the best other JavaScript library, and to what could be reached. */

import { type Cell, type Curve, nullBroker } from "./results.ts";
import { type Goal, nearLimit, nearLimitUpTo, type Workload } from "./workloads.ts";

export interface Verdict {
  readonly counterpart: string;
  readonly workload: string;
  readonly of: "cpu" | "rate" | "memory";
  readonly ours: number;
  readonly best: { readonly client: string; readonly value: number };
  /** How many times better Leveret is than the best JavaScript library; below 1 it is worse. */
  readonly ratio: number;
  readonly goal?: number;
  readonly passed?: boolean;
  /** What those reach that do less, where CPU time counts. */
  readonly limits: readonly Limit[];
  /** CPU time of Leveret in multiples of the hand-written client's, which is a goal on Node where messages are small. */
  readonly ofLimit?: { readonly times: number; readonly goal?: number; readonly passed?: boolean };
}

export interface Limit {
  readonly client: string;
  readonly value: number;
  /** How many times better it is than the best JavaScript library. */
  readonly ratio: number;
}

/** Leveret beside the best JavaScript library, at each workload, broker and runtime. */
export function verdicts(cells: readonly Cell[], workloads: readonly Workload[]): Verdict[] {
  return cells
    .filter(({ role }) => role === "ours")
    .flatMap((ours) => {
      const workload = workloads.find(({ name }) => name === ours.workload);
      if (workload === undefined) return [];
      if (workload.goal === undefined || ours.counterpart === nullBroker) return compare(ours, cells, workload) ?? [];
      // There the broker is mostly the limit: both count, how much gets through and at which cost.
      const kinds = ["rate", "cpu"] as const;
      return kinds.flatMap((of) => compare(ours, cells, { ...workload, goal: { atLeast: 1, of } }) ?? []);
    });
}

function compare(ours: Cell, cells: readonly Cell[], workload: Workload): Verdict | undefined {
  const beside = cells.filter(
    (each) => each.counterpart === ours.counterpart && each.workload === ours.workload && each.runtime === ours.runtime,
  );
  const { goal } = workload;
  const of = goal?.of ?? (ours.memory === undefined ? "cpu" : "memory");
  const better = of === "rate" ? (a: number, b: number) => a > b : (a: number, b: number) => a < b;
  const own = ours[of]?.median;
  let best: Verdict["best"] | undefined;
  for (const { role, client, [of]: measured } of beside) {
    if (role !== "peer" || measured === undefined) continue;
    if (best === undefined || better(measured.median, best.value)) best = { client, value: measured.median };
  }
  if (own === undefined || best === undefined) return undefined;
  const ratio = of === "rate" ? own / best.value : best.value / own;
  const limits = of === "cpu" ? limitsOf(beside, best.value) : [];
  return {
    counterpart: ours.counterpart,
    workload: ours.runtime === "node" ? ours.workload : `${ours.workload}, on ${ours.runtime}`,
    of,
    ours: own,
    best,
    ratio,
    ...target(ours, goal, ratio),
    limits,
    ...nearness(ours, own, limits, workload),
  };
}

function limitsOf(beside: readonly Cell[], best: number): Limit[] {
  return beside.flatMap(({ role, client, cpu }) => {
    if (role !== "limit" || cpu === undefined) return [];
    return [{ client: client.replace(/ on \w+$/, ""), value: cpu.median, ratio: best / cpu.median }];
  });
}

/** How near Leveret comes to the smallest client that does the work. */
function nearness(
  { runtime }: Cell,
  own: number,
  limits: readonly Limit[],
  workload: Workload,
): Pick<Verdict, "ofLimit"> {
  const limit = limits.find(({ client }) => client === "hand-written");
  if (limit === undefined) return {};
  const times = own / limit.value;
  const isSmall = "work" in workload && workload.work.shape.size <= nearLimitUpTo;
  if (!isSmall || runtime !== "node") return { ofLimit: { times } };
  return { ofLimit: { times, goal: nearLimit, passed: times <= nearLimit } };
}

/** The goals are for the null broker, where the client is what is measured. On RabbitMQ it is to be no worse than any. */
function target({ counterpart }: Cell, goal: Goal | undefined, ratio: number): Pick<Verdict, "goal" | "passed"> {
  if (goal === undefined) return {};
  if (counterpart === nullBroker) return { goal: goal.atLeast, passed: ratio >= goal.atLeast };
  return { goal: 1, passed: ratio >= (goal.of === "rate" ? rateWithin : 1) };
}

/** Where the broker is the limit all clients are equal, and the difference between equals is noise. */
const rateWithin = 0.95;

/** How many goals there are of a kind, and how many of them are reached. */
export interface Tally {
  readonly name: string;
  readonly reached: number;
  readonly of: number;
}

export function tallies(found: readonly Verdict[], grown: readonly Curve[]): Tally[] {
  const tally = (name: string, passed: readonly (boolean | undefined)[]): Tally => {
    const wanted = passed.filter((each) => each !== undefined);
    return { name, reached: wanted.filter(Boolean).length, of: wanted.length };
  };
  const onNullBroker = found.filter(({ counterpart }) => counterpart === nullBroker);
  const onReal = found.filter(({ counterpart }) => counterpart !== nullBroker);
  const [elsewhere, onNode] = [true, false].map((is) =>
    onNullBroker.filter(({ workload }) => workload.includes(", on ") === is),
  ) as [Verdict[], Verdict[]];
  return [
    tally(
      "beside the best other JavaScript client, on Node",
      onNode.map(({ passed }) => passed),
    ),
    tally(
      "the same on Deno and Bun",
      elsewhere.map(({ passed }) => passed),
    ),
    tally(
      `within ${nearLimit} times the hand-written client`,
      onNode.map(({ ofLimit }) => ofLimit?.passed),
    ),
    tally(
      "flat curves",
      grown.map(({ passed }) => passed),
    ),
    tally(
      "throughput on RabbitMQ",
      onReal.filter(({ of }) => of === "rate").map(({ passed }) => passed),
    ),
    tally(
      "CPU time on RabbitMQ",
      onReal.filter(({ of }) => of === "cpu").map(({ passed }) => passed),
    ),
  ].filter(({ of }) => of > 0);
}
