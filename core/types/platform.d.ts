// The part of a platform that the client may use besides the language: cancellation and the microtask queue. Time,
// randomness and bytes come through IoServices alone. Every runtime has these, so they are declared, not imported.

declare function queueMicrotask(task: () => void): void;

interface AbortEvent {
  readonly type: "abort";
}

interface AbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: (event: AbortEvent) => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: (event: AbortEvent) => void): void;
}

declare var AbortSignal: {
  prototype: AbortSignal;
  abort(reason?: unknown): AbortSignal;
  any(signals: readonly AbortSignal[]): AbortSignal;
};

interface AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

declare var AbortController: {
  prototype: AbortController;
  new (): AbortController;
};

// What threads need: each runtime's own types are these and more.

interface PlatformPort {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: string, listener: ((event: never) => void) | { handleEvent(event: never): void } | null): void;
  removeEventListener(
    type: string,
    listener: ((event: never) => void) | { handleEvent(event: never): void } | null,
  ): void;
  start(): void;
  close(): void;
}

declare var MessageChannel: {
  prototype: { readonly port1: PlatformPort; readonly port2: PlatformPort };
  new (): { readonly port1: PlatformPort; readonly port2: PlatformPort };
};

// The part of the Compression Streams standard that the gzip codec uses, where the runtime has it.

interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason?: unknown): Promise<void>;
}

interface ByteWriter {
  write(chunk: Uint8Array<ArrayBuffer>): Promise<void>;
  close(): Promise<void>;
}

interface CompressionStream {
  readonly readable: { getReader(): ByteReader };
  readonly writable: { getWriter(): ByteWriter };
}

declare var CompressionStream: { prototype: CompressionStream; new (format: "gzip"): CompressionStream };

interface DecompressionStream extends CompressionStream {}

declare var DecompressionStream: { prototype: DecompressionStream; new (format: "gzip"): DecompressionStream };
