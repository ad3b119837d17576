/** The I/O services of Bun. */

import type { IoServices } from "@leveret/core/client";
import { nodeIo } from "@leveret/node";

/**
 * JavaScriptCore keeps arrays of up to 1000 bytes among its objects: one of 16 bytes takes 9 ns to make and fill, and a view
 * of shared memory 36. Of more bytes than this, copying is most of it.
 */
const cheapArraySize = 256;

/**
 * Makes the I/O services of this Bun process or worker.
 *
 * They are those of Node, over Bun's own implementation of `node:net` and `node:tls`. It is as fast as `Bun.connect`
 * and, other than that, can cancel a dial, knows all options of TLS, and says what went wrong; see
 * docs/decisions/0002-bun-sockets.md.
 */
export function bunIo(): IoServices {
  // Bun makes memory for each read, and would copy from there into a buffer.
  return { ...nodeIo({ release }), runtime: `bun ${process.versions["bun"]}`, cheapArraySize };
}

/** Chunks of fewer bytes are left to the garbage collector: freeing one takes 200 ns. */
const worthFreeing = 32 * 1024;

/** Frees the memory of a chunk at once, so that the next read gets it again, still in the caches. */
function release(chunk: Uint8Array): void {
  if (chunk.length < worthFreeing) return;
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.length) buffer.transfer(0);
}
