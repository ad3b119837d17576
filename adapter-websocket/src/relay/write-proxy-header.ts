/**
 * The PROXY protocol, version 2: tells the upstream whose connection this is.
 *
 * Source: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, section 2.2. It goes in front of everything
 * else, also of TLS.
 */

import { type IpBytes, parseIp, toIpv6 } from "./ip-address.ts";

/** One end of a connection. */
export interface ProxyEnd {
  readonly address: string;
  /** 0 when it is not known. */
  readonly port: number;
}

/** What the upstream is told about a connection. */
export interface ProxiedConnection {
  readonly source: ProxyEnd;
  readonly destination: ProxyEnd;
  /** Appears in the logs of the relay, and of an upstream that logs it. */
  readonly uniqueId?: string;
  /** TLS between client and relay. */
  readonly tls?: { readonly version: string; readonly cipher: string };
}

export const signature: readonly number[] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const commandLocal = 0x20;
const commandProxy = 0x21;
export const familyUnspecified = 0x00;
export const familyTcp4 = 0x11;
export const familyTcp6 = 0x21;

const typeUniqueId = 0x05;
const typeSsl = 0x20;
const subtypeSslVersion = 0x21;
const subtypeSslCipher = 0x23;

const clientSsl = 0x01;
/** "The client certificate was verified" is 0; anything else says that it was not, and here none was asked for. */
const notVerified = [0, 0, 0, 1];

/** The header of a connection that the relay makes on its own account, such as a health check. */
export function encodeLocalHeader(): Buffer {
  return header(commandLocal, familyUnspecified, []);
}

/** The header of a client's connection. Addresses that are not IP addresses are left out. */
export function encodeProxyHeader(connection: ProxiedConnection): Buffer {
  const source = parseIp(connection.source.address);
  const destination = parseIp(connection.destination.address);
  const extras = extrasOf(connection);
  if (source === undefined || destination === undefined) return header(commandProxy, familyUnspecified, extras);

  const ports = [...twoBytes(connection.source.port), ...twoBytes(connection.destination.port)];
  if (source.length === 4 && destination.length === 4) {
    return header(commandProxy, familyTcp4, [...source, ...destination, ...ports, ...extras]);
  }
  // Both ends must be of one family.
  const addresses: IpBytes = [...toIpv6(source), ...toIpv6(destination)];
  return header(commandProxy, familyTcp6, [...addresses, ...ports, ...extras]);
}

function header(command: number, family: number, rest: readonly number[]): Buffer {
  return Buffer.from([...signature, command, family, ...twoBytes(rest.length), ...rest]);
}

function extrasOf({ uniqueId, tls }: ProxiedConnection): number[] {
  const extras: number[] = [];
  if (uniqueId !== undefined) extras.push(...extra(typeUniqueId, Buffer.from(uniqueId)));
  if (tls !== undefined) {
    const version = extra(subtypeSslVersion, Buffer.from(tls.version));
    const cipher = extra(subtypeSslCipher, Buffer.from(tls.cipher));
    extras.push(...extra(typeSsl, [clientSsl, ...notVerified, ...version, ...cipher]));
  }
  return extras;
}

function extra(type: number, value: Iterable<number>): number[] {
  const bytes = [...value];
  return [type, ...twoBytes(bytes.length), ...bytes];
}

function twoBytes(value: number): [number, number] {
  return [value >> 8, value & 0xff];
}
