/** What a connection tells its listeners. */

import type { ConnectionError } from "../engine/errors.ts";
import type { Millis } from "../engine/config.ts";
import type { TopologyFailure } from "./recovery-options.ts";

/**
 * Where a connection stands. `"connecting"`: it was lost, and the client waits for the next attempt, or dials.
 * `"recovering"`: there is a connection again, and everything is being brought back. In both, calls wait.
 */
export type ConnectionState = "open" | "connecting" | "recovering" | "closing" | "closed";

/**
 * What the listeners of a connection are given. Of one outage, in this order: `disconnected`; then, as often as it
 * takes, `reconnecting` and `reconnect-failed`; `connected`; `queue-renamed`, `topology-error` and `channel-recovered`,
 * as they come; and once `recovered`, or `closed`.
 */
export interface ConnectionEvents {
  /** The server stopped reading from this connection: publishes wait. */
  readonly blocked: { readonly reason: string };
  /** The server reads again, or the connection was lost while it did not. */
  readonly unblocked: undefined;
  /** The connection was lost. */
  readonly disconnected: { readonly cause: ConnectionError; readonly willRecover: boolean };
  /** An attempt to connect will be made. */
  readonly reconnecting: {
    /** From 1, counted from when the connection was last stable. */
    readonly attempt: number;
    /** The wait until then. */
    readonly delay: Millis;
  };
  /** An attempt to connect failed: mostly a `ConnectError`, with a failure for each endpoint. */
  readonly "reconnect-failed": { readonly attempt: number; readonly error: unknown };
  /** There is a connection again. Calls still wait, until `recovered`. */
  readonly connected: {
    /** Which connection this is, from 1; the one that `connect` opened is the first. */
    readonly epoch: number;
  };
  /** The server gave a queue that it names itself another name. */
  readonly "queue-renamed": { readonly oldName: string; readonly newName: string };
  /** The server refused something that was to be brought back; `action` says what is done about it. */
  readonly "topology-error": TopologyFailure;
  /** A channel is open again, in its mode, with its consumers. */
  readonly "channel-recovered": { readonly channel: number };
  /** Everything is back, but for what is in `failures`; calls that waited are made. */
  readonly recovered: {
    readonly epoch: number;
    /** From the loss until now. */
    readonly took: Millis;
    readonly failures: readonly TopologyFailure[];
  };
  /** The connection is over; `error` is `undefined` when this client closed it. */
  readonly closed: { readonly error: ConnectionError | undefined };
  /** The server was given a new password, before the old one expired; it is asked for again in time. */
  readonly "credentials-renewed": { readonly validFor: Millis | undefined };
  /** The credentials' function failed, or took too long, when it was asked for new ones. It is asked again. */
  readonly "credentials-failed": {
    readonly error: unknown;
    /** From 1, counted from the last success. */
    readonly attempt: number;
    /** The wait until the next one. */
    readonly delay: Millis;
  };
  /** `Connection.state` is another one. Told after the event that it comes with. */
  readonly state: { readonly state: ConnectionState; readonly before: ConnectionState };
  /** A listener or a handler of the application threw, or its promise was rejected. The connection goes on. */
  readonly "callback-error": { readonly error: unknown };
}
