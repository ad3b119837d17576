/** Whose connection this is, when load balancers stand in front: they are believed only if they were named. */

import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { parseIp } from "./ip-address.ts";
import type { ProxyEnd } from "./write-proxy-header.ts";

/** The header in which the load balancer in front names the client. It names one; believing two invites forgery. */
export type ForwardedHeader = "x-forwarded-for" | "forwarded";

/** Who is believed, and where it is said. */
export interface ProxyTrust {
  readonly trustedProxies: BlockList;
  readonly forwardedHeader: ForwardedHeader;
}

/** What is wrong with an address or a range such as `10.0.0.0/8`; undefined when nothing is. */
export function problemOfRange(range: string): string | undefined {
  const [address = "", bits, ...more] = range.split("/");
  const version = isIP(address);
  const longest = version === 4 ? 32 : 128;
  const legal =
    version !== 0 && !address.includes("%") && more.length === 0 && (bits === undefined || isBits(bits, longest));
  return legal ? undefined : "is an IP address or a range such as 10.0.0.0/8 or fd00::/8";
}

function isBits(text: string, longest: number): boolean {
  return /^\d{1,3}$/.test(text) && Number(text) <= longest;
}

/** @param ranges Addresses and ranges, already checked. */
export function trustedProxies(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIP(address) === 4 ? "ipv4" : "ipv6";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/**
 * The client's end: the peer of the connection, or, where the peer is trusted, whom it names. A list of names is read from its end, which
 * the nearest proxy wrote; the first that is not a trusted proxy is the client, and what stands before it is hearsay.
 */
export function clientOf(request: IncomingMessage, peer: ProxyEnd, trust: ProxyTrust): ProxyEnd {
  let client = peer;
  const named = trust.forwardedHeader === "forwarded" ? namesOfForwarded(request) : namesOfXForwardedFor(request);
  while (isTrusted(client.address, trust.trustedProxies)) {
    const name = named.pop();
    const end = name === undefined ? undefined : parseEnd(name);
    if (end === undefined) break;
    client = end;
  }
  return client;
}

/** Whether an address is one of the load balancers in front. */
export function isTrusted(address: string, trusted: BlockList): boolean {
  const bytes = parseIp(address);
  if (bytes === undefined) return false;
  return bytes.length === 4 ? trusted.check(bytes.join(".")) : trusted.check(address.split("%", 1)[0] ?? "", "ipv6");
}

function namesOfXForwardedFor(request: IncomingMessage): string[] {
  return headerOf(request, "x-forwarded-for")
    .split(",")
    .map((name) => name.trim());
}

/** The `for` of each element of `Forwarded` (RFC 7239). */
function namesOfForwarded(request: IncomingMessage): string[] {
  return splitUnquoted(headerOf(request, "forwarded"), ",").map((element) => {
    const parameter = splitUnquoted(element, ";").find((each) => /^\s*for=/i.test(each));
    return parameter === undefined ? "" : parameter.slice(parameter.indexOf("=") + 1).trim();
  });
}

function headerOf(request: IncomingMessage, name: ForwardedHeader): string {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : (value ?? "");
}

/**
 * The parts between separators that are not in quotes. Read from its end, which a proxy wrote: a quote that a client
 * opened in front of that, and did not close, must not swallow it.
 */
function splitUnquoted(text: string, separator: string): string[] {
  const parts: string[] = [];
  let end = text.length;
  let isQuoted = false;
  for (let index = text.length - 1; index >= 0; index -= 1) {
    if (text[index] === '"' && !isEscaped(text, index)) isQuoted = !isQuoted;
    if (text[index] !== separator || isQuoted) continue;
    parts.push(text.slice(index + 1, end));
    end = index;
  }
  parts.push(text.slice(0, end));
  return parts.reverse();
}

function isEscaped(text: string, index: number): boolean {
  let first = index;
  while (text[first - 1] === "\\") first -= 1;
  return (index - first) % 2 === 1;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `"[2001:db8::1]:80"`. */
function parseEnd(name: string): ProxyEnd | undefined {
  const text = name.replace(/^"(.*)"$/, "$1");
  if (isIP(text) !== 0) return { address: text, port: 0 };
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? 0);
  return isIP(address) === 0 || port > 65_535 ? undefined : { address, port };
}
