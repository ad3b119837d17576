/** What an engine is told when it is made: who connects to what, how values are negotiated, and every limit. */

import type { FieldTable } from "../wire/field-values.ts";
import type { MethodName } from "../wire/method-types.ts";
import type { SaslMechanism } from "./sasl.ts";

/** A time or a duration in milliseconds, from whatever clock the caller has; it only has to be monotonic. */
export type Millis = number;

/** The limits of one connection. A limit that a peer exceeds closes the connection, one that a caller exceeds is a `UsageError`. */
export interface EngineLimits {
  /** Bytes of the largest message body that is accepted. Default 128 MiB. */
  readonly maxBodySize: number;
  /** Bytes that were received and not yet parsed, beyond which `receive` refuses more. Default 16 MiB. */
  readonly maxUnparsedInput: number;
  /** Bytes of output from which `writable` is false. Default 4 MiB, so that large messages share a write; `maxOutput` at most. */
  readonly outputHighWater: number;
  /**
   * Bytes of output from which publishes and requests are refused; `basic.cancel` is not, nor are acks, nacks and rejects.
   * Default 64 MiB; one message may exceed it.
   */
  readonly maxOutput: number;
  /** Requests that may wait on one channel for the one in flight; `basic.cancel` always may. Default 1024. */
  readonly maxWaitingRequests: number;
  /** Publishes of one channel that may wait for their confirm. Default 1 048 576. */
  readonly maxUnconfirmed: number;
}

/** A frame as the tap sees it. */
export interface TappedFrame {
  readonly direction: "in" | "out";
  readonly type: "method" | "header" | "body" | "heartbeat";
  readonly channel: number;
  /** Bytes of the whole frame. */
  readonly size: number;
  /** The method, where `type` is `"method"`. */
  readonly method: MethodName | undefined;
}

/** The configuration of a {@link ConnectionEngine}. */
export interface ConnectionConfig {
  /** SASL mechanisms in order of preference; the first that the server offers is used. Never chosen for being offered alone. */
  readonly mechanisms: readonly SaslMechanism[];
  /** Default `"/"`. The empty string is a name too. */
  readonly virtualHost?: string | undefined;
  /** Default `"en_US"`. */
  readonly locale?: string | undefined;
  /** Shown by the server's tools. */
  readonly connectionName?: string | undefined;
  /** Added to the client properties; a `capabilities` table is merged into ours. */
  readonly clientProperties?: FieldTable | undefined;
  /** The highest channel number, 0 for no limit of ours. Default 2047. The smaller of both peers' values is used. */
  readonly channelMax?: number | undefined;
  /** Bytes of the largest frame, 0 for no limit of ours. Default 131 072, minimum 4096 (RabbitMQ 4.1 and newer: 8192). */
  readonly frameMax?: number | undefined;
  /**
   * Seconds between heartbeats: a number wins over the server's proposal, 0 turns heartbeats off, a function is given
   * the proposal. Default: the server's proposal.
   */
  readonly heartbeat?: number | ((proposed: number) => number) | undefined;
  /** From the first byte to open-ok. Default 10 s, 0 for none. RabbitMQ's own limit is 10 s. */
  readonly handshakeTimeout?: Millis | undefined;
  /** From our `connection.close` to its answer. Default 5 s, 0 for none. */
  readonly closeTimeout?: Millis | undefined;
  /** From a request to its answer; time while the connection is blocked, or is not read, does not count. Default 60 s, 0 for none. */
  readonly requestTimeout?: Millis | undefined;
  /** How long the server may keep the connection blocked. Default 0: for ever. */
  readonly blockedTimeout?: Millis | undefined;
  readonly limits?: Partial<EngineLimits> | undefined;
  /**
   * Bodies of up to so many bytes get memory of their own, in place of a part of what several share: faster where the
   * runtime makes small arrays at little cost (JavaScriptCore), and slower elsewhere. They are of the class of the chunk, so
   * chunks have to be plain `Uint8Array`s then. Default 0: none.
   */
  readonly cheapArraySize?: number | undefined;
  /** Sees every frame, in both directions. For debugging: it costs time. What it throws is dropped. */
  readonly tap?: ((frame: TappedFrame) => void) | undefined;
}
