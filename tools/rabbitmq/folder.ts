/**
 * A node is a folder. Everything about it is in there: settings, data, logs, certificates, and a description by which
 * any process can find it, operate it and end it.
 */

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { clientCommonName, makeCertificates } from "./certificates.ts";
import type { RabbitMQCoordinates } from "./coordinates.ts";
import type { Installation } from "./installation.ts";
import { freePorts, hasIPv6Loopback } from "./ports.ts";
import { endProcessesOf, folderVariable } from "./processes.ts";

/** What `node.json` in the folder says. */
export interface NodeDescription {
  readonly installation: Installation;
  /** True for a node that outlives who started it, until somebody stops it. */
  readonly detached: boolean;
  readonly nodeName: string;
  readonly distributionPort: number;
  readonly epmdPort: number;
  /** Arguments for the server's virtual machine, beside the usual ones. */
  readonly erlangArguments: string;
  readonly coordinates: RabbitMQCoordinates & { readonly folder: string };
}

const prefix = "leveret-rabbitmq-";
const descriptionFile = "node.json";

/** Memory above which a node blocks publishers; far more than a test needs. */
export const memoryLimit = "1GB";
/** Free disk space below which a node blocks publishers. */
export const diskLimit = "50MB";

/** What nodes of one cluster have in common. */
export interface Shared {
  /** Nodes with the same secret let one another in. */
  readonly cookie: string;
  readonly epmdPort: number;
  readonly erlangArguments: string;
}

/** Makes the folder of a new node and everything it needs to boot. */
export async function createFolder(
  installation: Installation,
  detached: boolean,
  shared: Partial<Shared> = {},
): Promise<NodeDescription> {
  const folder = await mkdtemp(path.join(await realpath(tmpdir()), prefix));
  try {
    return await fill(folder, installation, detached, shared);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function fill(
  folder: string,
  installation: Installation,
  detached: boolean,
  { cookie = randomBytes(16).toString("hex"), erlangArguments = "", ...shared }: Partial<Shared>,
): Promise<NodeDescription> {
  const [certificates, ports, ipv6] = await Promise.all([
    makeCertificates(path.join(folder, "certificates")),
    freePorts(5),
    hasIPv6Loopback(),
  ]);
  const [port, tlsPort, managementPort, distributionPort, ownEpmdPort] = ports as [
    ...[number, number, number, number, number],
  ];
  const description: NodeDescription = {
    installation,
    detached,
    nodeName: `${path.basename(folder).slice(prefix.length)}@localhost`,
    distributionPort,
    epmdPort: shared.epmdPort ?? ownEpmdPort,
    erlangArguments,
    coordinates: {
      version: installation.version,
      folder,
      url: `amqp://guest:guest@127.0.0.1:${port}`,
      host: "127.0.0.1",
      port,
      virtualHost: "/",
      username: "guest",
      password: "guest",
      tlsPort,
      managementUrl: `http://127.0.0.1:${managementPort}`,
      caFile: certificates.caFile,
      clientCertFile: certificates.clientCertFile,
      clientKeyFile: certificates.clientKeyFile,
      clientUser: clientCommonName,
    },
  };
  const addresses = ["127.0.0.1", ...(ipv6 ? ["::1"] : [])];
  const settings = [
    ...addresses.map((address, index) => `listeners.tcp.${index + 1} = ${address}:${port}`),
    ...addresses.map((address, index) => `listeners.ssl.${index + 1} = ${address}:${tlsPort}`),
    `ssl_options.cacertfile = ${certificates.caFile}`,
    `ssl_options.certfile = ${certificates.serverCertFile}`,
    `ssl_options.keyfile = ${certificates.serverKeyFile}`,
    "ssl_options.verify = verify_peer",
    "ssl_options.fail_if_no_peer_cert = false",
    "ssl_cert_login_from = common_name",
    ...["PLAIN", "AMQPLAIN", "EXTERNAL"].map((mechanism, index) => `auth_mechanisms.${index + 1} = ${mechanism}`),
    "loopback_users = none",
    "management.tcp.ip = 127.0.0.1",
    `management.tcp.port = ${managementPort}`,
    `vm_memory_high_watermark.absolute = ${memoryLimit}`,
    `disk_free_limit.absolute = ${diskLimit}`,
    // Connections appear in the management API after a second, not after five.
    "collect_statistics_interval = 1000",
    "log.console = false",
  ];
  await Promise.all([
    mkdir(path.join(folder, "data")),
    mkdir(path.join(folder, "log")),
    writeFile(path.join(folder, "rabbitmq.conf"), `${settings.join("\n")}\n`),
    writeFile(path.join(folder, "enabled_plugins"), "[rabbitmq_auth_mechanism_ssl,rabbitmq_management].\n"),
    writeFile(path.join(folder, ".erlang.cookie"), cookie, { mode: 0o400 }),
    writeFile(path.join(folder, descriptionFile), JSON.stringify(description, undefined, 2)),
  ]);
  return description;
}

/** Adds lines to the settings of a node that has not booted. */
export function addSettings({ coordinates }: NodeDescription, settings: readonly string[]): Promise<void> {
  return appendFile(path.join(coordinates.folder, "rabbitmq.conf"), `${settings.join("\n")}\n`);
}

/** The variables of every process of the node. Nothing of the caller's own gets in. */
export function environmentOf(node: NodeDescription): Record<string, string> {
  const { folder } = node.coordinates;
  const loopbackOnly = "-kernel inet_dist_use_interface {127,0,0,1}";
  return {
    [folderVariable]: folder,
    PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: folder,
    TMPDIR: folder,
    LANG: "C.UTF-8",
    RABBITMQ_NODENAME: node.nodeName,
    RABBITMQ_DIST_PORT: String(node.distributionPort),
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_CONFIG_FILE: path.join(folder, "rabbitmq.conf"),
    RABBITMQ_ADVANCED_CONFIG_FILE: path.join(folder, "advanced.config"),
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(folder, "enabled_plugins"),
    RABBITMQ_MNESIA_BASE: path.join(folder, "data"),
    RABBITMQ_LOG_BASE: path.join(folder, "log"),
    RABBITMQ_PID_FILE: path.join(folder, "rabbitmq.pid"),
    // Two schedulers that never spin: the tests want the processor.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -start_epmd false ${loopbackOnly} ${node.erlangArguments}`,
    RABBITMQ_CTL_ERL_ARGS: loopbackOnly,
    ERL_EPMD_PORT: String(node.epmdPort),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_CRASH_DUMP: path.join(folder, "erl_crash.dump"),
  };
}

/**
 * Reads the description of a node.
 *
 * @returns undefined when `folder` is not the folder of a node, or no longer.
 */
export function readDescription(folder: string): NodeDescription | undefined {
  const file = path.join(folder, descriptionFile);
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, "utf8")) as NodeDescription;
}

/** All nodes on this machine that were started from here and not removed. */
export async function listNodes(): Promise<NodeDescription[]> {
  const base = await realpath(tmpdir());
  const names = await readdir(base);
  const found = names.filter((name) => name.startsWith(prefix)).map((name) => readDescription(path.join(base, name)));
  return found.filter((node) => node !== undefined);
}

/** Ends all processes of the node and removes its folder. Does nothing when that was done before. */
export async function removeNode(folder: string): Promise<void> {
  await endProcessesOf(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
