/**
 * Where RabbitMQ comes from: the machine's own installation, or a release of another Debian, unpacked into a private
 * root without touching the system.
 */

import { existsSync, globSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { installSystemPackage, privateRoot } from "./debian.ts";
import { RabbitMQUnavailableError } from "./errors.ts";

/** Programs of one release of RabbitMQ, and how to run them. */
export interface Installation {
  /** Such as `"3.10.8"`. */
  readonly version: string;
  /** The folder that stands in for `/`; absent for the machine's own installation. */
  readonly root?: string;
}

/** A program with its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** Which Debian ships a release. Suites that still move are left out. */
const debianSuites: Readonly<Record<string, string>> = { "3.10": "bookworm", "4.0": "trixie" };

const binFolder = "/usr/lib/rabbitmq/bin";

/** The releases that {@link findInstallation} knows where to get, besides the machine's own. */
const knownReleases: readonly string[] = Object.keys(debianSuites);

/**
 * Finds a release, and fetches it where it is missing and can be fetched.
 *
 * @param release `"system"` for the machine's own, or a version as exact as wanted: `"4"`, `"4.0"`, `"3.10.8"`.
 * @throws RabbitMQUnavailableError when it cannot be had here.
 */
export async function findInstallation(release: string): Promise<Installation> {
  const installed = versionIn("/");
  if (installed !== undefined && (release === "system" || isOf(installed, release))) return { version: installed };
  if (release === "system") {
    await installSystemPackage();
    const version = versionIn("/");
    if (version === undefined)
      throw new RabbitMQUnavailableError("apt-get installed rabbitmq-server, but it is not there");
    return { version };
  }
  const known = knownReleases.find((candidate) => isOf(candidate, release) || isOf(release, candidate));
  const suite = known === undefined ? undefined : debianSuites[known];
  if (suite === undefined) {
    throw new RabbitMQUnavailableError(
      `RabbitMQ ${release} is not on this machine, and of other releases only ${knownReleases.join(" and ")} can be fetched: ` +
        "start one yourself and set AMQP_URL",
    );
  }
  const root = await privateRoot(suite);
  const version = versionIn(root);
  if (version === undefined || !isOf(version, release)) {
    throw new RabbitMQUnavailableError(`Debian ${suite} has RabbitMQ ${version ?? "(none)"}, not ${release}`);
  }
  return { version, root };
}

/** How to run a program of RabbitMQ, or of the system it lives in. */
export function commandOf(installation: Pick<Installation, "root">, program: string, args: readonly string[]): Command {
  const file = program.startsWith("rabbitmq") ? path.join(binFolder, program) : program;
  if (installation.root === undefined) return [file, ...args];
  // A mount namespace of its own: what is mounted into the root vanishes with the last process in it.
  const enter =
    'root=$1; shift; for folder in /proc /dev "$1"; do mkdir -p "$root$folder" && mount --rbind "$folder" "$root$folder" || exit; done; ' +
    'shift; exec chroot "$root" "$@"';
  const wrapped = [
    "-m",
    "--propagation",
    "private",
    "sh",
    "-c",
    enter,
    "sh",
    installation.root,
    tmpdir(),
    file,
    ...args,
  ];
  return ["unshare", ...wrapped];
}

/** `4.0.5` is of the releases `4`, `4.0` and `4.0.5`. */
function isOf(version: string, release: string): boolean {
  return version === release || version.startsWith(`${release}.`);
}

function versionIn(root: string): string | undefined {
  if (!existsSync(path.join(root, binFolder, "rabbitmq-server"))) return undefined;
  const [library] = globSync(path.join(root, "usr/lib/rabbitmq/lib/rabbitmq_server-*"));
  return library?.split("rabbitmq_server-").at(-1);
}
