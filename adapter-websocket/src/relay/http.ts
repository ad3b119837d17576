/** The few things of HTTP that both servers of the relay need. */

import { createServer, type Server as HttpServer, type ServerResponse, STATUS_CODES } from "node:http";
import { createServer as createSecureServer, type Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import type { HostAndPort } from "./config/values.ts";

/** Bytes of a request's headers; cookies and tokens have to fit. */
const maxHeaderSize = 16 * 1024;

export type Server = HttpServer | HttpsServer;

export function makeServer(tls: SecureContextOptions | undefined): Server {
  if (tls === undefined) return createServer({ maxHeaderSize });
  return createSecureServer({ ...tls, maxHeaderSize, ALPNProtocols: ["http/1.1"] });
}

/** Has `enter` see each connection before the server does, which takes what it is given by `letIn`. */
export function guard(server: Server, enter: (socket: Socket, letIn: () => void) => void): void {
  const listeners = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) =>
    enter(socket, () => {
      for (const listener of listeners) listener.call(server, socket);
    }),
  );
}

/**
 * Resolves with the address, which tells the port where 0 was asked for. Rejects when it cannot listen there.
 *
 * @param failed Called for what fails afterwards, such as taking a connection when the process has too many files open.
 * An error that nobody hears of would end the process.
 */
export function listen(
  server: Server,
  { host, port }: HostAndPort,
  failed: (error: unknown) => void,
): Promise<HostAndPort> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject).on("error", failed);
      const address = server.address() as AddressInfo;
      resolve({ host: address.address, port: address.port });
    });
  });
}

/** Stops listening, and closes the connections that are no WebSockets. */
export function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Answers with a line of text, and ends the connection. */
export function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", Connection: "close" });
  response.end(`${text}\n`);
}

/** Answers a request for an upgrade with a refusal, and ends the connection. */
export function refuse(socket: Duplex, status: number, text: string): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Connection: close",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(text) + 1}`,
  ];
  socket.once("finish", () => socket.destroy());
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}\n`);
}
