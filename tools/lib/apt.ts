/** Installing what tests need and a package of Debian's has. */

import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { CommandError, runOrThrow } from "./process.ts";
import { UnavailableError } from "./unavailable.ts";

const serviceGate = "/usr/sbin/policy-rc.d";

/** Why apt cannot be used here; undefined when it can. */
export function obstacleToApt(): string | undefined {
  const isRoot = process.getuid?.() === 0;
  const hasApt = existsSync("/usr/bin/apt-get");
  if (isRoot && hasApt) return undefined;
  return isRoot ? "there is no apt-get" : hasApt ? "this is not root" : "this is neither root nor has it apt-get";
}

let last: Promise<unknown> = Promise.resolve();

/**
 * Installs a package, one after the other, and keeps the services in it from being started.
 *
 * @throws UnavailableError when apt cannot be used here, or fails.
 */
export function installPackage(name: string): Promise<void> {
  const installed = last.then(() => installNow(name));
  last = installed.catch(() => undefined);
  return installed;
}

async function installNow(name: string): Promise<void> {
  const obstacle = obstacleToApt();
  if (obstacle !== undefined) throw new UnavailableError(`${name} is not installed, and cannot be: ${obstacle}`);
  console.error(`installing Debian's package ${name} ...`);
  const gateIsOurs = !existsSync(serviceGate);
  // 101: "starting services is not allowed".
  if (gateIsOurs) await writeFile(serviceGate, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await runOrThrow("apt-get", ["update"]);
    await runOrThrow("apt-get", ["-y", "--no-install-recommends", "install", name], { env });
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    throw new UnavailableError(`installing ${name} failed: ${cause.message}`, { cause });
  } finally {
    if (gateIsOurs) await rm(serviceGate);
  }
}
