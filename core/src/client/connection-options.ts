/** What the calls of a connection take, and give. */

import type { Farewell } from "../engine/channel-engine.ts";
import type { Millis } from "../engine/config.ts";
import type { CallerOptions } from "./channel-options.ts";

/** What was negotiated when the connection was opened. 0 stands for no limit, and for no heartbeats. */
export interface Negotiated {
  /** The SASL mechanism that was used. */
  readonly mechanism: string;
  readonly channelMax: number;
  /** Bytes of the largest frame. */
  readonly frameMax: number;
  /** Seconds between heartbeats. */
  readonly heartbeat: number;
}

/** What is under way on a connection. */
export interface InFlight {
  /** Publishes that wait for their confirm. */
  readonly publishes: number;
  /** Messages that consumers have received and not handed out, and handlers that run. */
  readonly deliveries: number;
  /** Calls that wait for the server's answer. */
  readonly requests: number;
}

/** How to open a channel. */
export interface OpenChannelOptions extends CallerOptions {
  /** Default: the lowest that is free. */
  readonly number?: number | undefined;
}

/** A new secret. */
export interface SecretOptions extends CallerOptions {
  readonly newSecret: string | Uint8Array;
  readonly reason: string;
}

/** How to close a connection. */
export interface CloseOptions extends Farewell {
  /** How long to wait for the server's answer, in milliseconds. Default: the connection's `closeTimeout`. */
  readonly timeout?: Millis | undefined;
}
