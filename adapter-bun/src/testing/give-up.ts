/** Dials a port that does not answer, and gives up. */

import { connect, ConnectError, type IoServices } from "@leveret/core/client";

/** Milliseconds. */
const patience = 100;

/**
 * Gives up by `abort`, or by the timeout of `connect`, and prints what came of it. Nothing must be left then: the
 * program that calls this ends by itself.
 */
export function giveUp(io: IoServices, port: number, way: string | undefined): void {
  if (way === "abort") {
    const stream = io.connect(
      { transport: "tcp", host: "127.0.0.1", port },
      {
        opened: () => print("opened"),
        received: () => {},
        writable: () => {},
        closed: (cause) => print(cause?.code ?? "closed"),
      },
    );
    setTimeout(() => stream.abort(), patience);
    return;
  }
  connect(io, { host: "127.0.0.1", port, connectTimeout: patience }).then(
    () => print("connected"),
    (error: unknown) => print(error instanceof ConnectError ? error.errors.map(({ code }) => code).join() : "other"),
  );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
