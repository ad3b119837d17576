/** Certificates made on the spot: an authority, a server and a client. Valid for ten years, worth nothing outside. */

import { chmod, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { CommandError, runOrThrow } from "../lib/process.ts";
import { RabbitMQUnavailableError } from "./errors.ts";

export interface Certificates {
  readonly caFile: string;
  readonly serverCertFile: string;
  readonly serverKeyFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
}

/** The common name of the client's certificate; with EXTERNAL it is the user's name. */
export const clientCommonName = "leveret-client";

const keyOptions = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const days = "3650";

/**
 * Writes PEM files into `folder`; keys are PKCS#8 without a passphrase.
 *
 * @throws RabbitMQUnavailableError when there is no openssl.
 */
export async function makeCertificates(folder: string): Promise<Certificates> {
  await mkdir(folder, { recursive: true });
  const openssl = (...args: string[]) => runOrThrow("openssl", args, { cwd: folder });
  try {
    await openssl(
      ...["req", "-x509", ...keyOptions, "-days", days, "-subj", "/CN=Leveret test authority"],
      ...["-keyout", "ca.key", "-out", "ca.pem", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
    );
    const names = "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1";
    await Promise.all([
      makeLeaf(folder, "server", { commonName: "localhost", usage: "serverAuth", names }),
      makeLeaf(folder, "client", { commonName: clientCommonName, usage: "clientAuth", names: "DNS:client.test" }),
    ]);
  } catch (error) {
    if (!(error instanceof CommandError) || error.code !== undefined) throw error;
    throw new RabbitMQUnavailableError("TLS tests need openssl: install the package openssl", { cause: error });
  }
  const file = (name: string) => path.join(folder, name);
  return {
    caFile: file("ca.pem"),
    serverCertFile: file("server.pem"),
    serverKeyFile: file("server.key"),
    clientCertFile: file("client.pem"),
    clientKeyFile: file("client.key"),
  };
}

async function makeLeaf(
  folder: string,
  name: string,
  leaf: { commonName: string; usage: string; names: string },
): Promise<void> {
  const extensions = [
    "basicConstraints=CA:FALSE",
    "keyUsage=digitalSignature",
    `extendedKeyUsage=${leaf.usage}`,
    `subjectAltName=${leaf.names}`,
  ];
  await writeFile(path.join(folder, `${name}.ext`), `${extensions.join("\n")}\n`);
  await runOrThrow(
    "openssl",
    ["req", ...keyOptions, "-subj", `/CN=${leaf.commonName}`, "-keyout", `${name}.key`, "-out", `${name}.csr`],
    { cwd: folder },
  );
  await runOrThrow(
    "openssl",
    [
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-days", days],
      ...["-CAserial", `${name}.srl`, "-CAcreateserial", "-extfile", `${name}.ext`, "-out", `${name}.pem`],
    ],
    { cwd: folder },
  );
  await chmod(path.join(folder, `${name}.key`), 0o600);
}
