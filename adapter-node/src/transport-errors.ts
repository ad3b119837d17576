/** From what Node reports to `TransportError`: a code to switch on, how far connecting had come, and words that help. */

import { TransportError, type TransportErrorCode } from "@leveret/core/client";

/** How far connecting had come; `undefined` once the stream was open. */
export type TransportPhase = TransportError["phase"];

interface Meaning {
  readonly code: TransportErrorCode;
  readonly words: string;
}

/** The codes of `uv_strerror` and `getaddrinfo` that have a meaning of their own (libuv's docs, errors). */
const systemErrors: Readonly<Record<string, Meaning>> = {
  ENOTFOUND: { code: "NAME_NOT_FOUND", words: "the name is not known" },
  EAI_AGAIN: { code: "NAME_NOT_FOUND", words: "the name server does not answer" },
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

/** Verification of the peer's certificate: OpenSSL's `X509_V_ERR_` names, and Node's own for the name. */
const certificateError =
  /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH)/;
const handshakeError = /^(?:ERR_SSL_|ERR_TLS_|EPROTO$)/;

/**
 * Makes a `TransportError` of an error of Node's.
 *
 * @param where The peer, as a message names it: `rabbit:5671`.
 */
export function transportError(error: unknown, where: string, phase: TransportPhase): TransportError {
  const { code: name, message } = describe(error);
  const { code, words } = meaningOf(name, message, phase);
  const detail = name === "" ? "" : ` (${name})`;
  return new TransportError(code, `${where}: ${words}${detail}`, { phase, cause: error });
}

/**
 * One error for the failures of several addresses: the one that came furthest gives code and phase, since it tells most.
 */
export function combinedError(errors: readonly TransportError[], where: string): TransportError {
  const [first, ...others] = errors;
  if (first === undefined)
    return new TransportError("NAME_NOT_FOUND", `${where}: the name has no address`, { phase: "dns" });
  if (others.length === 0) return first;
  const furthest = errors.find((error) => error.phase === "tls") ?? first;
  const message = `${where}: all ${errors.length} addresses failed: ${errors.map((error) => error.message).join("; ")}`;
  return new TransportError(furthest.code, message, { phase: furthest.phase, errors });
}

function meaningOf(name: string, message: string, phase: TransportPhase): Meaning {
  if (name === "ETIMEDOUT") {
    if (phase === undefined) return { code: "UNREACHABLE", words: "the peer can no longer be reached" };
    return { code: "CONNECT_TIMEOUT", words: "the peer does not answer" };
  }
  if (name === "ECONNRESET" && phase === "tls") {
    return { code: "CONNECTION_RESET", words: "the peer ended the connection in the middle of the TLS handshake" };
  }
  if (/wrong[_ ]version[_ ]number/i.test(name + message)) {
    const words = "the peer does not speak TLS; is this the port for plain AMQP (5672, while amqps has 5671)?";
    return { code: "TLS_HANDSHAKE", words };
  }
  if (certificateError.test(name))
    return { code: "TLS_CERTIFICATE", words: `the peer's certificate was not accepted: ${message}` };
  if (handshakeError.test(name)) return { code: "TLS_HANDSHAKE", words: `TLS failed: ${message}` };
  return systemErrors[name] ?? { code: "TRANSPORT_FAILED", words: message };
}

function describe(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof Error)) return { code: "", message: String(error) };
  const code: unknown = "code" in error ? error.code : undefined;
  // OpenSSL's end in a line break.
  return { code: typeof code === "string" ? code : "", message: error.message.trim() };
}
