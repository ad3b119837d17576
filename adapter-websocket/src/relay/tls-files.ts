/** Certificates and keys, from the files that the settings name. */

import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { RelayConfigError } from "./config/check.ts";
import type { RelayConfig } from "./config/schema.ts";
import { errorName } from "./log.ts";
import type { UpstreamTls } from "./upstream.ts";

const minVersion = "TLSv1.2";

/** TLS in front; undefined when there is none. */
export async function readFrontTls(config: RelayConfig): Promise<SecureContextOptions | undefined> {
  if (config.tlsCert === undefined || config.tlsKey === undefined) return undefined;
  const [cert, key] = await Promise.all([read("tlsCert", config.tlsCert), read("tlsKey", config.tlsKey)]);
  const options = { cert, key, minVersion } as const;
  contextOf(options, "tlsCert and tlsKey");
  return options;
}

/** TLS to the brokers. */
export async function readUpstreamTls(config: RelayConfig): Promise<UpstreamTls> {
  const [ca, cert, key] = await Promise.all([
    read("upstreamCa", config.upstreamCa),
    read("upstreamCert", config.upstreamCert),
    read("upstreamKey", config.upstreamKey),
  ]);
  return {
    context: contextOf({ ca, cert, key, minVersion }, "upstreamCa, upstreamCert and upstreamKey"),
    serverName: config.upstreamServerName,
  };
}

async function read(name: string, file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw new RelayConfigError([`${name}: ${file} cannot be read: ${errorName(error)}`]);
  }
}

/** Certificate and key that do not belong together are found here, not with the first client. */
function contextOf(options: SecureContextOptions, names: string): ReturnType<typeof createSecureContext> {
  try {
    return createSecureContext(options);
  } catch (error) {
    throw new RelayConfigError([`${names} cannot be used: ${errorName(error)}`]);
  }
}
