/** A socket of Node's as a pair of web streams. (`Duplex.toWeb` throws when a stream is cancelled while data arrives.) */

import type { Socket } from "node:net";
import type { Pair } from "./pair-io.ts";

/** Bytes that are read ahead. */
const readAhead = 64 * 1024;

/** @param socket It is connected, and was made with `allowHalfOpen`. */
export function socketPair(socket: Socket): Pair {
  let over = false;
  const readable = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const finish = (how: () => void): void => {
          if (!over) how();
          over = true;
        };
        socket.on("data", (chunk) => {
          if (over) return;
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 0) <= 0) socket.pause();
        });
        socket.on("end", () => finish(() => controller.close()));
        socket.on("error", (error) => finish(() => controller.error(error)));
        socket.on("close", () => finish(() => controller.close()));
      },
      pull: () => void socket.resume(),
      cancel() {
        over = true;
        socket.destroy();
      },
    },
    { highWaterMark: readAhead, size: ({ length }) => length },
  );
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) =>
      new Promise((resolve, reject) => {
        socket.write(chunk, (error) => (error ? reject(error) : resolve()));
      }),
    close: () =>
      new Promise((resolve) => {
        socket.end(resolve);
      }),
    abort: () => void socket.destroy(),
  });
  return { readable, writable };
}
