/**
 * Everything that the client needs of a runtime: time, randomness, a place on the loop, and streams of bytes.
 *
 * An adapter implements {@link IoServices} once per runtime. It moves bytes, and never looks inside a chunk.
 * Every sentence below that says "once", "never" or "last" is a case of the I/O contract in `@leveret/conformance`.
 */

import type { Millis } from "../engine/config.ts";
import { AmqpError, type AmqpErrorOptions } from "../wire/errors.ts";

/** What a runtime can do. An option that needs what is missing is refused with a `UsageError`, never ignored. */
export interface IoCapabilities {
  readonly tcp: boolean;
  readonly tls: boolean;
  readonly unix: boolean;
  readonly websocket: boolean;
  /** `"exact"`: no byte is received after `pause()`; `"held"`: the transport goes on receiving, and the adapter holds. */
  readonly pause: "exact" | "held";
}

/** The services of a runtime. A value without module state: two of them do not know each other. */
export interface IoServices {
  /** The runtime, for client properties and reports, such as `"node 24.21.0"`. */
  readonly runtime: string;
  readonly capabilities: IoCapabilities;
  /**
   * Bytes up to which this runtime makes an array with memory of its own faster than a view of shared memory, as
   * JavaScriptCore does for small ones. Small bodies are then such arrays. Default 0: none.
   */
  readonly cheapArraySize?: number | undefined;
  /** A monotonic clock. */
  now(): Millis;
  /** Calls `fire` once after at least `delay`, never inline; the returned function cancels it, at any time and any number of times. */
  setTimer(delay: Millis, fire: () => void): () => void;
  /** A number from 0 to 1, for jitter. Not for secrets. */
  random(): number;
  /** Runs `task` soon on the loop: after the microtasks of the present turn, never inline, in the order of the calls. */
  post(task: () => void): void;
  /**
   * As {@link post}, but at once when the present callback is over and its microtasks with it, before the loop turns to
   * anything else. Who does this again and again keeps the loop from everything else. Left out where the runtime has no
   * such moment, or gains nothing by it.
   */
  afterMicrotasks?(task: () => void): void;
  /**
   * Begins to open a stream. Never throws for what the network does: such failures arrive at `handler.closed`.
   *
   * @throws UsageError when the endpoint has an option that this runtime cannot honour, before anything was sent.
   */
  connect(endpoint: Endpoint, handler: StreamHandler): ByteStream;
}

/**
 * What a stream tells its owner. No method is called from inside a call of the owner's into the stream or into `connect`.
 *
 * None should throw. When `opened`, `received` or `writable` does, the stream is dropped, since its owner has lost its
 * place in it, and `closed` follows with TRANSPORT_FAILED, whose `cause` is the exception.
 */
export interface StreamHandler {
  /** The stream is open, TLS included. Once and first, unless it never opens. */
  opened(): void;
  /** Bytes arrived. The chunk is lent for the length of the call: the adapter may reuse its memory afterwards. */
  received(chunk: Uint8Array): void;
  /**
   * Memory that the next bytes may be read to, in place of the adapter's own: that saves a copy of large bodies. What was
   * read to its beginning is given to {@link received} as ever. Good for one read, so it is to be asked for behind each
   * `received`, and right before the first one; an adapter that never asks loses nothing but time.
   */
  readTarget?(): Uint8Array | undefined;
  /** The stream takes more. Once after a `write` that returned false, or several in a row; never without one. */
  writable(): void;
  /**
   * The stream is over. Exactly once and last, also after `abort`, also when it never opened. Without a cause: the peer
   * or we ended it in an orderly way, or we aborted it.
   */
  closed(cause?: TransportError): void;
}

/** An open stream, or one that is opening. */
export interface ByteStream {
  /**
   * Sends the chunks, in order, and takes them for good: neither side writes to their memory any more. All bytes are
   * taken, whatever is returned; false asks the caller to wait for `writable`, which answers all writes that returned
   * false since the last one. Ignored, with true, after `end`, `abort` and the end of the stream.
   *
   * @throws UsageError ILLEGAL_STATE before `opened`.
   */
  write(chunks: readonly Uint8Array[]): boolean;
  /** Stops `received`, until `resume`. The end of the stream is reported after `resume`. */
  pause(): void;
  /** Undoes {@link ByteStream.pause}: what was held comes first. */
  resume(): void;
  /**
   * Sends what was written, then ends our side. The peer may go on; `closed` follows when it ends its side. Before `opened`: `abort`.
   *
   * @param answered True when the peer has received everything and has nothing more to say: then there is no need to wait
   * for its end.
   */
  end(answered?: boolean): void;
  /** Drops everything at once. `closed` follows, without a cause. */
  abort(): void;
}

/** Where to connect to. */
export type Endpoint = TcpEndpoint | UnixEndpoint | WebSocketEndpoint;

/** A TCP port, with or without TLS. */
export interface TcpEndpoint {
  readonly transport: "tcp";
  /** A name or an address; an IPv6 address without brackets. Every address that a name resolves to is tried. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
  /** Present: TLS. An empty object is TLS with the runtime's trust store and full verification. */
  readonly tls?: TlsOptions | undefined;
  readonly tcp?: TcpOptions | undefined;
}

/** A unix domain socket. */
export interface UnixEndpoint {
  readonly transport: "unix";
  readonly path: string;
}

/** A relay that carries AMQP over WebSocket. */
export interface WebSocketEndpoint {
  readonly transport: "websocket";
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** Subprotocols to offer. Default: none. */
  readonly protocols?: readonly string[] | undefined;
}

/** Options of TCP. Small writes are always sent at once (no Nagle). */
export interface TcpOptions {
  /**
   * Idle time before the kernel's first keep-alive probe, 0 to turn keep-alive off. Kernels count whole seconds: it is
   * rounded up to one, and cut off at 32 767. Default 30 s.
   */
  readonly keepAlive?: Millis | undefined;
}

/**
 * Options of TLS. The peer is verified, name and chain, unless `verify` is false.
 *
 * An adapter reads them one by one: `key`, `passphrase` and `pfx` may not be enumerable, so that no log shows them, and
 * a spread would lose them.
 */
export interface TlsOptions {
  /** Certificates (PEM) to trust in place of the runtime's. */
  readonly ca?: string | readonly string[] | undefined;
  /** The client's certificate chain, PEM. */
  readonly cert?: string | undefined;
  /** The client's private key, PEM. */
  readonly key?: string | undefined;
  /** The passphrase of `key`. */
  readonly passphrase?: string | undefined;
  /** Client certificate and key as PKCS#12, in place of `cert` and `key`; `passphrase` opens it. */
  readonly pfx?: Uint8Array | undefined;
  /** The name to ask for (SNI) and to verify. Default: the host. */
  readonly serverName?: string | undefined;
  /** Default: the runtime's. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /** OpenSSL cipher list for TLS 1.2 and below. Default: the runtime's. */
  readonly ciphers?: string | undefined;
  /** False: accept any certificate of any name. Only for tests; the connection can be read by anyone on the way. Default true. */
  readonly verify?: boolean | undefined;
}

/** What went wrong with a transport. */
export type TransportErrorCode =
  | "NAME_NOT_FOUND"
  | "CONNECTION_REFUSED"
  | "UNREACHABLE"
  | "CONNECT_TIMEOUT"
  | "CONNECTION_RESET"
  | "TLS_CERTIFICATE"
  | "TLS_HANDSHAKE"
  | "PERMISSION_DENIED"
  | "WEBSOCKET_HANDSHAKE"
  | "WEBSOCKET_CLOSED"
  | "TRANSPORT_FAILED";

/** Details of a {@link TransportError}. */
export interface TransportErrorOptions extends AmqpErrorOptions {
  /** How far connecting had come; absent once the stream was open. */
  readonly phase?: "dns" | "tcp" | "tls" | undefined;
  /** The failure of each address, where a name has several. */
  readonly errors?: readonly Error[] | undefined;
}

/** A failure of a transport, as a value; `cause` is the runtime's own error. */
export class TransportError extends AmqpError {
  override name = "TransportError";
  declare readonly code: TransportErrorCode;

  /** How far connecting had come; `undefined` once the stream was open. */
  readonly phase: "dns" | "tcp" | "tls" | undefined;
  /** The failure of each address, where a name has several. */
  readonly errors: readonly Error[];

  constructor(code: TransportErrorCode, message: string, options: TransportErrorOptions = {}) {
    super(code, message, options);
    this.phase = options.phase;
    this.errors = options.errors ?? [];
  }

  override get retryable(): boolean {
    return this.code !== "TLS_CERTIFICATE" && this.code !== "PERMISSION_DENIED";
  }
}
