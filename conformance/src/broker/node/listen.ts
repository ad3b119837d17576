/** A broker on a TCP port, with Node's sockets and timers. */

import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { Broker } from "../broker.ts";
import { BrokerDriver, type DriverClock, type DriverLink, type DriverTransport } from "../driver.ts";

/** Where to listen. */
export interface ListenOptions {
  /** Default 5672; 0 for any free port. */
  readonly port?: number | undefined;
  /** Default `127.0.0.1`: nobody else can reach it. */
  readonly host?: string | undefined;
  /** Default: no TLS. */
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
  /**
   * Sends what an order to the broker has brought about: call it after {@link Broker.block}, `connection.close` and the
   * like. What clients bring about is sent by itself.
   */
  flush(): void;
  /** Drops all connections and gives the port back. */
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

/**
 * Puts a broker on a port.
 *
 * @throws Error of Node's, such as EADDRINUSE.
 */
export async function listenBroker(broker: Broker, options: ListenOptions = {}): Promise<ListeningBroker> {
  const { port = defaultPort, host = "127.0.0.1", tls } = options;
  const driver = new BrokerDriver(broker, clock);
  const accept = (socket: Socket): void => attach(driver, socket);
  const server: Server =
    tls === undefined
      ? createServer({ noDelay: true }, accept)
      : createTlsServer({ ...tlsOptionsOf(tls), noDelay: true }, accept);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  const actualPort = typeof address === "object" && address !== null ? address.port : port;
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    broker,
    host,
    port: actualPort,
    url: `${tls === undefined ? "amqp" : "amqps"}://${name}:${actualPort}`,
    flush: () => driver.pump(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        driver.stop();
      }),
  };
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
  const link: DriverLink = driver.attach(transport, {
    name: `${socket.remoteAddress}:${socket.remotePort}`,
    isLoopback: isLoopback(socket.remoteAddress),
    peerName: certificateName(socket),
  });
  socket.on("data", (chunk) => link.received(chunk));
  socket.on("drain", () => link.writable());
  // What went wrong is told by "close", which follows.
  socket.on("error", () => {});
  socket.on("close", () => link.closed());
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
