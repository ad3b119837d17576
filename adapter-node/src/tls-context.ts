/**
 * The options of TLS, as `node:tls` takes them.
 *
 * `node:tls` and `node:crypto` are loaded when they are needed: most programs on TCP never do, and every full collection
 * would look through their half a megabyte. Large messages call for one each 64 MiB.
 */

import { isIP } from "node:net";
import type { ConnectionOptions, SecureContext, SecureContextOptions } from "node:tls";
import { type TlsOptions, UsageError } from "@leveret/core/client";

/** What `tls.connect` needs besides the address. Made once for all addresses of a host. */
export type TlsConnectOptions = Pick<
  ConnectionOptions,
  "secureContext" | "servername" | "rejectUnauthorized" | "checkServerIdentity"
>;

/**
 * Reads certificates and keys.
 *
 * @throws UsageError INVALID_ARGUMENT when they cannot be read, such as with a wrong passphrase.
 */
export function tlsConnectOptions(options: TlsOptions, host: string): TlsConnectOptions {
  const { checkServerIdentity } = process.getBuiltinModule("node:tls");
  const name = options.serverName ?? host;
  return {
    secureContext: secureContext(options),
    // RFC 6066 has no server name for addresses; they are verified all the same, against those in the certificate. Nor has
    // it the final dot of a complete name.
    servername: isIP(name) === 0 ? name.replace(/\.$/, "") : "",
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    // Said in either case: an environment variable of Node's could turn verification off otherwise.
    rejectUnauthorized: options.verify ?? true,
  };
}

function secureContext({ ca, cert, key, passphrase, pfx, minVersion, ciphers }: TlsOptions): SecureContext {
  const { createSecureContext } = process.getBuiltinModule("node:tls");
  const given: SecureContextOptions = {};
  if (ca !== undefined) given.ca = [ca].flat().map(authorities);
  if (cert !== undefined) given.cert = cert;
  if (key !== undefined) given.key = key;
  if (passphrase !== undefined) given.passphrase = passphrase;
  if (pfx !== undefined) given.pfx = Buffer.from(pfx.buffer, pfx.byteOffset, pfx.byteLength);
  if (minVersion !== undefined) given.minVersion = minVersion;
  if (ciphers !== undefined) given.ciphers = ciphers;
  return usable("certificate, key or ciphers", () => createSecureContext(given));
}

/** Node passes over what is no certificate, and then trusts nobody. Some editors put a mark before the text. */
function authorities(pem: string): string {
  const { X509Certificate } = process.getBuiltinModule("node:crypto");
  const text = pem.replace(/^\uFEFF/, "");
  usable("ca", () => new X509Certificate(text));
  return text;
}

function usable<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError("INVALID_ARGUMENT", `tls: ${what} cannot be used: ${reason}`, { cause });
  }
}
