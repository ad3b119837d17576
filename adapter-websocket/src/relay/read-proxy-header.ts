/**
 * The PROXY protocol, versions 1 and 2, as load balancers write it that pass TCP through: whose connection this is, in
 * front of everything else, also of TLS.
 *
 * Source: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, sections 2.1 and 2.2.
 */

import { isIP, type Socket } from "node:net";
import { formatIp } from "./ip-address.ts";
import { familyTcp4, familyTcp6, familyUnspecified, type ProxyEnd, signature } from "./write-proxy-header.ts";

/** What a header says. */
export interface ProxyHeader {
  /** Bytes of the header. */
  readonly size: number;
  /** Undefined: it names nobody, as for a health check; the load balancer speaks for itself. */
  readonly source: ProxyEnd | undefined;
}

/** The longest line of version 1, with its end (2.1). */
const longestLine = 107;
/** Bytes of version 2 in front of the addresses. */
const fixedPart = 16;
/** Of version 2, with what may follow the addresses: a certificate's names, a cloud's identifiers. */
const longestHeader = 4_096;

const prefix = Buffer.from("PROXY ");
const sign = Buffer.from(signature);
const unixStream = 0x31;

/** Reads a header from the first bytes of a connection. */
export function decodeProxyHeader(bytes: Buffer): ProxyHeader | "incomplete" | "illegal" {
  if (beginAlike(bytes, sign)) return decodeVersion2(bytes);
  if (beginAlike(bytes, prefix)) return decodeVersion1(bytes);
  return "illegal";
}

/**
 * Takes the header off a connection, of which nothing was read yet; what follows it stays to be read.
 *
 * @param done Called once, unless the connection ends before; with `illegal` at the first byte that is not of a header.
 */
export function takeProxyHeader(socket: Socket, done: (header: ProxyHeader | "illegal") => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  const read = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    bytes = Buffer.concat([bytes, chunk]);
    const header = decodeProxyHeader(bytes);
    if (header === "incomplete") return;
    socket.off("readable", read);
    if (header !== "illegal" && bytes.length > header.size) socket.unshift(bytes.subarray(header.size));
    done(header);
  };
  socket.on("readable", read);
}

/** As far as both go. */
function beginAlike(bytes: Buffer, beginning: Buffer): boolean {
  const size = Math.min(bytes.length, beginning.length);
  return bytes.subarray(0, size).equals(beginning.subarray(0, size));
}

function decodeVersion1(bytes: Buffer): ProxyHeader | "incomplete" | "illegal" {
  const line = bytes.toString("latin1", 0, longestLine);
  const end = line.indexOf("\r\n");
  if (end < 0) return bytes.length < longestLine ? "incomplete" : "illegal";
  const size = end + 2;
  const [, protocol, source, destination, sourcePort, destinationPort, ...more] = line.slice(0, end).split(" ");
  if (protocol === "UNKNOWN") return { size, source: undefined };
  const version = protocol === "TCP4" ? 4 : protocol === "TCP6" ? 6 : 0;
  const isLegal =
    version !== 0 &&
    more.length === 0 &&
    [source, destination].every((address = "") => isIP(address) === version && !address.includes("%")) &&
    [sourcePort, destinationPort].every((port = "") => /^\d{1,5}$/.test(port) && Number(port) <= 65_535);
  return isLegal ? { size, source: { address: source ?? "", port: Number(sourcePort) } } : "illegal";
}

function decodeVersion2(bytes: Buffer): ProxyHeader | "incomplete" | "illegal" {
  if (bytes.length < fixedPart) return "incomplete";
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const size = fixedPart + bytes.readUInt16BE(14);
  // 0x20 is a connection of the load balancer's own, 0x21 one of somebody else's.
  if ((command !== 0x20 && command !== 0x21) || size > longestHeader) return "illegal";
  if (bytes.length < size) return "incomplete";
  if (command === 0x20 || family === familyUnspecified || family === unixStream) return { size, source: undefined };

  const width = family === familyTcp4 ? 4 : family === familyTcp6 ? 16 : 0;
  // Two addresses and two ports.
  if (width === 0 || size < fixedPart + 2 * width + 4) return "illegal";
  const address = formatIp([...bytes.subarray(fixedPart, fixedPart + width)]);
  return { size, source: { address, port: bytes.readUInt16BE(fixedPart + 2 * width) } };
}
