/** What a conformance case is, and what it is given. Plain data crosses this border, so that a runtime may be a browser. */

import type { ConnectOptions, Millis } from "@leveret/core/client";
import type { Scene } from "./scene.ts";

/** One thing that the client and a broker do together. */
export interface ConformanceCase {
  /** What it shows, as a sentence about the group. */
  readonly name: string;
  /** What the broker, or its host, must be able to do. */
  readonly needs?: readonly CaseNeed[];
  /** How long it may take. Default 20 s, and 60 s where it operates the broker. */
  readonly timeout?: Millis;
  /** Resolves when it is as it should be. */
  run(scene: Scene): Promise<void>;
}

/** A case with the name of its group. */
export interface GroupedCase extends ConformanceCase {
  readonly group: string;
}

/** What a case can need beside a broker. */
export type CaseNeed =
  /** TCP from here to the broker, so that ports, proxies and names can be played with. */
  | "tcp"
  /** A proxy that does wrong on request. */
  | "proxy"
  /** A broker of our own, that can be blocked and can close its connections. */
  | "operate"
  /** Users can be added. */
  | "users"
  /** Virtual hosts can be added and deleted. */
  | "virtual-hosts"
  | "tls"
  | "client-certificate"
  | "quorum-queues"
  | "streams";

/** What is known of a broker. */
export interface BrokerFacts {
  /** `"3.10.8"`, or what the broker plays. */
  readonly version: string;
  /** How it is reached: an address, without credentials. */
  readonly address: ConnectOptions;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly virtualHost: string;
  /** The same broker over TLS. */
  readonly tls?: TlsFacts | undefined;
  readonly offers: readonly CaseNeed[];
}

/** How to reach a broker over TLS; texts are PEM. */
export interface TlsFacts {
  readonly host: string;
  readonly port: number;
  /** Who signed its certificate. */
  readonly ca: string;
  /** A client's certificate, and the user that it logs in as with EXTERNAL. */
  readonly client?: { readonly cert: string; readonly key: string; readonly user: string } | undefined;
}

/** Where the broker lives: the process of the tests, which may be another one than that of the cases. */
export interface BrokerHost {
  readonly facts: BrokerFacts;
  /** Starts a proxy in front of the broker. */
  proxy(): Promise<ProxyHandle>;
  /** Makes the broker block those who publish. */
  block(): Promise<void>;
  /** Ends that. */
  unblock(): Promise<void>;
  /** Makes the broker close all connections, with 320. */
  closeConnections(reason: string): Promise<void>;
  /** Adds a user who may do everything in the virtual host. */
  addUser(name: string, password: string): Promise<void>;
  /** Removes a user. */
  deleteUser(name: string): Promise<void>;
  /** Adds a virtual host that the broker's user may use. */
  addVirtualHost(name: string): Promise<void>;
  /** Deletes a virtual host, and closes the connections to it. */
  deleteVirtualHost(name: string): Promise<void>;
  /** Stops a virtual host: closes the connections to it, and lets none in. */
  stopVirtualHost(name: string): Promise<void>;
  /** Starts it again. */
  startVirtualHost(name: string): Promise<void>;
  /** Stops the broker in order, and starts it again on the same port, with what is durable. */
  restart(): Promise<void>;
}

/** Which way bytes go. */
export type Direction = "to-server" | "to-client";

/** How a connection breaks: in order, with a reset, or by saying nothing any more. */
export type Break = "cut" | "reset" | "silence";

/** What is wrong with the connections through a proxy. Offsets count from a connection's first byte. */
export interface ProxyFaults {
  readonly delay?: Millis | undefined;
  readonly oneByteAtATime?: boolean | undefined;
  readonly corrupt?: { readonly direction: Direction; readonly offset: number } | undefined;
  readonly breakAfter?: { readonly direction: Direction; readonly bytes: number; readonly how: Break } | undefined;
}

/** A proxy that listens. */
export interface ProxyHandle {
  /** Where. */
  readonly address: ConnectOptions;
  /** Says what is wrong from now on. */
  inflict(faults: ProxyFaults): Promise<void>;
  /** Breaks the connections that there are. */
  break(how: Break): Promise<void>;
  /** Swallows what goes that way from now on. */
  silence(direction: Direction): Promise<void>;
  /** Passes on again what goes through. */
  speak(): Promise<void>;
  /** How many connections there were, and are. */
  report(): Promise<{ readonly accepted: number; readonly open: number }>;
  /** Closes the proxy, and the connections through it. */
  close(): Promise<void>;
}
