/** The peers of the I/O contract, in Node: listeners for TCP, TLS and unix domain sockets whose connections follow a script. */

import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import type { Endpoint } from "@leveret/core/client";
import type {
  Peer,
  PeerCertificates,
  PeerHost,
  PeerOptions,
  PeerReport,
  PeerTlsOptions,
} from "../io-contract/index.ts";
import { ScriptedConnection } from "./scripted-connection.ts";

interface Fixtures {
  readonly certificates: PeerCertificates;
  readonly servers: Readonly<Record<"good" | "expired", { readonly cert: string; readonly key: string }>>;
}

/** See the file's comment. */
export class NodePeerHost implements PeerHost {
  readonly certificates: PeerCertificates;
  readonly #fixtures: Fixtures;
  /** For unix domain sockets. */
  readonly #folder: string;
  readonly #peers: NodePeer[] = [];
  #paths = 0;

  private constructor(fixtures: Fixtures, folder: string) {
    this.#fixtures = fixtures;
    this.certificates = fixtures.certificates;
    this.#folder = folder;
  }

  static async start(): Promise<NodePeerHost> {
    return new NodePeerHost(await readFixtures(), await mkdtemp(path.join(tmpdir(), "leveret-peers-")));
  }

  async listen(options: PeerOptions): Promise<Peer> {
    const { transport, address = "127.0.0.1" } = options;
    const serverNames: string[] = [];
    const server = this.#makeServer(options, serverNames);
    const peer = new NodePeer(server, options, serverNames);
    this.#peers.push(peer);
    if (transport === "unix") {
      const socketPath = this.#nextPath();
      await listening(server, { path: socketPath });
      peer.endpoint = { transport: "unix", path: socketPath };
      return peer;
    }
    await listening(server, { host: address, port: 0 });
    const { port } = server.address() as net.AddressInfo;
    peer.endpoint =
      transport === "tls"
        ? { transport: "tcp", host: address, port, tls: { ca: this.certificates.authority } }
        : { transport: "tcp", host: address, port };
    return peer;
  }

  async vacant(transport: "tcp" | "unix"): Promise<Endpoint> {
    if (transport === "unix") return { transport, path: this.#nextPath() };
    const server = net.createServer();
    await listening(server, { host: "127.0.0.1", port: 0 });
    const { port } = server.address() as net.AddressInfo;
    server.close();
    await once(server, "close");
    return { transport, host: "127.0.0.1", port };
  }

  /** Ends all peers and their connections. */
  async close(): Promise<void> {
    await Promise.all(this.#peers.splice(0).map((peer) => peer.close()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #makeServer({ transport, tls: options = {} }: PeerOptions, serverNames: string[]): net.Server {
    if (transport === "tls") return this.#makeTlsServer(options, serverNames);
    if (transport === "websocket") throw new Error("This host has no WebSocket peers");
    return net.createServer({ allowHalfOpen: true, noDelay: true });
  }

  #makeTlsServer(options: PeerTlsOptions, serverNames: string[]): tls.Server {
    const { certificate = "good", requireClientCertificate = false, maxVersion } = options;
    return tls.createServer({
      ...this.#fixtures.servers[certificate],
      noDelay: true,
      SNICallback: (name, done) => {
        serverNames.push(name);
        done(null);
      },
      ...(requireClientCertificate
        ? { requestCert: true, rejectUnauthorized: true, ca: this.certificates.authority }
        : {}),
      ...(maxVersion === undefined ? {} : { maxVersion }),
    });
  }

  #nextPath(): string {
    this.#paths += 1;
    return path.join(this.#folder, `${this.#paths}.sock`);
  }
}

class NodePeer implements Peer {
  endpoint: Endpoint = { transport: "unix", path: "" };
  readonly #server: net.Server;
  readonly #connections: ScriptedConnection[] = [];
  /** Every socket, also one whose TLS handshake is not done. */
  readonly #sockets = new Set<net.Socket>();
  /** Grows while clients come. */
  readonly #serverNames: string[];
  /** Calls of `go`, which count for connections that come later too. */
  #gone = 0;
  #isReleased = false;

  constructor(server: net.Server, { transport, script }: PeerOptions, serverNames: string[]) {
    this.#server = server;
    this.#serverNames = serverNames;
    server.on("connection", (socket: net.Socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.on(transport === "tls" ? "secureConnection" : "connection", (socket: net.Socket) => {
      // Not an option of the server: a TLS server would keep sockets half-open whose handshake the client gave up.
      socket.allowHalfOpen = true;
      if (socket instanceof tls.TLSSocket && socket.servername === false) serverNames.push("");
      const connection = new ScriptedConnection(socket, this.#gone);
      this.#connections.push(connection);
      if (this.#isReleased) connection.release();
      void connection.follow(script);
    });
  }

  async go(): Promise<void> {
    this.#gone += 1;
    for (const connection of this.#connections) connection.go();
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    for (const connection of this.#connections) connection.release();
  }

  async report(): Promise<PeerReport> {
    const sum = (count: (connection: ScriptedConnection) => number): number =>
      this.#connections.reduce((total, connection) => total + count(connection), 0);
    return {
      accepted: this.#connections.length,
      open: this.#sockets.size,
      received: sum((connection) => connection.received),
      said: sum((connection) => connection.said),
      intact: this.#connections.every((connection) => connection.isIntact),
      ended: sum((connection) => (connection.hasEnded ? 1 : 0)),
      serverNames: [...this.#serverNames],
    };
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

async function listening(server: net.Server, options: net.ListenOptions): Promise<void> {
  server.listen(options);
  await once(server, "listening");
}

async function readFixtures(): Promise<Fixtures> {
  const read = (name: string): Promise<Buffer> => readFile(new URL(`certificates/${name}`, import.meta.url));
  const text = async (name: string): Promise<string> => (await read(name)).toString("latin1");
  return {
    certificates: {
      authority: await text("authority.pem"),
      client: {
        cert: await text("client.pem"),
        key: await text("client.key.pem"),
        encryptedKey: await text("client.encrypted-key.pem"),
        passphrase: "rabbit",
        pfx: new Uint8Array(await read("client.pfx")),
      },
    },
    servers: {
      good: { cert: await text("server.pem"), key: await text("server.key.pem") },
      expired: { cert: await text("expired.pem"), key: await text("expired.key.pem") },
    },
  };
}
