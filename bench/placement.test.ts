import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { run } from "../tools/lib/process.ts";
import { clients } from "./clients.ts";
import { startNullBroker } from "./counterparts.ts";
import { paces } from "./pace.ts";
import { coresOf, move, placed } from "./placement.ts";
import { measureAll } from "./rounds.ts";
import { workloads } from "./workloads.ts";

const cores = await coresOf(process.pid);
/** A program that says which cores it may use. */
const tells = { program: "sh", args: ["-c", 'taskset --cpu-list --pid "$$"'] };

test.runIf(cores)("a program begins on the core that it was given", async () => {
  const { program, args } = placed(tells, cores!.one);
  expect((await run(program, args)).stdout.trim()).toMatch(new RegExp(`: ${cores!.one}$`));
});

test.runIf(cores)("a process that runs is moved to one core, and back", async () => {
  const child = spawn("cat", { stdio: ["pipe", "ignore", "inherit"] });
  await once(child, "spawn");
  const pid = child.pid!;
  await move([pid], cores!.one);
  expect(await coresOf(pid)).toEqual({ all: cores!.one, one: cores!.one });
  await move([pid], cores!.all);
  expect(await coresOf(pid)).toEqual(cores);
  child.stdin.end();
  await once(child, "exit");
});

test.runIf(cores)("what cannot be is refused", async () => {
  await expect(move([process.pid], "none")).rejects.toThrow("could not be moved to none");
});

test.runIf(cores)("the null broker shares a core with the client of round trips, and with nobody else", async () => {
  const broker = await startNullBroker();
  try {
    const seen: (string | undefined)[] = [];
    const watched = {
      ...broker,
      verify: async () => void seen.push((await coresOf(broker.processes[0]!))?.all),
    };
    const named = (name: string) => workloads.find((each) => each.name === name)!;
    const plan = {
      clients: clients.filter(({ name }) => name === "hand-written"),
      workloads: [named("get 16 B"), named("publish 16 B")],
      sources: true,
      nodeOptions: [],
      pace: { ...paces.quick, warmUp: 0, measure: 0 },
    };
    expect((await measureAll(plan, watched)).failures).toEqual([]);
    expect(seen).toEqual([cores!.one, cores!.all]);
  } finally {
    await broker.stop();
  }
});
