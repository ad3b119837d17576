import { TransportError, type TransportErrorCode } from "@leveret/core/client";
import { describe, expect, it } from "vitest";
import { combinedError, type TransportPhase, transportError } from "./transport-errors.ts";

function nodeError(code: string, message = "the runtime's words"): Error {
  return Object.assign(new Error(message), { code });
}

describe("transportError", () => {
  const meanings: readonly [name: string, phase: TransportPhase, code: TransportErrorCode][] = [
    ["ENOTFOUND", "dns", "NAME_NOT_FOUND"],
    ["EAI_AGAIN", "dns", "NAME_NOT_FOUND"],
    ["ECONNREFUSED", "tcp", "CONNECTION_REFUSED"],
    ["ENOENT", "tcp", "CONNECTION_REFUSED"],
    ["ENOTDIR", "tcp", "CONNECTION_REFUSED"],
    ["EHOSTUNREACH", "tcp", "UNREACHABLE"],
    ["ENETUNREACH", "tcp", "UNREACHABLE"],
    ["EADDRNOTAVAIL", "tcp", "UNREACHABLE"],
    ["ETIMEDOUT", "tcp", "CONNECT_TIMEOUT"],
    ["ETIMEDOUT", undefined, "UNREACHABLE"],
    ["EACCES", "tcp", "PERMISSION_DENIED"],
    ["EPERM", "tcp", "PERMISSION_DENIED"],
    ["ECONNRESET", undefined, "CONNECTION_RESET"],
    ["ECONNRESET", "tls", "CONNECTION_RESET"],
    ["EPIPE", undefined, "CONNECTION_RESET"],
    ["ENOTCONN", undefined, "CONNECTION_RESET"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls", "TLS_CERTIFICATE"],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "tls", "TLS_CERTIFICATE"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "tls", "TLS_CERTIFICATE"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls", "TLS_CERTIFICATE"],
    ["CERT_HAS_EXPIRED", "tls", "TLS_CERTIFICATE"],
    ["CERT_NOT_YET_VALID", "tls", "TLS_CERTIFICATE"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "tls", "TLS_CERTIFICATE"],
    ["HOSTNAME_MISMATCH", "tls", "TLS_CERTIFICATE"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "tls", "TLS_HANDSHAKE"],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "tls", "TLS_HANDSHAKE"],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", undefined, "TLS_HANDSHAKE"],
    ["ERR_TLS_HANDSHAKE_TIMEOUT", "tls", "TLS_HANDSHAKE"],
    ["EPROTO", "tls", "TLS_HANDSHAKE"],
    ["EMFILE", "tcp", "TRANSPORT_FAILED"],
    ["ESOMETHINGNEW", undefined, "TRANSPORT_FAILED"],
  ];
  for (const [name, phase, code] of meanings) {
    it(`reads ${name} in ${phase ?? "an open stream"} as ${code}`, () => {
      const cause = nodeError(name);
      const error = transportError(cause, "rabbit:5671", phase);
      expect(error).toBeInstanceOf(TransportError);
      expect(error).toMatchObject({ code, phase, cause });
      expect(error.message).toContain("rabbit:5671: ");
      expect(error.message).toContain(`(${name})`);
    });
  }

  it("says what to do about TLS at a plain port", () => {
    const message = "write EPROTO 00F:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:";
    for (const error of [nodeError("EPROTO", message), nodeError("ERR_SSL_WRONG_VERSION_NUMBER")]) {
      expect(transportError(error, "rabbit:5672", "tls").message).toContain(
        "rabbit:5672: the peer does not speak TLS; is this the port for plain AMQP (5672, while amqps has 5671)?",
      );
    }
  });

  it("takes anything that was thrown", () => {
    expect(transportError("odd", "rabbit:5672", undefined)).toMatchObject({
      code: "TRANSPORT_FAILED",
      message: "rabbit:5672: odd",
    });
  });
});

describe("combinedError", () => {
  const refused = transportError(nodeError("ECONNREFUSED"), "[::1]:5671", "tcp");
  const untrusted = transportError(nodeError("CERT_HAS_EXPIRED"), "127.0.0.1:5671", "tls");

  it("is the failure itself, when there is one address", () => {
    expect(combinedError([refused], "localhost:5671")).toBe(refused);
  });

  it("has the code of the failure that came furthest, and every failure", () => {
    const error = combinedError([refused, untrusted], "localhost:5671");
    expect(error).toMatchObject({ code: "TLS_CERTIFICATE", phase: "tls", errors: [refused, untrusted] });
    expect(error.message).toContain("localhost:5671: all 2 addresses failed: [::1]:5671: the connection was refused");
  });

  it("is a name without addresses, when there are none", () => {
    expect(combinedError([], "rabbit:5672")).toMatchObject({ code: "NAME_NOT_FOUND", phase: "dns" });
  });
});
