/** The options of TLS: which go together, where files stand for contents, and how secrets stay out of sight. */

import { UsageError } from "../../wire/errors.ts";
import type { TlsOptions } from "../io-services.ts";
import { type Checks, checkOptions, flag, illegal, oneOf, secretText, someText } from "../option-checks.ts";
import type { ConnectOptions, TlsFileOptions } from "../parameters.ts";

type ReadFile = NonNullable<ConnectOptions["readFile"]>;
type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Larger than any chain of certificates. */
const largestFile = 1_048_576;

const tlsChecks: Checks<TlsFileOptions> = {
  ca: (value, name) => {
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    const isText = items.length > 0 && items.every((item) => typeof item === "string" && item !== "");
    if (!isText) throw illegal(name, "one or more strings in PEM format", value);
  },
  cert: someText,
  key: secretText,
  passphrase: secretText,
  pfx: (value, name) => {
    if (!(value instanceof Uint8Array)) throw illegal(name, "a Uint8Array", typeof value);
  },
  serverName: someText,
  minVersion: oneOf("TLSv1.2", "TLSv1.3"),
  ciphers: someText,
  verify: flag,
  caFile: someText,
  certFile: someText,
  keyFile: someText,
  pfxFile: someText,
};

const names = Object.keys(tlsChecks) as readonly (keyof TlsFileOptions)[];
const secretNames: readonly (keyof TlsFileOptions)[] = ["key", "passphrase", "pfx"];

/** Checks the option `tls`, each name by itself. */
export function checkTls(value: unknown, name: string): void {
  if (typeof value !== "boolean") checkOptions<TlsFileOptions>(value, tlsChecks, name, `${name}.`);
}

/**
 * Puts options over other options. The result shows no secret: private key, passphrase and PKCS#12 are there, but
 * neither `JSON.stringify` nor an inspector nor a spread sees them.
 */
export function mergeTls(under: TlsFileOptions, over: TlsFileOptions): TlsFileOptions {
  const merged: TlsFileOptions = {};
  for (const name of names) {
    const value = over[name] ?? under[name];
    if (value === undefined) continue;
    Object.defineProperty(merged, name, { value, enumerable: !secretNames.includes(name) });
  }
  return merged;
}

/**
 * Checks that the options make sense together.
 *
 * @throws UsageError INVALID_ARGUMENT.
 */
export function checkTlsTogether(tls: TlsFileOptions): void {
  const has = (name: keyof TlsFileOptions): boolean => tls[name] !== undefined;
  for (const name of ["ca", "cert", "key", "pfx"] as const) {
    if (has(name) && has(`${name}File`))
      throw disagreement(`tls.${name} and tls.${name}File are two ways to say the same`);
  }
  const [cert, key, pfx] = (["cert", "key", "pfx"] as const).map((name) => has(name) || has(`${name}File`));
  if (pfx && (cert || key)) throw disagreement("tls.pfx takes the place of tls.cert and tls.key");
  if (cert && !key) throw disagreement("tls.cert needs tls.key, its private key");
  if (key && !cert) throw disagreement("tls.key needs tls.cert, its certificate");
  if (has("passphrase") && !key && !pfx) throw disagreement("tls.passphrase needs tls.key or tls.pfx, which it opens");
}

/** The names of the options that name files, of those given. */
export function fileOptions(tls: TlsFileOptions): readonly string[] {
  return (["caFile", "certFile", "keyFile", "pfxFile"] as const).filter((name) => tls[name] !== undefined);
}

/**
 * Reads the files that options name, and gives options with contents alone.
 *
 * @throws UsageError NOT_SUPPORTED where nothing can read files, INVALID_ARGUMENT when one cannot be read.
 */
export async function loadTls(tls: TlsFileOptions, readFile: ReadFile | undefined): Promise<TlsOptions> {
  const contents: Mutable<TlsFileOptions> = {};
  const pem = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const { caFile, certFile, keyFile, pfxFile, ...rest } = visible(tls);
  if (caFile !== undefined) contents.ca = pem(await load("caFile", caFile, readFile));
  if (certFile !== undefined) contents.cert = pem(await load("certFile", certFile, readFile));
  if (keyFile !== undefined) contents.key = pem(await load("keyFile", keyFile, readFile));
  if (pfxFile !== undefined) contents.pfx = await load("pfxFile", pfxFile, readFile);
  return mergeTls(rest, contents);
}

/** A copy that can be spread. */
function visible(tls: TlsFileOptions): TlsFileOptions {
  return Object.fromEntries(names.map((name) => [name, tls[name]]));
}

async function load(name: string, path: string, readFile: ReadFile | undefined): Promise<Uint8Array> {
  if (readFile === undefined) throw noFiles(name);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : "";
    const message = `tls.${name}: the file ${JSON.stringify(path)} cannot be read${reason}`;
    throw new UsageError("INVALID_ARGUMENT", message, { cause });
  }
  if (bytes.length > largestFile) {
    throw disagreement(`tls.${name}: the file ${JSON.stringify(path)} has more than ${largestFile} bytes`);
  }
  return bytes;
}

/** The error about an option that names a file, where nothing reads files. */
export function noFiles(name: string): UsageError {
  return new UsageError("NOT_SUPPORTED", `tls.${name} names a file, and this runtime's adapter cannot read files`);
}

function disagreement(message: string): UsageError {
  return new UsageError("INVALID_ARGUMENT", message);
}
