/** Who is it that answers? Told from the very first bytes, to explain a wrong port better than with a frame error. */

import { frameType, protocolHeader } from "./constants.ts";

/** What the first bytes of a stream are. */
export type Greeting =
  /** A frame: the peer speaks AMQP 0-9-1. */
  | { readonly kind: "frame" }
  /** A protocol header. From a server it names the version that it speaks instead of the one that was asked for. */
  | { readonly kind: "amqp"; readonly version: readonly [number, number, number, number] }
  /** A TLS record: the port expects TLS. */
  | { readonly kind: "tls" }
  /** The port speaks HTTP, such as that of the management plugin. */
  | { readonly kind: "http" }
  | { readonly kind: "unknown" };

/** The letters that a protocol header begins with. */
const amqpSize = 4;
const http = [0x48, 0x54, 0x54, 0x50, 0x2f];
/** The major version of every TLS record; the record types in use are 20 to 23. */
const tlsVersionMajor = 3;

/** Recognises what a peer sent first; `undefined` while more bytes are needed, of which 8 are always enough. */
export function recogniseGreeting(bytes: Uint8Array): Greeting | undefined {
  const first = bytes[0];
  if (first === undefined) return undefined;
  if (first === frameType.method) return { kind: "frame" };
  if (first >= 20 && first <= 23) {
    if (bytes.length < 2) return undefined;
    return { kind: bytes[1] === tlsVersionMajor ? "tls" : "unknown" };
  }
  if (beginsLike(bytes, http)) return bytes.length < http.length ? undefined : { kind: "http" };
  if (!beginsLike(bytes, protocolHeader.subarray(0, amqpSize))) return { kind: "unknown" };
  if (bytes.length < protocolHeader.length) return undefined;
  return { kind: "amqp", version: [bytes[4]!, bytes[5]!, bytes[6]!, bytes[7]!] };
}

function beginsLike(bytes: Uint8Array, expected: ArrayLike<number>): boolean {
  const length = Math.min(bytes.length, expected.length);
  for (let i = 0; i < length; i++) {
    if (bytes[i] !== expected[i]) return false;
  }
  return true;
}
