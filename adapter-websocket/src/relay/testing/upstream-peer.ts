/** A listener in the place of a broker, which does what a test says. */

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { until } from "./until.ts";

/** One connection of the relay's. */
export class UpstreamConnection {
  readonly socket: Socket;
  /** Counted always, kept only up to a megabyte. */
  received = 0;
  ended = false;
  closed = false;
  #kept: Buffer[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.received += chunk.length;
      if (this.received <= 1_048_576) this.#kept.push(chunk);
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#kept);
  }
}

export interface UpstreamPeerOptions {
  /** Sends back what it receives. */
  readonly echo?: boolean;
  /** Reads nothing. */
  readonly stall?: boolean;
  readonly tls?: TlsOptions;
}

export class UpstreamPeer {
  readonly connections: UpstreamConnection[] = [];
  /** Every socket, TLS or not. */
  readonly sockets: Set<Socket> = new Set();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen({ echo = false, stall = false, tls }: UpstreamPeerOptions = {}): Promise<UpstreamPeer> {
    const server = tls === undefined ? createServer() : createTlsServer(tls);
    const peer = new UpstreamPeer(server);
    server.on("connection", (socket: Socket) => {
      peer.sockets.add(socket);
      socket.on("error", () => {}).on("close", () => peer.sockets.delete(socket));
    });
    server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      peer.connections.push(new UpstreamConnection(socket));
      if (echo) socket.pipe(socket);
      if (stall) socket.pause();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return peer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `amqp://127.0.0.1:${this.port}`;
  }

  async connection(index = 0): Promise<UpstreamConnection> {
    await until(() => this.connections.length > index, `connection ${index} of the upstream`);
    return this.connections[index] as UpstreamConnection;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}
