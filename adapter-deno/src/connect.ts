/** What an application calls. */

import { allAddresses, type Connection, type ConnectOptions, connectWith, recovery } from "@leveret/core/client";
import { denoIo } from "./deno-io.ts";

/**
 * Connects to RabbitMQ, over TCP, TLS or a unix domain socket.
 *
 * The program needs `--allow-net=host:port`; for a unix domain socket `--allow-read`, `--allow-write` and
 * `--allow-net=unix:path`. Files that the options or a URI name (`tls.caFile`, `cacertfile`) need `--allow-read`; they
 * are read again for every round of attempts, so renewed certificates are used from the next connection on.
 *
 * @throws UsageError when an option is not legal, or cannot be honoured in Deno, see {@link denoIo}. Nothing was sent.
 * @throws ConnectionError when no connection came about; its `code` and `phase` tell why.
 */
export function connect(options: ConnectOptions | string = {}): Promise<Connection> {
  return connectWith(denoIo(), options, { addresses: allAddresses, recovery, readFile });
}

async function readFile(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    throw new Error(`Deno does not permit this program to read it; run it with --allow-read=${path}`, { cause });
  }
}
