import { describe, expect, it } from "vitest";
import { frameType, protocolHeader } from "./constants.ts";
import { type Greeting, recogniseGreeting } from "./greeting.ts";
import { encodeText } from "./text.ts";

const greetings: readonly (readonly [string, Uint8Array, Greeting])[] = [
  ["a method frame", Uint8Array.of(frameType.method, 0, 0, 0, 0, 1, 0xf4, 0, 10), { kind: "frame" }],
  ["AMQP 0-9-1", protocolHeader, { kind: "amqp", version: [0, 0, 9, 1] }],
  ["AMQP 1.0", encodeText("AMQP\0\u0001\0\0"), { kind: "amqp", version: [0, 1, 0, 0] }],
  ["AMQP 1.0 with SASL", encodeText("AMQP\u0003\u0001\0\0"), { kind: "amqp", version: [3, 1, 0, 0] }],
  ["a TLS alert", Uint8Array.of(21, 3, 1, 0, 2, 2, 70), { kind: "tls" }],
  ["a TLS handshake", Uint8Array.of(22, 3, 3, 0, 80), { kind: "tls" }],
  ["HTTP", encodeText("HTTP/1.1 400 Bad Request\r\n"), { kind: "http" }],
  ["SSH", encodeText("SSH-2.0-OpenSSH_9.2\r\n"), { kind: "unknown" }],
  ["a mail server", encodeText("220 mail.example ESMTP\r\n"), { kind: "unknown" }],
  ["nearly AMQP", encodeText("AMQQ\0\0\u0009\u0001"), { kind: "unknown" }],
  ["nearly HTTP", encodeText("HTTX/"), { kind: "unknown" }],
  ["nearly TLS", Uint8Array.of(21, 9, 9), { kind: "unknown" }],
];

describe("recognising who answers", () => {
  it.each(greetings)("recognises %s", (_, bytes, expected) => {
    expect(recogniseGreeting(bytes)).toEqual(expected);
  });

  it.each(greetings)("never says anything else while the bytes of %s arrive", (_, bytes, expected) => {
    for (let length = 0; length <= bytes.length; length++) {
      const answer = recogniseGreeting(bytes.subarray(0, length));
      if (answer !== undefined) expect(answer).toEqual(expected);
      if (length >= 8) expect(answer).toBeDefined();
    }
    expect(recogniseGreeting(new Uint8Array(0))).toBeUndefined();
  });
});
