/** From what Deno reports to `TransportError`: a code to switch on, how far connecting had come, and words that help. */

import { TransportError, type TransportErrorCode } from "@leveret/core/client";

/** How far connecting had come; `undefined` once the stream was open. */
export type TransportPhase = TransportError["phase"];

interface Meaning {
  readonly code: TransportErrorCode;
  readonly words: string;
}

/** Errors of the system, by the `code` that Deno gives them. */
const systemErrors: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: { code: "CONNECTION_REFUSED", words: "the connection was refused; nothing listens there" },
  ENOENT: { code: "CONNECTION_REFUSED", words: "there is no such socket" },
  ENOTDIR: { code: "CONNECTION_REFUSED", words: "there is no such socket" },
  EHOSTUNREACH: { code: "UNREACHABLE", words: "the host cannot be reached" },
  EHOSTDOWN: { code: "UNREACHABLE", words: "the host is down" },
  ENETUNREACH: { code: "UNREACHABLE", words: "the network cannot be reached" },
  ENETDOWN: { code: "UNREACHABLE", words: "the network is down" },
  EADDRNOTAVAIL: { code: "UNREACHABLE", words: "no address of this host leads there" },
  EACCES: { code: "PERMISSION_DENIED", words: "permission was denied" },
  EPERM: { code: "PERMISSION_DENIED", words: "permission was denied" },
  ECONNRESET: { code: "CONNECTION_RESET", words: "the peer reset the connection" },
  ECONNABORTED: { code: "CONNECTION_RESET", words: "the connection was aborted" },
  ENOTCONN: { code: "CONNECTION_RESET", words: "the peer has closed the connection" },
  EPIPE: { code: "CONNECTION_RESET", words: "the peer has closed the connection" },
};

/** Errors without a code. */
const nameNotFound = /^(?:failed to lookup address|invalid host)/;

/** Verification of the peer's certificate: OpenSSL's `X509_V_ERR_` names, and Node's own for the name. */
const certificateError =
  /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH)/;
const handshakeError = /^(?:ERR_SSL_|ERR_TLS_|EPROTO$)/;

/**
 * Makes a `TransportError` of an error of Deno's; one that is a `TransportError` already is left as it is.
 *
 * @param where The peer, as a message names it: `rabbit:5671`.
 */
export function transportError(error: unknown, where: string, phase: TransportPhase): TransportError {
  if (error instanceof TransportError) return error;
  const { name, message } = describe(error);
  if (nameNotFound.test(message)) {
    return new TransportError("NAME_NOT_FOUND", `${where}: the name is not known`, { phase: "dns", cause: error });
  }
  const { code, words } = meaningOf(name, message, phase);
  const detail = name === "" ? "" : ` (${name})`;
  return new TransportError(code, `${where}: ${words}${detail}`, { phase, cause: error });
}

/**
 * The error about a permission that the program was not given.
 *
 * @param flags What `deno run` needs, such as `--allow-net=rabbit:5672`.
 */
export function permissionError(error: Error, where: string, flags: string): TransportError {
  const message = `${where}: Deno does not permit this program to connect; run it with ${flags}`;
  return new TransportError("PERMISSION_DENIED", message, { phase: "tcp", cause: error });
}

/**
 * One error for the failures of several addresses.
 *
 * @param first gives code and phase: none came further than to TLS.
 */
export function combinedError(first: TransportError, others: readonly TransportError[], where: string): TransportError {
  const errors = [first, ...others];
  const message = `${where}: all ${errors.length} addresses failed: ${errors.map((error) => error.message).join("; ")}`;
  return new TransportError(first.code, message, { phase: first.phase, errors });
}

/** @param name The error's code, of the system or of `node:tls`; empty where Deno gives none. */
function meaningOf(name: string, message: string, phase: TransportPhase): Meaning {
  if (name === "ETIMEDOUT") {
    if (phase === undefined) return { code: "UNREACHABLE", words: "the peer can no longer be reached" };
    return { code: "CONNECT_TIMEOUT", words: "the peer does not answer" };
  }
  if (name === "ECONNRESET" && phase === "tls") {
    return { code: "CONNECTION_RESET", words: "the peer ended the connection in the middle of the TLS handshake" };
  }
  if (name === "ERR_SSL_WRONG_VERSION_NUMBER") {
    const words = "the peer does not speak TLS; is this the port for plain AMQP (5672, while amqps has 5671)?";
    return { code: "TLS_HANDSHAKE", words };
  }
  if (certificateError.test(name)) {
    return { code: "TLS_CERTIFICATE", words: `the peer's certificate was not accepted: ${message}` };
  }
  if (handshakeError.test(name)) return { code: "TLS_HANDSHAKE", words: `TLS failed: ${message}` };
  return systemErrors[name] ?? { code: "TRANSPORT_FAILED", words: message };
}

function describe(error: unknown): { readonly name: string; readonly message: string } {
  if (!(error instanceof Error)) return { name: "", message: String(error) };
  const code: unknown = "code" in error ? error.code : undefined;
  return { name: typeof code === "string" ? code : "", message: error.message };
}
