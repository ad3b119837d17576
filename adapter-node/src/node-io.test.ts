/** What is Node's own; what every runtime has is in the I/O contract of `@leveret/conformance`. */

import { execFile } from "node:child_process";
import dns from "node:dns";
import { once } from "node:events";
import net from "node:net";
import { promisify } from "node:util";
import { type StreamHandler, type TransportError } from "@leveret/core/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nodeIo } from "./node-io.ts";

const run = promisify(execFile);

/** A handler that keeps what it is told. */
class Told implements StreamHandler {
  isOpen = false;
  isClosed = false;
  cause: TransportError | undefined;

  opened(): void {
    this.isOpen = true;
  }
  received(): void {}
  writable(): void {}
  closed(cause?: TransportError): void {
    this.isClosed = true;
    this.cause = cause;
  }
}

describe("nodeIo", () => {
  let server: net.Server;
  let port: number;
  let sockets: net.Socket[];

  beforeEach(async () => {
    sockets = [];
    server = net.createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as net.AddressInfo).port;
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });

  function resolveTo(...addresses: readonly dns.LookupAddress[]): void {
    vi.spyOn(dns, "lookup").mockImplementation(((
      _host: string,
      _options: object,
      done: (error: null, addresses: readonly dns.LookupAddress[]) => void,
    ) => setImmediate(done, null, addresses)) as unknown as typeof dns.lookup);
  }

  it("tries every address of a name", async () => {
    resolveTo({ address: "127.0.0.2", family: 4 }, { address: "::1", family: 6 }, { address: "127.0.0.1", family: 4 });
    const told = new Told();
    const stream = nodeIo().connect({ transport: "tcp", host: "rabbit.test", port }, told);
    await expect.poll(() => told.isOpen && sockets.length).toBe(1);
    stream.abort();
    await expect.poll(() => told.isClosed).toBe(true);
  });

  it("has the failure of every address", async () => {
    resolveTo({ address: "::1", family: 6 }, { address: "127.0.0.2", family: 4 });
    const told = new Told();
    nodeIo().connect({ transport: "tcp", host: "rabbit.test", port }, told);
    await expect.poll(() => told.isClosed).toBe(true);
    expect(told.cause).toMatchObject({ code: "CONNECTION_REFUSED", phase: "tcp" });
    expect(told.cause?.errors.map((error) => error.message)).toEqual([
      `[::1]:${port}: the connection was refused; nothing listens there (ECONNREFUSED)`,
      `127.0.0.2:${port}: the connection was refused; nothing listens there (ECONNREFUSED)`,
    ]);
  });

  it("is not kept waiting by an address that never answers, and leaves nothing of it behind", async () => {
    const opened: net.Socket[] = [];
    const connect = net.connect;
    // 192.0.2.0/24 is for documentation (RFC 5737): here it is a connection that stays under way.
    vi.spyOn(net, "connect").mockImplementation(((options: net.TcpNetConnectOpts) => {
      const socket = options.host === "192.0.2.1" ? new net.Socket() : connect(options);
      opened.push(socket);
      return socket;
    }) as unknown as typeof net.connect);
    resolveTo({ address: "192.0.2.1", family: 4 }, { address: "127.0.0.1", family: 4 });
    const told = new Told();
    const stream = nodeIo().connect({ transport: "tcp", host: "rabbit.test", port }, told);
    await expect.poll(() => told.isOpen).toBe(true);
    expect(opened.map((socket) => socket.destroyed)).toEqual([true, false]);
    stream.abort();
    await expect.poll(() => told.isClosed).toBe(true);
    expect(opened.map((socket) => socket.destroyed)).toEqual([true, true]);
  });

  it("sends small writes at once, and keeps the connection alive", async () => {
    const noDelay = vi.spyOn(net.Socket.prototype, "setNoDelay");
    const keepAlive = vi.spyOn(net.Socket.prototype, "setKeepAlive");
    for (const keepAliveTime of [undefined, 5_000, 0, 1, 1_001, 1e9]) {
      const tcp = { keepAlive: keepAliveTime };
      const told = new Told();
      const stream = nodeIo().connect({ transport: "tcp", host: "127.0.0.1", port, tcp }, told);
      await expect.poll(() => told.isOpen).toBe(true);
      stream.abort();
      await expect.poll(() => told.isClosed).toBe(true);
    }
    expect(noDelay.mock.calls).toEqual(Array.from({ length: 6 }, () => [true]));
    // Whole seconds, from 1 to as many as Linux takes: what it does not take it ignores.
    expect(keepAlive.mock.calls).toEqual([30_000, 5_000, 1_000, 2_000, 32_767_000].map((time) => [true, time]));
  });

  it("does not wait for the end of a peer that has answered, unless something is left to send", async () => {
    for (const left of [0, 50_000_000]) {
      const told = new Told();
      const stream = nodeIo().connect({ transport: "tcp", host: "127.0.0.1", port }, told);
      await expect.poll(() => told.isOpen && sockets.length === 1).toBe(true);
      const peer = sockets.pop();
      if (peer === undefined) throw new Error("nobody came");
      let heard = 0;
      peer.on("data", (bytes) => (heard += bytes.length));
      const hasEnded = once(peer, "end");
      peer.allowHalfOpen = true;
      stream.write([new Uint8Array(left)]);
      stream.end(true);
      await hasEnded;
      expect(heard).toBe(left);
      if (left > 0) {
        expect(told.isClosed).toBe(false);
        peer.end();
      }
      await expect.poll(() => told.isClosed).toBe(true);
      expect(told.cause).toBeUndefined();
      peer.destroy();
    }
  });

  it("ends in time when the peer has ended and does not read", async () => {
    const told = new Told();
    const stream = nodeIo().connect({ transport: "tcp", host: "127.0.0.1", port }, told);
    await expect.poll(() => told.isOpen && sockets.length === 1).toBe(true);
    const [peer] = sockets;
    if (peer === undefined) throw new Error("nobody came");
    peer.pause();
    const chunk = new Uint8Array(1_000_000);
    for (let count = 0; count < 50; count += 1) stream.write([chunk]);
    peer.allowHalfOpen = true;
    peer.end("goodbye");
    await expect.poll(() => told.isClosed).toBe(true);
    expect(told.cause).toBeUndefined();
  });

  it("does not take for a failure what happens to its last words, when the peer had ended", async () => {
    const connect = vi.spyOn(net, "connect");
    const told = new Told();
    const stream = nodeIo().connect({ transport: "tcp", host: "127.0.0.1", port }, told);
    await expect.poll(() => told.isOpen && sockets.length === 1).toBe(true);
    const [peer] = sockets;
    if (peer === undefined) throw new Error("nobody came");
    peer.pause();
    for (let count = 0; count < 50; count += 1) stream.write([new Uint8Array(1_000_000)]);
    peer.allowHalfOpen = true;
    peer.end();
    const socket = connect.mock.results[0]?.value as net.Socket;
    await expect.poll(() => socket.readableEnded).toBe(true);
    peer.resetAndDestroy();
    await expect.poll(() => told.isClosed).toBe(true);
    expect(told.cause).toBeUndefined();
  });

  it("lets the process end by itself, once its streams are closed and its timers are cancelled", async () => {
    const program = `
      import { nodeIo } from ${JSON.stringify(new URL("node-io.ts", import.meta.url).href)};
      const io = nodeIo();
      const cancel = io.setTimer(60_000, () => {});
      const stream = io.connect({ transport: "tcp", host: "localhost", port: ${port} }, {
        opened: () => stream.end(),
        received: () => {},
        writable: () => {},
        closed: (cause) => { console.log(cause === undefined ? "closed" : cause.message); cancel(); },
      });
    `;
    const started = performance.now();
    const { stdout } = await run(
      process.execPath,
      ["--conditions=@leveret/source", "--input-type=module", "--eval", program],
      { timeout: 25_000 },
    );
    expect(stdout).toBe("closed\n");
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
