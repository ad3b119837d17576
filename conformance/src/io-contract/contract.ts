/**
 * The I/O contract: what every implementation of `IoServices` promises, as cases that run in any runtime.
 *
 * A case uses nothing of a runtime but the services under test. The peer that it talks to lives in a host process and
 * is reached through `PeerHost`, whose methods take and give plain data only, so that a few messages can carry them to
 * a browser.
 */

import type { Endpoint, IoServices } from "@leveret/core/client";

/** One promise of the contract. */
export interface IoCase {
  readonly name: string;
  /** What the runtime, or the transport under test, must be able to do. */
  readonly needs: readonly IoNeed[];
  /** Resolves when the promise is kept; rejects with an error that says what was not. */
  run(context: IoContext): Promise<void>;
}

/** What a case can need of a runtime: a transport, or an option of TLS. */
export type IoNeed = PeerTransport | "client-certificate" | "passphrase" | "pfx" | "min-version";

/**
 * What a case can need of a transport: `"half-close"`, ending one direction of it; `"reset"`, telling a connection that
 * was broken from one that has ended.
 */
export type TransportNeed = "half-close" | "reset";

/** What a case works with. */
export interface IoContext {
  readonly io: IoServices;
  readonly peers: PeerHost;
  /** The variables of the runtime's environment, where it has one. */
  readonly environment?: Record<string, string | undefined> | undefined;
}

/** The transports that peers speak: those of `Endpoint`, and TLS over TCP. */
export type PeerTransport = "tcp" | "tls" | "unix" | "websocket";

/** Makes peers. Nothing of it is left when its owner closes it. */
export interface PeerHost {
  readonly certificates: PeerCertificates;
  listen(options: PeerOptions): Promise<Peer>;
  /** An endpoint where nobody listens. */
  vacant(transport: "tcp" | "unix"): Promise<Endpoint>;
}

/** PEM texts of certificates that were made for this. The authority's are trusted only by whom they are given to. */
export interface PeerCertificates {
  readonly authority: string;
  readonly client: {
    readonly cert: string;
    readonly key: string;
    /** `key`, encrypted with `passphrase`. */
    readonly encryptedKey: string;
    readonly passphrase: string;
    /** Certificate and key as PKCS#12, opened by `passphrase`. */
    readonly pfx: Uint8Array;
  };
}

/** How a peer behaves. */
export interface PeerOptions {
  readonly transport: PeerTransport;
  /** What the peer does on every connection, step by step; then it keeps the connection as it is. */
  readonly script: readonly PeerStep[];
  /** The address to listen at, for TCP. Default `"127.0.0.1"`. */
  readonly address?: "127.0.0.1" | "::1" | undefined;
  readonly tls?: PeerTlsOptions | undefined;
}

/** How a peer behaves in TLS. */
export interface PeerTlsOptions {
  /** The certificate that the peer shows: for `localhost`, `127.0.0.1` and `::1`, or an expired one. Default `"good"`. */
  readonly certificate?: "good" | "expired" | undefined;
  readonly requireClientCertificate?: boolean | undefined;
  readonly maxVersion?: "TLSv1.2" | undefined;
}

/** One step of a peer. Bytes are those of `pattern`, in either direction, and are checked as they arrive. */
export type PeerStep =
  /** Sends back whatever arrives, and ends its side when we end ours. */
  | { readonly do: "echo" }
  /** Sends so many bytes. */
  | { readonly do: "say"; readonly bytes: number }
  /** Waits until so many bytes arrived in all, or until we ended our side. */
  | { readonly do: "hear"; readonly bytes: number }
  | { readonly do: "hear-end" }
  /** Reads no more, until `"listen"`. */
  | { readonly do: "stall" }
  | { readonly do: "listen" }
  /** Waits until the case says `go`. */
  | { readonly do: "wait" }
  /** Ends its side, and goes on reading. */
  | { readonly do: "end" }
  /** Breaks the connection. */
  | { readonly do: "reset" };

/** A peer that listens. */
export interface Peer {
  readonly endpoint: Endpoint;
  /** Lets every connection go on that is at a `"wait"`, or the next one that comes to it. */
  go(): Promise<void>;
  /** Ends the scripts of all connections: each reads to the end of ours, and ends with it. */
  release(): Promise<void>;
  report(): Promise<PeerReport>;
}

/** What a peer has seen, over all its connections. */
export interface PeerReport {
  readonly accepted: number;
  readonly open: number;
  /** Bytes that arrived. */
  readonly received: number;
  /** Bytes that the peer could say: those that its side of the connections took. */
  readonly said: number;
  /** Whether those that arrived all were those of `pattern`. */
  readonly intact: boolean;
  /** Connections on which we ended our side. */
  readonly ended: number;
  /** The server names that TLS clients asked for, `""` where one asked for none. */
  readonly serverNames: readonly string[];
}
