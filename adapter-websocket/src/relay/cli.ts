#!/usr/bin/env node
/**
 * The command `leveret-relay`. SIGTERM and SIGINT end it in order, a second one at once; SIGHUP reads certificates again.
 *
 * Exit codes: 0 after an orderly end, 1 when it cannot start or end, 2 for settings that are wrong.
 */

import { readFile } from "node:fs/promises";
import { checkSettings, RelayConfigError } from "./config/check.ts";
import type { RelayOptions } from "./config/options.ts";
import { help } from "./config/help.ts";
import { readSources } from "./config/sources.ts";
import { errorName, openLog } from "./log.ts";
import { startRelay } from "./relay.ts";

async function main(): Promise<void> {
  const { help: wantsHelp, version, given, nameOf } = await readSources(process.argv.slice(2), process.env);
  if (wantsHelp) return void process.stdout.write(help());
  if (version) return void process.stdout.write(`${await ownVersion()}\n`);

  // First, because here the names of flags and variables are known.
  const { logLevel } = checkSettings(given, nameOf);
  const output = openLog(logLevel, process.stdout.fd);
  const { log } = output;
  const relay = await startRelay({ ...given, log } as RelayOptions);

  let signals = 0;
  const end = (signal: NodeJS.Signals): void => {
    signals += 1;
    log.info({ signal }, "signal received");
    if (signals > 2) process.exit(1);
    const ended = signals === 1 ? relay.drain() : relay.close();
    const written = ended.then(() => output.close());
    written.then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on("SIGTERM", end).on("SIGINT", end);
  process.on("SIGHUP", () => {
    relay.reload().catch((error: unknown) => {
      const problems = error instanceof RelayConfigError ? error.message : errorName(error);
      log.error({ problems }, "certificates cannot be read again; those in use stay");
    });
  });
}

async function ownVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  return (manifest as { readonly version: string }).version;
}

main().catch((error: unknown) => {
  const isConfig = error instanceof RelayConfigError;
  const lines = isConfig ? error.problems : [error instanceof Error ? error.message : String(error)];
  process.stderr.write(`${lines.map((line) => `leveret-relay: ${line}`).join("\n")}\n`);
  if (isConfig) process.stderr.write("leveret-relay --help shows all settings\n");
  process.exitCode = isConfig ? 2 : 1;
});
