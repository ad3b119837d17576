/**
 * `npm test` and `npm run demo` on a fresh clone: installs what the lockfile pins, then runs `tools/NAME.ts` with the
 * Node that the repository pins. Plain JavaScript for Node 18 and up, because it runs before anything is installed.
 *
 *     node tools/run.mjs NAME [ARGUMENT...]
 */

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const inRoot = (...names) => path.join(root, ...names);

/** The first Node that runs TypeScript without a flag. */
const oldestNode = [22, 18];

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Installs when the lockfile is not the one that was installed last. */
function install() {
  const stamp = inRoot("node_modules", ".installed");
  const wanted = createHash("sha256")
    .update(readFileSync(inRoot("pnpm-lock.yaml")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const { packageManager } = JSON.parse(readFileSync(inRoot("package.json"), "utf8"));
  console.log(`installing dependencies with ${packageManager} ...`);
  const { error, status } = spawnSync("npx", ["-y", packageManager, "install", "--frozen-lockfile"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error) fail(`npx could not be started: ${error.message}. It comes with Node.`);
  if (status !== 0) fail(`installing dependencies failed (npx -y ${packageManager} install --frozen-lockfile)`);
  writeFileSync(stamp, wanted);
}

/** The pinned Node where there is a build of it for this machine, else this one when it is new enough. */
function findNode() {
  const pinned = inRoot("node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
  if (existsSync(pinned)) return pinned;
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return process.execPath;
  return fail(
    `This needs Node ${oldestNode.join(".")} or newer, and this is ${process.version}: ` +
      `no pinned Node is available for ${process.platform} ${process.arch}. Install Node 24 and try again.`,
  );
}

const [name, ...args] = process.argv.slice(2);
if (name === undefined) fail("usage: node tools/run.mjs NAME [ARGUMENT...]");
const script = inRoot("tools", `${name}.ts`);
if (!existsSync(script)) fail(`there is no tools/${name}.ts`);

install();

const child = spawn(findNode(), ["--conditions=@leveret/source", script, ...args], {
  cwd: root,
  stdio: "inherit",
  env: {
    // What was compiled once is not compiled again by the next process (see compile-cache.ts).
    NODE_COMPILE_CACHE: inRoot("node_modules", ".cache", "node-compile"),
    ...process.env,
    PATH: `${inRoot("node_modules", ".bin")}${path.delimiter}${process.env.PATH ?? ""}`,
  },
});
child.once("error", (error) => fail(`${name} could not be started: ${error.message}`));
child.once("exit", (code, signal) => {
  // Die of what the script died of, so that whoever waits for us sees it too.
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
// The terminal's interrupt reaches the script by itself; stay until it has cleaned up.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
