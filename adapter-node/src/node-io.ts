/** The I/O services of Node: `node:net`, `node:tls`, timers. */

import { type Endpoint, type IoServices, type Millis, type StreamHandler, UsageError } from "@leveret/core/client";
import { NodeStream } from "./node-stream.ts";

/** Bytes of one read, see docs/decisions/0001-received-chunks-are-borrowed.md. What no read ever fills takes no memory. */
const readBufferSize = 512 * 1024;

/** The memory that every stream of this thread reads into. What is in it is only good within a read, so it is no state. */
let readBuffer: Uint8Array | undefined;

/** The longest delay of `setTimeout`; a longer one would fire at once. */
const longestDelay = 0x7fff_ffff;

/** Passes a chunk on, as it is or as another array of the same bytes. */
export type Lend = (chunk: Uint8Array, received: (chunk: Uint8Array) => void) => void;

/** How a runtime that has `node:net` differs from Node. */
export interface NodeIoOptions {
  /**
   * Given where the runtime's sockets make memory for each read, so that a buffer of ours would be one more copy. It is
   * called with each such chunk, and with where to lend it for the length of a call: afterwards nobody refers to its
   * memory any more.
   *
   * Default: all streams read into one buffer, since a chunk is only lent to the owner of its stream.
   */
  readonly lend?: Lend;
  /**
   * Chunks of so many bytes are written by themselves: given where the runtime's sockets copy what they write together.
   *
   * Default: none.
   */
  readonly apartFrom?: number;
}

/** Makes the I/O services of this Node process or worker thread. */
export function nodeIo(options: NodeIoOptions = {}): IoServices {
  const { lend, apartFrom } = options;
  return {
    runtime: `node ${process.versions.node}`,
    capabilities: { tcp: true, tls: true, unix: true, websocket: false, pause: "exact" },
    now: () => performance.now(),
    setTimer: (delay, fire) => setTimer(performance.now() + delay, fire),
    random: () => Math.random(),
    post: (task) => {
      setImmediate(task);
    },
    // What is to be done next comes when nothing is left to be done in microtasks, of whatever is asked for by one.
    afterMicrotasks: (task) => queueMicrotask(() => process.nextTick(task)),
    connect: (endpoint: Endpoint, handler: StreamHandler) => {
      if (endpoint.transport === "websocket") {
        throw new UsageError("NOT_SUPPORTED", "@leveret/node has no WebSocket; @leveret/websocket has");
      }
      return new NodeStream(endpoint, handler, lend ?? (readBuffer ??= new Uint8Array(readBufferSize)), apartFrom);
    },
  };
}

/** `setTimeout` counts whole milliseconds, from a clock that was cut off to one: it may be early, and is set again then. */
function setTimer(deadline: Millis, fire: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    const left = deadline - performance.now();
    if (timer !== undefined && left <= 0) return fire();
    timer = setTimeout(arm, Math.min(Math.max(0, Math.ceil(left)), longestDelay));
  };
  arm();
  return () => clearTimeout(timer);
}
