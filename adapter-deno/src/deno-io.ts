/** The I/O services of Deno: `Deno.connect`, timers. */

import type { Endpoint, IoServices, Millis, StreamHandler } from "@leveret/core/client";
import { DenoStream } from "./deno-stream.ts";
import { dialOf } from "./dial.ts";

/** The longest delay of `setTimeout`; a longer one would fire at once. */
const longestDelay = 0x7fff_ffff;

/**
 * Makes the I/O services of this Deno process or worker.
 *
 * TCP and unix domain sockets are Deno's own, and need nothing of Node. TLS is `node:tls` over a connection of Deno's:
 * Deno's own TLS leaves a connection open when it is given up during the handshake, and has too few options; see
 * docs/decisions/0003-deno-tls.md.
 *
 * `connect` refuses with a `UsageError` (NOT_SUPPORTED) what Deno cannot do: `tls.ciphers`, and a `tcp.keepAlive` other
 * than 0. Without that option, keep-alive is on, with the idle time that the system sets.
 */
export function denoIo(): IoServices {
  return {
    runtime: `deno ${Deno.version.deno}`,
    capabilities: { tcp: true, tls: true, unix: true, websocket: false, pause: "exact" },
    now: () => performance.now(),
    setTimer: (delay, fire) => setTimer(performance.now() + delay, fire),
    random: () => Math.random(),
    post: (task) => {
      setImmediate(task);
    },
    connect: (endpoint: Endpoint, handler: StreamHandler) => new DenoStream(dialOf(endpoint), handler),
  };
}

/** `setTimeout` counts whole milliseconds, from a clock that was cut off to one: it may be early, and is set again then. */
function setTimer(deadline: Millis, fire: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arm = (): void => {
    const left = deadline - performance.now();
    if (timer !== undefined && left <= 0) return fire();
    timer = setTimeout(arm, Math.min(Math.max(0, Math.ceil(left)), longestDelay));
  };
  arm();
  return () => clearTimeout(timer);
}
