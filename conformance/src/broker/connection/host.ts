/** What a connection is given, and what it needs of its broker. */

import type { ChannelServices } from "../channel/owner.ts";
import type { Millis } from "../lib/timers.ts";
import type { BrokerSettings } from "../options.ts";
import type { Profile } from "../profile.ts";
import type { VirtualHost } from "../topology/virtual-host.ts";
import type { User } from "../users.ts";
import type { BrokerConnection } from "./connection.ts";

/** Where a connection comes from. */
export interface PeerOptions {
  /** What the connection is called in inspections. Default: its number. */
  readonly name?: string | undefined;
  /** It comes from the same machine. Default true. */
  readonly isLoopback?: boolean | undefined;
  /** A name that the transport vouches for, such as a certificate's, for the mechanism EXTERNAL. */
  readonly peerName?: string | undefined;
}

/** What a connection needs of its broker. */
export interface ConnectionHost {
  readonly settings: BrokerSettings;
  readonly profile: Profile;
  readonly users: ReadonlyMap<string, User>;
  readonly virtualHosts: ReadonlyMap<string, VirtualHost>;
  readonly services: ChannelServices;
  /** Why publishers are stopped; `undefined` while they are not. */
  alarm(): string | undefined;
  /** There are more connections than allowed, this one included. */
  isFull(): boolean;
  /** Runs something that may change anything, with the clock at `now`, and then what it has set off. */
  turn(now: Millis, task: () => void): void;
  /** Deals with what one frame has set off. */
  settle(): void;
  /** The driver should look at this connection. */
  wake(connection: BrokerConnection): void;
  /** The connection holds nothing any more. */
  ended(connection: BrokerConnection): void;
}
