/** The broker without a socket: I/O services that lead to it. */

export { type MemoryIo, memoryIo, type MemoryRuntime } from "./memory-io.ts";
