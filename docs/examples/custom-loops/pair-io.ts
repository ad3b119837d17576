/**
 * I/O services over any `{ readable, writable }` pair of the Streams standard: a proxy's tunnel, a QUIC stream, a serial
 * port, a test pipe. How a pair comes about is the caller's; everything else is here.
 */

import {
  type ByteStream,
  type Endpoint,
  type IoCapabilities,
  type IoServices,
  StreamGate,
  type StreamHandler,
  TransportError,
  UsageError,
} from "@leveret/core/client";

/** Two streams of bytes, one for each direction. */
export interface Pair {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** How to get a pair. */
export interface PairSource {
  /** The endpoints that `open` can reach; others are refused. */
  readonly transports: Partial<Pick<IoCapabilities, "tcp" | "tls" | "unix" | "websocket">>;
  /**
   * Opens a pair, and gives up when the signal is aborted.
   *
   * @throws TransportError to say how far it had come; any other error is its cause.
   */
  open(endpoint: Endpoint, signal: AbortSignal): Promise<Pair>;
  /** What an error of an open stream means. Default: `TRANSPORT_FAILED`. */
  explain?(error: unknown): TransportError;
}

/** Bytes that wait in a stream: it is full from the first mark on, and takes more again from the second down. */
const highWater = 64 * 1024;
const lowWater = 16 * 1024;

/**
 * How long a stream may live on once one of its directions is over, in milliseconds: the rest of our output when the peer
 * has ended its side, and what the peer still says when it takes nothing more.
 */
const lingerLimit = 1_000;

/** Makes I/O services that take time and the loop from `runtime`, such as `nodeIo()`, and streams from `source`. */
export function pairIo(runtime: IoServices, source: PairSource): IoServices {
  const { tcp = false, tls = false, unix = false, websocket = false } = source.transports;
  return {
    runtime: runtime.runtime,
    capabilities: { tcp, tls, unix, websocket, pause: "exact" },
    now: () => runtime.now(),
    setTimer: (delay, fire) => runtime.setTimer(delay, fire),
    random: () => runtime.random(),
    post: (task) => runtime.post(task),
    connect(endpoint: Endpoint, handler: StreamHandler) {
      const needsTls = endpoint.transport === "tcp" && endpoint.tls !== undefined;
      if (source.transports[needsTls ? "tls" : endpoint.transport] !== true) {
        throw new UsageError("NOT_SUPPORTED", `no pair can be opened for ${needsTls ? "tls" : endpoint.transport}`);
      }
      return new PairStream(source, endpoint, handler, runtime);
    },
  };
}

class PairStream implements ByteStream {
  readonly #gate: StreamGate;
  readonly #runtime: IoServices;
  readonly #explain: (error: unknown) => TransportError;
  readonly #opening = new AbortController();
  #phase: "opening" | "open" | "ended" | "dropped" = "opening";
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  /** Bytes that were written, and have not left. */
  #queued = 0;
  /** A write has returned false. */
  #full = false;
  #paused = false;
  #resumed: () => void = () => {};
  #cancelLinger: () => void = () => {};

  constructor(source: PairSource, endpoint: Endpoint, handler: StreamHandler, runtime: IoServices) {
    this.#runtime = runtime;
    this.#explain = source.explain?.bind(source) ?? failed;
    this.#gate = new StreamGate(
      handler,
      (task) => runtime.post(task),
      () => this.#drop(),
    );
    // Soon, not now: an opener that throws at once must not reach the owner in its own call.
    runtime.post(() => void this.#run(source, endpoint));
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#phase === "opening") throw new UsageError("ILLEGAL_STATE", "A stream takes nothing before it has opened");
    if (this.#phase !== "open") return true;
    for (const chunk of chunks) this.#send(chunk);
    if (this.#queued >= highWater) this.#full = true;
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
    this.#gate.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#gate.resume();
    this.#resumed();
  }

  end(): void {
    if (this.#phase === "opening") return this.abort();
    if (this.#phase !== "open") return;
    this.#phase = "ended";
    // Waits for what was written.
    this.#writer?.close().catch(() => {});
  }

  abort(): void {
    this.#gate.abort();
    this.#drop();
  }

  async #run(source: PairSource, endpoint: Endpoint): Promise<void> {
    if (this.#phase !== "opening") return;
    try {
      const pair = await source.open(endpoint, this.#opening.signal);
      this.#reader = pair.readable.getReader();
      this.#writer = pair.writable.getWriter();
    } catch (error) {
      return this.#close(error instanceof TransportError ? error : this.#explain(error));
    }
    this.#writer.closed.catch((error: unknown) => this.#writingFailed(error));
    this.#reader.closed.catch(() => {});
    if (this.#dropped()) return this.#disconnect();
    this.#phase = "open";
    this.#gate.opened();
    this.#close(await this.#read(this.#reader));
    this.#drop();
  }

  /** Reads to the end, and gives its cause. A paused stream reads nothing, so that the peer has to wait. */
  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<TransportError | undefined> {
    try {
      for (;;) {
        while (this.#paused && !this.#dropped()) await new Promise<void>((resolve) => (this.#resumed = resolve));
        const { done, value } = await reader.read();
        if (done) break;
        if (value.length > 0) this.#gate.received(value);
      }
    } catch (error) {
      return this.#explain(error);
    }
    await this.#linger();
    return undefined;
  }

  /** The peer has ended; our last words get a moment to leave. */
  async #linger(): Promise<void> {
    if (this.#phase === "open") this.end();
    const left = this.#writer?.closed.catch(() => {});
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#runtime.setTimer(lingerLimit, resolve);
    });
    await Promise.race([left, late]);
    cancel();
  }

  /** What breaks a stream is seen by its reader first of all; but there are pairs of which one half can break alone. */
  #writingFailed(error: unknown): void {
    if (this.#dropped()) return;
    this.#phase = "ended";
    this.#cancelLinger = this.#runtime.setTimer(lingerLimit, () => {
      this.#close(this.#explain(error));
      this.#drop();
    });
  }

  #send(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#queued += chunk.length;
    this.#writer?.write(chunk).then(
      () => this.#sent(chunk.length),
      () => {},
    );
  }

  #sent(bytes: number): void {
    this.#queued -= bytes;
    if (!this.#full || this.#queued > lowWater) return;
    this.#full = false;
    this.#gate.writable();
  }

  #drop(): void {
    if (this.#dropped()) return;
    this.#phase = "dropped";
    this.#cancelLinger();
    this.#opening.abort();
    this.#disconnect();
    this.#resumed();
    this.#close(undefined);
  }

  #disconnect(): void {
    this.#writer?.abort().catch(() => {});
    this.#reader?.cancel().catch(() => {});
  }

  /** A method, since a check of the field would be taken for the last word on it. */
  #dropped(): boolean {
    return this.#phase === "dropped";
  }

  #close(cause: TransportError | undefined): void {
    this.#runtime.post(() => this.#gate.closed(cause));
  }
}

function failed(cause: unknown): TransportError {
  return new TransportError("TRANSPORT_FAILED", "the stream failed", { cause });
}
