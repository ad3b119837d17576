/** The parts of the standard that are used, so that any implementation of them will do. */

/** A `WebSocket`: a browser's, Node's, Deno's, Bun's, or that of the package `ws`. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  /** Calls the listener when that happens. */
  addEventListener(type: "open", listener: () => void): void;
  /** Calls the listener with each message. */
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  /** Calls the listener when it fails; a `close` may follow. Standard is an event that does not say why. */
  addEventListener(type: "error", listener: (event: object) => void): void;
  /** Calls the listener once, at the end. */
  addEventListener(type: "close", listener: (event: CloseLike) => void): void;
  /** Sends a binary message. */
  send(data: Uint8Array): void;
  /** Ends it with the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Not of the standard: stops reading from the network (Bun, ws). */
  pause?(): void;
  /** Undoes `pause`. */
  resume?(): void;
  /** Not of the standard: ends without the closing handshake (Bun, ws). */
  terminate?(): void;
}

/** Makes a {@link WebSocketLike}. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** How a WebSocket ended. */
export interface CloseLike {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** A `WebSocketStream` (Chromium, Deno), which has backpressure in both directions. */
export interface WebSocketStreamLike {
  readonly opened: Promise<{
    readonly readable: ReadableStream<string | ArrayBuffer | Uint8Array>;
    readonly writable: WritableStream<Uint8Array>;
  }>;
  readonly closed: Promise<{ readonly closeCode?: number; readonly reason?: string }>;
  /** Ends it with the closing handshake. */
  close(info?: { closeCode?: number; reason?: string }): void;
}

/** Makes a {@link WebSocketStreamLike}. */
export type WebSocketStreamConstructor = new (
  url: string,
  options: { readonly protocols: string[]; readonly signal: AbortSignal },
) => WebSocketStreamLike;
