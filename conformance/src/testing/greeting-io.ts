/** What a stream of the I/O contract needs to get past a relay. */

import type { Endpoint, IoServices, StreamHandler } from "@leveret/core/client";

/** `AMQP`, 0, and the version 0-9-1: a relay lets nobody through who does not begin with it. */
export const protocolHeader: Uint8Array = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1);

/** I/O services whose streams have sent the protocol header before they are opened for their owner. */
export function greetingIo(io: IoServices): IoServices {
  return {
    ...io,
    connect(endpoint: Endpoint, handler: StreamHandler) {
      const stream = io.connect(endpoint, {
        opened() {
          stream.write([protocolHeader]);
          handler.opened();
        },
        received: (chunk) => handler.received(chunk),
        writable: () => handler.writable(),
        closed: (cause) => handler.closed(cause),
      });
      return stream;
    },
  };
}
