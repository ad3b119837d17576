/**
 * RabbitMQ as Debian packages it. The address of the archive is whatever apt on this machine is set up with.
 */

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { installPackage, obstacleToApt } from "../lib/apt.ts";
import { CommandError, run, runOrThrow } from "../lib/process.ts";
import { UnavailableError } from "../lib/unavailable.ts";
import { RabbitMQUnavailableError } from "./errors.ts";

const archiveKeys = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** What the scripts of rabbitmq-server need of a system, besides what its package depends on. */
const privatePackages = [
  ...["rabbitmq-server", "dash", "coreutils", "sed", "grep", "mawk", "hostname", "libc-bin", "base-files", "procps"],
];

const orRunYourOwn = "or start a broker yourself and set AMQP_URL (such as amqp://guest:guest@127.0.0.1:5672)";

/**
 * Installs the package rabbitmq-server of the machine's Debian, and keeps its service from being started.
 *
 * @throws RabbitMQUnavailableError when this is not possible here.
 */
export async function installSystemPackage(): Promise<void> {
  try {
    await installPackage("rabbitmq-server");
  } catch (cause) {
    if (!(cause instanceof UnavailableError)) throw cause;
    throw new RabbitMQUnavailableError(`${cause.message}: install rabbitmq-server ${orRunYourOwn}`, { cause });
  }
}

/**
 * The root folder with RabbitMQ of another Debian in it; unpacked once, then kept in the user's cache.
 *
 * @throws RabbitMQUnavailableError when this is not possible here.
 */
export async function privateRoot(suite: string): Promise<string> {
  const architecture = (await run("dpkg", ["--print-architecture"]).catch(() => undefined))?.stdout.trim() ?? "none";
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), ".cache"), "leveret", "rabbitmq");
  const root = path.join(cache, `${suite}-${architecture}`);
  const cached = existsSync(root);
  const obstacle = obstacleToApt();
  if (obstacle !== undefined) {
    const problem = `RabbitMQ of Debian ${suite} can be fetched and run only by root on Debian (${obstacle})`;
    throw new RabbitMQUnavailableError(`${problem}: run the tests there, as in a container, ${orRunYourOwn}`);
  }
  if (cached) return root;

  console.error(`rabbitmq: fetching RabbitMQ of Debian ${suite} (about 80 MB, kept in ${root}) ...`);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(path.join(cache, "fetching-"));
  try {
    await unpack(await download(suite, architecture, work), path.join(work, "root"));
    // Whole or not at all; when somebody else was faster, theirs is as good.
    await rename(path.join(work, "root"), root).catch((error: unknown) => {
      if (!existsSync(root)) throw error;
    });
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    const problem = `fetching RabbitMQ of Debian ${suite} failed: ${cause.message}`;
    throw new RabbitMQUnavailableError(`${problem}\nTry again, ${orRunYourOwn}`, { cause });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return root;
}

/** Downloads the packages with an apt that has its own settings, lists and idea of what is installed: nothing. */
async function download(suite: string, architecture: string, work: string): Promise<string[]> {
  const mirror = await debianMirror();
  const archives = path.join(work, "cache/archives");
  for (const folder of [
    "lists/partial",
    "cache/archives/partial",
    "etc/preferences.d",
    "etc/apt.conf.d",
    "etc/sources",
  ]) {
    await mkdir(path.join(work, folder), { recursive: true });
  }
  await writeFile(path.join(work, "status"), "");
  await writeFile(path.join(work, "etc/sources.list"), `deb [signed-by=${archiveKeys}] ${mirror} ${suite} main\n`);
  const settings: Record<string, string> = {
    "Dir::State": work,
    "Dir::State::Lists": path.join(work, "lists"),
    "Dir::State::status": path.join(work, "status"),
    "Dir::Cache": path.join(work, "cache"),
    "Dir::Etc": path.join(work, "etc"),
    "Dir::Etc::sourcelist": path.join(work, "etc/sources.list"),
    "Dir::Etc::sourceparts": path.join(work, "etc/sources"),
    "Dir::Etc::parts": path.join(work, "etc/apt.conf.d"),
    "Dir::Etc::preferencesparts": path.join(work, "etc/preferences.d"),
    "APT::Architecture": architecture,
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
  };
  const file = path.join(work, "apt.conf");
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(""),
  );
  await runOrThrow("apt-get", ["-c", file, "update"]);
  await runOrThrow("apt-get", ["-c", file, "-y", "--download-only", "install", ...privatePackages]);
  const names = await readdir(archives);
  return names.filter((name) => name.endsWith(".deb")).map((name) => path.join(archives, name));
}

/** Unpacks packages without running their scripts, and does by hand the little that those would have done. */
async function unpack(archives: readonly string[], root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  // First the package that makes /bin and /lib links into /usr.
  const isBase = (file: string) => path.basename(file).startsWith("base-files_");
  for (const archive of [...archives.filter(isBase), ...archives.filter((file) => !isBase(file))]) {
    await runOrThrow("dpkg", ["-x", archive, root]);
  }
  for (const folder of ["proc", "dev", "tmp", "run", "root", "etc"]) {
    await mkdir(path.join(root, folder), { recursive: true });
  }
  await symlink("mawk", path.join(root, "usr/bin/awk"));
  if (!existsSync(path.join(root, "bin/sh"))) await symlink("dash", path.join(root, "bin/sh"));
  await writeFile(path.join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  await writeFile(path.join(root, "etc/group"), "root:x:0:\n");
  await writeFile(path.join(root, "etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n");
  await writeFile(path.join(root, "etc/hostname"), "localhost\n");
}

/** The address from which this machine gets Debian's packages. */
async function debianMirror(): Promise<string> {
  const format = "$(ORIGIN)\t$(COMPONENT)\t$(RELEASE)\t$(REPO_URI)";
  const ask = async () => {
    const lines = await runOrThrow("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
    return lines
      .split("\n")
      .map((line) => line.split("\t"))
      .find(
        ([origin, component, release]) => origin === "Debian" && component === "main" && !release?.includes("-"),
      )?.[3];
  };
  const known = await ask();
  if (known !== undefined) return known;
  // apt knows who is behind an address only once it has fetched an index from there.
  await runOrThrow("apt-get", ["update"]);
  const fetched = await ask();
  if (fetched === undefined) throw new CommandError("apt on this machine gets nothing from a Debian archive");
  return fetched;
}
