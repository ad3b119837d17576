/** The I/O services of Bun. */

import type { IoServices } from "@leveret/core/client";
import { nodeIo } from "@leveret/node";

/**
 * JavaScriptCore keeps arrays of up to 1000 bytes among its objects, so a small copy of its own takes 15 to 50 ns, and
 * copying to shared memory with a view of that 65 to 80.
 */
const cheapArraySize = 512;

/** Of chunks of fewer bytes a copy is cheaper than a view. */
const worthViewing = 2048;

/** Chunks of fewer bytes are left to the garbage collector: freeing one takes 200 ns. */
const worthFreeing = 32 * 1024;

/**
 * Bun copies what is written together, which costs more than writes from chunks of so many bytes on: 1 MiB in frames of
 * 128 KiB takes a quarter less without. With 64 KiB a write costs as much as the copy.
 */
const apartFrom = 96 * 1024;

/**
 * Makes the I/O services of this Bun process or worker.
 *
 * They are those of Node, over Bun's own implementation of `node:net` and `node:tls`. It is as fast as `Bun.connect`
 * and, other than that, can cancel a dial, knows all options of TLS, and says what went wrong; see
 * docs/decisions/0002-bun-sockets.md.
 */
export function bunIo(): IoServices {
  // Bun makes memory for each read, and would copy from there into a buffer.
  return { ...nodeIo({ lend, apartFrom }), runtime: `bun ${process.versions["bun"]}`, cheapArraySize };
}

/**
 * Passes a chunk on as a plain array: to copy a part of a `Buffer` takes three times as long. Then its memory is freed at
 * once, so that the next read gets it again, still in the caches.
 */
function lend(chunk: Uint8Array, received: (chunk: Uint8Array) => void): void {
  const { length } = chunk;
  if (length < worthViewing) return received(new Uint8Array(chunk));
  const { buffer } = chunk;
  received(new Uint8Array(buffer, chunk.byteOffset, length));
  if (length >= worthFreeing && buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}
