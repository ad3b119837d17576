/** IP addresses as bytes: for the PROXY protocol, and to count clients. */

import { isIP } from "node:net";

/** 4 or 16 bytes. */
export type IpBytes = readonly number[];

const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** The bytes of an address, without its zone; an IPv4 address that is mapped into IPv6 comes as IPv4. Undefined: not an address. */
export function parseIp(text: string): IpBytes | undefined {
  const address = text.split("%", 1)[0] ?? "";
  const version = isIP(address);
  if (version === 0) return undefined;
  const bytes = version === 4 ? parseIpv4(address) : parseIpv6(address);
  const mapped = bytes.length === 16 && mappedPrefix.every((byte, index) => bytes[index] === byte);
  return mapped ? bytes.slice(12) : bytes;
}

/** An address as it is written; IPv4 that is mapped into IPv6 as IPv4. */
export function formatIp(bytes: IpBytes): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) => hexOf(bytes.slice(2 * index, 2 * index + 2)));
  const isMapped = mappedPrefix.every((byte, index) => bytes[index] === byte);
  // The URL writes it in the short form (RFC 5952).
  return isMapped ? bytes.slice(12).join(".") : new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function hexOf(bytes: IpBytes): string {
  return Buffer.from(bytes).toString("hex");
}

/** The 16 bytes of an address; IPv4 is mapped into IPv6. */
export function toIpv6(bytes: IpBytes): IpBytes {
  return bytes.length === 16 ? bytes : [...mappedPrefix, ...bytes];
}

/**
 * What counts as one client: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber is given
 * (RFC 6177), who could otherwise pass for 2^64 clients.
 */
export function clientGroup(address: string): string {
  const bytes = parseIp(address);
  if (bytes === undefined) return address;
  return bytes.length === 4 ? bytes.join(".") : `${hexOf(bytes.slice(0, 8))}/64`;
}

function parseIpv4(address: string): number[] {
  return address.split(".").map(Number);
}

/** The address is known to be well formed. */
function parseIpv6(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const first = groupsOf(head);
  if (tail === undefined) return first;
  const last = groupsOf(tail);
  return [...first, ...Array<number>(16 - first.length - last.length).fill(0), ...last];
}

function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return parseIpv4(group);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
