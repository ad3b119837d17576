/**
 * WebSockets as transports of a broker: the bytes of AMQP in binary messages, cut wherever they are. Any object with the
 * standard interface will do: those of Deno, of the package `ws`, of a browser's test double.
 */

import type { BrokerDriver, DriverLink, DriverTransport } from "./driver.ts";
import type { PeerOptions } from "./connection/host.ts";

/** What is used of a WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  /** Bytes that were handed over and did not leave yet. */
  readonly bufferedAmount: number;
  /** Sends a binary message. */
  send(data: Uint8Array): void;
  /** Ends it with the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Calls the listener when that happens. */
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  /** Calls the listener when that happens. */
  addEventListener(type: "open" | "close" | "error", listener: () => void): void;
  /** What `ws` has beyond the standard: drops the connection at once. */
  terminate?(): void;
  /** And stops reading, which the standard cannot. */
  pause?(): void;
  /** Undoes `pause`. */
  resume?(): void;
}

/** The standard's numbers. */
const connecting = 0;
const normalClosure = 1000;
const goingAway = 1001;
const unsupportedData = 1003;

/** Bytes that may wait in a socket before the broker keeps its output to itself. */
const highWater = 256 * 1024;
/** Milliseconds between two looks at a socket that has too much to send: the standard tells nobody when that is over. */
const lookInterval = 10;

/** Lets a broker serve a WebSocket, one that is open or about to be. What the client sends as text ends it with 1003. */
export function serveWebSocket(driver: BrokerDriver, socket: WebSocketLike, peer?: PeerOptions): void {
  socket.binaryType = "arraybuffer";
  if (socket.readyState === connecting) socket.addEventListener("open", () => attach(driver, socket, peer));
  else attach(driver, socket, peer);
}

function attach(driver: BrokerDriver, socket: WebSocketLike, peer: PeerOptions | undefined): void {
  let isOver = false;
  let link: DriverLink | undefined;
  const look = (): void => {
    if (isOver) return;
    if (socket.bufferedAmount < highWater) link?.writable();
    else driver.clock.setTimer(lookInterval, look);
  };
  const transport: DriverTransport = {
    write: (chunks) => {
      for (const chunk of chunks) socket.send(chunk);
      if (socket.bufferedAmount < highWater) return true;
      driver.clock.setTimer(lookInterval, look);
      return false;
    },
    pause: () => socket.pause?.(),
    resume: () => socket.resume?.(),
    end: () => socket.close(normalClosure),
    abort: () => {
      if (socket.terminate === undefined) socket.close(goingAway);
      else socket.terminate();
    },
  };
  const accepted = driver.attach(transport, peer);
  link = accepted;
  socket.addEventListener("message", ({ data }) => {
    if (isOver) return;
    if (data instanceof ArrayBuffer) accepted.received(new Uint8Array(data));
    else socket.close(unsupportedData, "AMQP is bytes: send binary messages");
  });
  // What went wrong is told by "close", which follows.
  socket.addEventListener("error", () => {});
  socket.addEventListener("close", () => {
    isOver = true;
    accepted.closed();
  });
}
