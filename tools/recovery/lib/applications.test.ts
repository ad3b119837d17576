import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { Application } from "./applications.ts";

it("an order to a process that has ended by itself, and is not known to have, is no trouble", async () => {
  // Without a role it ends when it has begun.
  const application = new Application({ roles: [], urls: [], heartbeat: 1, weighEvery: 0 }, () => {});
  // No event tells of the end before the next turn of the loop.
  while (!isZombie(application.pid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  application.finish();
  expect(await application.ended(30_000)).toBeUndefined();
});

/** Whether the process has ended, and its parent has not asked how. */
function isZombie(pid: number | undefined): boolean {
  return readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
}
