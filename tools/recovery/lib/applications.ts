/** The applications of a run: processes that publish and consume, and what they tell. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Notice, Order, ProcessPlan } from "./protocol.ts";

const program = fileURLToPath(new URL("process.ts", import.meta.url));

/** One process. */
export class Application {
  readonly name: string;
  readonly plan: ProcessPlan;
  readonly #process: ChildProcess;
  readonly #ended: Promise<string | undefined>;
  readonly #waiters = new Map<Notice["type"], () => void>();
  readonly #told = new Set<Notice["type"]>();

  constructor(plan: ProcessPlan, hear: (notice: Notice) => void) {
    this.plan = plan;
    this.name = plan.roles.map(({ name }) => name).join(", ");
    this.#process = fork(program, {
      execArgv: [...process.execArgv, "--expose-gc"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#process.on("message", (notice: Notice) => {
      hear(notice);
      this.#told.add(notice.type);
      this.#waiters.get(notice.type)?.();
    });
    this.#ended = once(this.#process, "exit").then(([code, signal]) =>
      code === 0 ? undefined : `${this.name} ended with ${String(code ?? signal)}`,
    );
    this.#order({ type: "begin", plan });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves when it has told this. Rejects when it has ended without. */
  async told(type: Notice["type"]): Promise<void> {
    if (this.#told.has(type)) return;
    const told = new Promise<void>((resolve) => this.#waiters.set(type, resolve));
    const ended = this.#ended.then((how) => {
      if (!this.#told.has(type)) throw new Error(how ?? `${this.name} ended early`);
    });
    await Promise.race([told, ended]);
  }

  stopPublishing(): void {
    this.#order({ type: "stop-publishing" });
  }

  finish(): void {
    this.#order({ type: "finish" });
  }

  /** Resolves when the process has ended by itself, or was killed for not doing so: with what was wrong, if anything. */
  async ended(within: number): Promise<string | undefined> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#process.kill("SIGKILL");
    }, within);
    const how = await this.#ended;
    clearTimeout(timer);
    return late ? `${this.name} did not end within ${within / 1000} s` : how;
  }

  /** For a run that goes no further. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** One that ends by itself may have ended before this process hears of it: {@link ended} tells how, and nothing else does. */
  #order(order: Order): void {
    if (this.#process.connected) this.#process.send(order, () => {});
  }
}
