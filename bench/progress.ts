/** A line that says how far it is and how long it will take, where somebody can see it. */

import type { Run } from "./pace.ts";

/** A run, and where it runs. */
export interface Task extends Pick<Run, "workload" | "client"> {
  readonly counterpart: string;
}

/** Seconds that a process takes where nothing like it was timed yet: warming up and measuring, and starting. */
const secondsUntimed = 1.5;
/** Where nobody watches, a line for so many processes. */
const tasksOfLine = 25;

export class Progress {
  readonly #tasks: readonly Task[];
  readonly #now: () => number;
  #done = 0;
  #since = 0;
  /** Seconds of those that were timed, from the closest kin to the farthest. */
  readonly #timed = new Map<string, { sum: number; count: number }>();

  /**
   * @param tasks - all that is to be done, in their order.
   * @param now - in milliseconds.
   */
  constructor(tasks: readonly Task[], now: () => number = () => performance.now()) {
    this.#tasks = tasks;
    this.#now = now;
  }

  /** The next task begins. */
  begin(): void {
    const { workload, client, counterpart } = this.#tasks[this.#done]!;
    this.#since = this.#now();
    const line = `${this.#done + 1} of ${this.#tasks.length}, ${duration(this.secondsLeft())} left: ${workload.name}, ${client.name}, ${counterpart}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
    else if (this.#done % tasksOfLine === 0) console.error(line);
  }

  /** It has ended. */
  end(): void {
    const seconds = (this.#now() - this.#since) / 1000;
    for (const key of kin(this.#tasks[this.#done]!)) {
      const timed = this.#timed.get(key) ?? { sum: 0, count: 0 };
      this.#timed.set(key, { sum: timed.sum + seconds, count: timed.count + 1 });
    }
    this.#done += 1;
    if (this.#done === this.#tasks.length && process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }

  /** What is left takes as long as what is most alike took. */
  secondsLeft(): number {
    let seconds = 0;
    for (const task of this.#tasks.slice(this.#done)) {
      const timed = kin(task).flatMap((key) => this.#timed.get(key) ?? [])[0];
      seconds += timed === undefined ? secondsUntimed : timed.sum / timed.count;
    }
    return seconds;
  }
}

/** What a task has in common with others, the most telling first. */
function kin({ counterpart, workload, client }: Task): string[] {
  return [
    JSON.stringify([counterpart, workload.name, client.name]),
    JSON.stringify([counterpart, workload.name]),
    counterpart,
  ];
}

export function duration(seconds: number): string {
  return seconds < 120 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
