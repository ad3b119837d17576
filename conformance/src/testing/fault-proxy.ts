/**
 * A TCP proxy that does wrong on request: it cuts, resets, falls silent, dribbles, delays, corrupts and refuses.
 *
 * Tests put it between a client and a broker. It is of Node and lives in the test's host process.
 */

import { once } from "node:events";
import net from "node:net";
import { type Break, Pipe, type PipeFaults } from "./fault-pipe.ts";

export type { Break } from "./fault-pipe.ts";

/** Which way bytes go. */
export type Direction = "to-server" | "to-client";

/** What is wrong with all connections, present and future. Offsets count from a connection's first byte. */
export interface Faults {
  /** Milliseconds that every chunk waits, in both directions. Order is kept. */
  readonly delay?: number | undefined;
  /** Every byte is written by itself, in a turn of its own. */
  readonly oneByteAtATime?: boolean | undefined;
  /** One byte arrives with all bits inverted. */
  readonly corrupt?: { readonly direction: Direction; readonly offset: number } | undefined;
  /** So many bytes pass in one direction, not one more; then the connection breaks. */
  readonly breakAfter?:
    | {
        readonly direction: Direction;
        readonly bytes: number;
        readonly how: Break;
        /** Only the connection of this number breaks; the first has 1. Default: every one. */
        readonly connection?: number | undefined;
      }
    | undefined;
}

/** Where a proxy forwards to. */
export type ProxyTarget = { readonly host: string; readonly port: number } | { readonly path: string };

/** See the file's comment. */
export class FaultProxy {
  readonly host = "127.0.0.1";
  readonly port: number;
  #server: net.Server;
  readonly #target: ProxyTarget;
  readonly #connections = new Set<ProxiedConnection>();
  #faults: Faults = {};
  #accepted = 0;

  private constructor(server: net.Server, target: ProxyTarget) {
    this.#target = target;
    this.#server = server;
    this.#server.on("connection", this.#accept);
    this.port = (server.address() as net.AddressInfo).port;
  }

  /** Starts to listen, at a port of its own. */
  static async start(target: ProxyTarget): Promise<FaultProxy> {
    return new FaultProxy(await listen(0), target);
  }

  /** Connections since the start. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Connections that are open at either end. */
  get open(): number {
    return this.#connections.size;
  }

  /** Sets what is wrong from now on; `{}` heals. */
  inflict(faults: Faults): void {
    this.#faults = faults;
  }

  /** Breaks every connection that there is. */
  break(how: Break): void {
    for (const connection of this.#connections) connection.break(how);
  }

  /** Stops forwarding in one direction, on the connections that there are. Nothing is lost: see `speak`. */
  silence(direction: Direction): void {
    for (const connection of this.#connections) connection.silence(direction);
  }

  /** Ends every silence, and forwards what it kept back. */
  speak(): void {
    for (const connection of this.#connections) connection.speak();
  }

  /** Refuses new connections, as a port does where nobody listens. Those that are there live on. */
  refuse(): void {
    this.#server.close();
  }

  /** Ends `refuse`. */
  async admit(): Promise<void> {
    this.#server = await listen(this.port);
    this.#server.on("connection", this.#accept);
  }

  /** Resets every connection and stops to listen. */
  async close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, "close") : undefined;
    this.#server.close();
    this.break("reset");
    await closed;
  }

  readonly #accept = (client: net.Socket): void => {
    this.#accepted += 1;
    const server = net.connect({ ...this.#target, noDelay: true, allowHalfOpen: true, autoSelectFamily: true });
    const connection = new ProxiedConnection(client, server, this.#accepted, () => this.#faults);
    this.#connections.add(connection);
    connection.whenClosed(() => this.#connections.delete(connection));
  };
}

/** A client's connection to the proxy, and the proxy's to the server. */
class ProxiedConnection {
  readonly #sockets: readonly net.Socket[];
  readonly #pipes: Readonly<Record<Direction, Pipe>>;

  constructor(client: net.Socket, server: net.Socket, number: number, faults: () => Faults) {
    this.#sockets = [client, server];
    const pipe = (from: net.Socket, to: net.Socket, direction: Direction): Pipe =>
      new Pipe(
        from,
        to,
        () => faultsOf(faults(), direction, number),
        (how) => this.break(how),
      );
    this.#pipes = {
      "to-server": pipe(client, server, "to-server"),
      "to-client": pipe(server, client, "to-client"),
    };
  }

  break(how: Break): void {
    if (how === "silence") {
      this.silence("to-server");
      this.silence("to-client");
      return;
    }
    for (const pipe of Object.values(this.#pipes)) pipe.stop();
    for (const socket of this.#sockets) {
      // A socket that is closed with unread bytes sends RST: to cut is to end, and to read on until the other ends.
      if (how === "cut") socket.end();
      // Node resets when everything is sent, which may be never; then its process does not even end.
      else if (socket.connecting || socket.writableLength > 0 || socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  silence(direction: Direction): void {
    this.#pipes[direction].silence();
  }

  speak(): void {
    for (const pipe of Object.values(this.#pipes)) pipe.speak();
  }

  whenClosed(then: () => void): void {
    let open = this.#sockets.length;
    for (const socket of this.#sockets) {
      socket.on("close", () => {
        open -= 1;
        if (open === 0) then();
      });
    }
  }
}

function faultsOf(faults: Faults, direction: Direction, number: number): PipeFaults {
  const { delay = 0, oneByteAtATime = false, corrupt, breakAfter } = faults;
  const breaks =
    breakAfter?.direction === direction && (breakAfter.connection === undefined || breakAfter.connection === number);
  return {
    delay,
    oneByteAtATime,
    corruptAt: corrupt?.direction === direction ? corrupt.offset : undefined,
    breakAfter: breaks ? breakAfter : undefined,
  };
}

async function listen(port: number): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}
