/** How it is said where to connect to: what each transport brings of its own. */

import type { Endpoint, TcpOptions, UnixEndpoint, WebSocketEndpoint } from "../io-services.ts";
import type { Checks } from "../option-checks.ts";
import type { ConnectOptions, TlsFileOptions } from "../parameters.ts";
import type { ParsedUri } from "./uri-parts.ts";

/** Where to connect to, complete but for the contents of files. */
export type Address = TcpPlace | UnixEndpoint | WebSocketEndpoint;

export interface TcpPlace {
  readonly transport: "tcp";
  readonly host: string;
  readonly port: number;
  readonly tls: TlsFileOptions | undefined;
  readonly tcp: TcpOptions | undefined;
}

/** The options that say where TCP goes. */
export type TcpOptionName = "host" | "port" | "tls" | "tcp";

/**
 * The addresses that a `connect` understands: `allAddresses`, or `webSocketAddresses`. A part of its own, because in a
 * page nothing is known of TCP and TLS, and what is not named is not loaded.
 *
 * Everything but `complete` throws a UsageError for what is not legal.
 */
export interface Addresses {
  readonly checks: Checks<Pick<ConnectOptions, TcpOptionName>>;
  /** Takes a URI apart. */
  parse(uri: string): ParsedUri;
  /** Checks what a URI in a list sets besides its address: it counts for that place only. */
  checkListed(uri: ParsedUri, name: string): void;
  /** What the options say by themselves, without a URI. */
  ofOptions(options: ConnectOptions): Address;
  /** What a URI says, with the options beside it. */
  ofUri(uri: ParsedUri, options: ConnectOptions, winner: "uri" | "options"): Address;
  /** What an element of a list of endpoints says that is an object. */
  ofParts(element: object, options: ConnectOptions, name: string): Address;
  /** What can only be checked when everything that is said of an address is together. */
  check(address: Address, options: ConnectOptions, prefix: string): void;
  /** The endpoint; reads its files. */
  complete(address: Address, readFile: ConnectOptions["readFile"]): Promise<Endpoint>;
}
