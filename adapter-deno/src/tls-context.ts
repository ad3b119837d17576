/** The options of TLS, as `node:tls` takes them. */

import type { ConnectionOptions } from "node:tls";
import { type TlsOptions, UsageError } from "@leveret/core/client";

/** What `tls.connect` needs besides the connection. */
export type TlsConnectOptions = Pick<
  ConnectionOptions,
  "secureContext" | "servername" | "rejectUnauthorized" | "checkServerIdentity"
>;

/**
 * Reads certificates and keys.
 *
 * @throws UsageError INVALID_ARGUMENT when they cannot be used, such as with a wrong passphrase.
 */
export function tlsConnectOptions(options: TlsOptions, host: string): TlsConnectOptions {
  const { isIP } = process.getBuiltinModule("node:net");
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

function secureContext(options: TlsOptions): NonNullable<TlsConnectOptions["secureContext"]> {
  const { ca, cert, key, passphrase, pfx, minVersion } = options;
  const { createSecureContext } = process.getBuiltinModule("node:tls");
  checkCertificates(options);
  return usable(pfx === undefined ? "cert" : "pfx", () =>
    createSecureContext({
      ...(ca !== undefined && { ca: [ca].flat().map(withoutMark) }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(passphrase !== undefined && { passphrase }),
      ...(pfx !== undefined && { pfx: Buffer.from(pfx.buffer, pfx.byteOffset, pfx.byteLength) }),
      ...(minVersion !== undefined && { minVersion }),
    }),
  );
}

/** Deno leaves out what it cannot read, and connects without it; a server would then miss the client's certificate. */
function checkCertificates({ ca = [], cert, key, passphrase }: TlsOptions): void {
  const { createPrivateKey, X509Certificate } = process.getBuiltinModule("node:crypto");
  for (const trusted of [ca].flat()) usable("ca", () => new X509Certificate(withoutMark(trusted)));
  if (cert === undefined || key === undefined) return;
  const certificate = usable("cert", () => new X509Certificate(cert));
  const privateKey = usable("key", () => createPrivateKey({ key, ...(passphrase !== undefined && { passphrase }) }));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new UsageError("INVALID_ARGUMENT", "tls.key is not the private key of tls.cert");
  }
}

/** Some editors put a mark before the text of a file. */
function withoutMark(pem: string): string {
  return pem.replace(/^\uFEFF/, "");
}

function usable<T>(option: "ca" | "cert" | "key" | "pfx", read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError("INVALID_ARGUMENT", `tls.${option} cannot be used: ${reason}`, { cause });
  }
}
