/** A broker on a TCP port, and on one for WebSockets, with Node's sockets and timers. */

import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { UsageError } from "@leveret/core/wire";
import type { Broker } from "../broker.ts";
import type { PeerOptions } from "../connection/host.ts";
import { BrokerDriver, type DriverClock, type DriverLink, type DriverTransport } from "../driver.ts";
import { serveWebSocket } from "../websocket.ts";
import { refuseUnknown } from "../options.ts";

/** Where to listen. */
export interface ListenOptions {
  /** Default 5672; 0 for any free port. */
  readonly port?: number | undefined;
  /** Default `127.0.0.1`: nobody else can reach it. */
  readonly host?: string | undefined;
  /** Listens for WebSockets as well; 0 for any free port. Default: it does not. It takes the package `ws`. */
  readonly webSocketPort?: number | undefined;
  /** For both ports. Default: no TLS. */
  readonly tls?: ListenTls | undefined;
}

/** What a TLS port needs; everything is PEM. */
export interface ListenTls {
  readonly cert: string;
  readonly key: string;
  /** Whose client certificates are accepted. Clients are asked for one when this is given, and may do without. */
  readonly ca?: string | undefined;
}

/** A broker that listens. */
export interface ListeningBroker {
  readonly broker: Broker;
  readonly host: string;
  readonly port: number;
  /** An AMQP URI of the broker, without credentials. */
  readonly url: string;
  /** The URL for WebSockets, if it listens for them. */
  readonly webSocketUrl: string | undefined;
  /**
   * Sends what an order to the broker has brought about: call it after {@link Broker.block}, `connection.close` and the
   * like. What clients bring about is sent by itself.
   */
  flush(): void;
  /** Drops all connections and gives the ports back. */
  close(): Promise<void>;
}

const defaultPort = 5672;

/** Unix time that never goes back. */
const clock: DriverClock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimer: (delay, fire) => {
    const timer = setTimeout(fire, Math.ceil(delay));
    // A deadline is no reason to keep a program alive that has nothing else to do.
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Bytes of a WebSocket message: what is larger is refused with 1009. */
const largestMessage = 16 * 1024 * 1024;
/** The subprotocol that is agreed to when it is offered: none is registered for AMQP 0-9-1. */
const subprotocol = "amqp091";

/**
 * Puts a broker on a port.
 *
 * @throws Error of Node's, such as EADDRINUSE; UsageError ILLEGAL_STATE where `webSocketPort` is given without `ws`,
 * INVALID_ARGUMENT for an option that there is not.
 */
export async function listenBroker(broker: Broker, options: ListenOptions = {}): Promise<ListeningBroker> {
  refuseUnknown("options", options, ["port", "host", "webSocketPort", "tls"]);
  const { port = defaultPort, host = "127.0.0.1", webSocketPort, tls } = options;
  const driver = new BrokerDriver(broker, clock);
  const accept = (socket: Socket): void => attach(driver, socket);
  const server: Server =
    tls === undefined
      ? createServer({ noDelay: true }, accept)
      : createTlsServer({ ...tlsOptionsOf(tls), noDelay: true }, accept);
  const webSockets = webSocketPort === undefined ? undefined : await webSocketServer(driver, tls);
  const sockets = [server, webSockets].map(socketsOf);
  const actualPort = await listen(server, port, host);
  let webSocketUrl: string | undefined;
  const name = host.includes(":") ? `[${host}]` : host;
  if (webSockets !== undefined && webSocketPort !== undefined) {
    try {
      const actual = await listen(webSockets, webSocketPort, host);
      webSocketUrl = `${tls === undefined ? "ws" : "wss"}://${name}:${actual}/`;
    } catch (error) {
      server.close();
      throw error;
    }
  }
  return {
    broker,
    host,
    port: actualPort,
    url: `${tls === undefined ? "amqp" : "amqps"}://${name}:${actualPort}`,
    webSocketUrl,
    flush: () => driver.pump(),
    close: async () => {
      const closed = [server, webSockets].map(
        (one) => new Promise<void>((resolve) => (one ? one.close(() => resolve()) : resolve())),
      );
      driver.stop();
      // The driver knows those that speak AMQP. Who has not come so far would hold up the servers' end.
      for (const socket of sockets.flatMap((all) => [...all])) socket.destroy();
      await Promise.all(closed);
    },
  };
}

/** The sockets that a server has at any moment, from their first byte on. */
function socketsOf(server: Server | undefined): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server?.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}

/** Resolves with the port. */
async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

/** Answers whatever is no WebSocket with 426. */
async function webSocketServer(driver: BrokerDriver, tls: ListenTls | undefined): Promise<Server> {
  const { WebSocketServer } = await import("ws").catch((cause: unknown) => {
    const text = "Listening for WebSockets takes the package ws, which is not installed: npm install ws";
    throw new UsageError("ILLEGAL_STATE", text, { cause });
  });
  const server = tls === undefined ? createHttpServer() : createHttpsServer(tlsOptionsOf(tls));
  server.on("request", (_request, response) => {
    response.writeHead(426, { connection: "close", upgrade: "websocket" }).end("This port is for WebSockets\n");
  });
  const handleProtocols = (offered: Set<string>): string | false => (offered.has(subprotocol) ? subprotocol : false);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: largestMessage, handleProtocols });
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      serveWebSocket(driver, webSocket, peerOf(request.socket));
    });
  });
  return server;
}

function tlsOptionsOf({ cert, key, ca }: ListenTls) {
  // Without a certificate a client may still log in with a password.
  return ca === undefined ? { cert, key } : { cert, key, ca, requestCert: true, rejectUnauthorized: false };
}

function attach(driver: BrokerDriver, socket: Socket): void {
  const transport: DriverTransport = {
    write: (chunks) => {
      let isWritable = true;
      socket.cork();
      for (const chunk of chunks) isWritable = socket.write(chunk);
      socket.uncork();
      return isWritable;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    abort: () => void socket.destroy(),
  };
  const link: DriverLink = driver.attach(transport, peerOf(socket));
  socket.on("data", (chunk) => link.received(chunk));
  socket.on("drain", () => link.writable());
  // What went wrong is told by "close", which follows.
  socket.on("error", () => {});
  socket.on("close", () => link.closed());
}

function peerOf(socket: Socket): PeerOptions {
  return {
    name: `${socket.remoteAddress}:${socket.remotePort}`,
    isLoopback: isLoopback(socket.remoteAddress),
    peerName: certificateName(socket),
  };
}

function isLoopback(address: string | undefined): boolean {
  return address === undefined || address === "::1" || address.replace("::ffff:", "").startsWith("127.");
}

/** The common name of a client's certificate, if the server has checked it. */
function certificateName(socket: Socket): string | undefined {
  if (!("getPeerCertificate" in socket)) return undefined;
  const tlsSocket = socket as TLSSocket;
  const name = tlsSocket.authorized ? tlsSocket.getPeerCertificate().subject?.CN : undefined;
  return Array.isArray(name) ? name[0] : name;
}
