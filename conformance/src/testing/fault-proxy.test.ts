import { once } from "node:events";
import net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isPattern, pattern } from "../io-contract/pattern.ts";
import { mostKept } from "./fault-pipe.ts";
import { FaultProxy } from "./fault-proxy.ts";

/** One end of a proxied connection, with all that it saw. */
class End {
  readonly socket: net.Socket;
  readonly chunks: Buffer[] = [];
  ended = false;
  error: string | undefined;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.chunks.push(chunk));
    socket.on("end", () => (this.ended = true));
    socket.on("error", (error: NodeJS.ErrnoException) => (this.error = error.code));
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

describe("FaultProxy", () => {
  let server: net.Server;
  let proxy: FaultProxy;
  /** The server's ends, in the order of their coming. */
  let served: End[];

  beforeEach(async () => {
    served = [];
    server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => served.push(new End(socket)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    proxy = await FaultProxy.start({ host: "127.0.0.1", port: (server.address() as net.AddressInfo).port });
  });

  afterEach(async () => {
    await proxy.close();
    for (const { socket } of served) socket.destroy();
    server.close();
    await once(server, "close");
  });

  async function connect(): Promise<{ client: End; peer: End }> {
    const before = served.length;
    const socket = net.connect({ host: proxy.host, port: proxy.port, noDelay: true, allowHalfOpen: true });
    const client = new End(socket);
    await expect.poll(() => served.length).toBe(before + 1);
    const peer = served[before];
    if (peer === undefined) throw new Error("nobody came");
    return { client, peer };
  }

  it("forwards both ways, and each end by itself", async () => {
    const { client, peer } = await connect();
    client.socket.end("ping");
    await expect.poll(() => peer.ended).toBe(true);
    expect(peer.received.toString()).toBe("ping");
    peer.socket.end("pong");
    await expect.poll(() => client.ended).toBe(true);
    expect(client.received.toString()).toBe("pong");
    await expect.poll(() => proxy.open).toBe(0);
    expect(proxy.accepted).toBe(1);
  });

  it("forwards 20 MB intact to a slow reader", async () => {
    const { client, peer } = await connect();
    peer.socket.pause();
    const size = 20_000_000;
    for (let at = 0; at < size; at += 50_000) client.socket.write(pattern(at, 50_000));
    peer.socket.resume();
    await expect.poll(() => peer.received.length).toBe(size);
    expect(isPattern(peer.received, 0)).toBe(true);
  });

  it("passes a reset on", async () => {
    const { client, peer } = await connect();
    peer.socket.resetAndDestroy();
    await expect.poll(() => client.error).toBe("ECONNRESET");
  });

  it("cuts: both sides see an end", async () => {
    const { client, peer } = await connect();
    client.socket.write("unread");
    proxy.break("cut");
    await expect.poll(() => client.ended && peer.ended).toBe(true);
    expect([client.error, peer.error]).toEqual([undefined, undefined]);
    client.socket.end();
    peer.socket.end();
    await expect.poll(() => proxy.open).toBe(0);
  });

  it("resets: both sides see an error", async () => {
    const { client, peer } = await connect();
    proxy.break("reset");
    await expect.poll(() => [client.error, peer.error]).toEqual(["ECONNRESET", "ECONNRESET"]);
    await expect.poll(() => proxy.open).toBe(0);
  });

  it("is silent in one direction, and loses nothing", async () => {
    const { client, peer } = await connect();
    proxy.silence("to-server");
    client.socket.write("held");
    peer.socket.write("passes");
    await expect.poll(() => client.received.toString()).toBe("passes");
    client.socket.end();
    expect(peer.received.toString()).toBe("");
    expect(peer.ended).toBe(false);
    proxy.speak();
    await expect.poll(() => peer.ended).toBe(true);
    expect(peer.received.toString()).toBe("held");
  });

  it("is silent in both directions, and stops to read", async () => {
    const { client, peer } = await connect();
    proxy.break("silence");
    const chunk = Buffer.alloc(1_000_000);
    for (let count = 0; count < 40; count += 1) client.socket.write(chunk);
    await expect.poll(() => client.socket.bytesWritten).toBeGreaterThan(mostKept);
    expect(client.socket.writableLength).toBeGreaterThan(1_000_000);
    expect(peer.chunks).toEqual([]);
    proxy.speak();
    await expect.poll(() => peer.received.length).toBe(40_000_000);
  });

  it("sends one byte at a time", async () => {
    const { client, peer } = await connect();
    proxy.inflict({ oneByteAtATime: true });
    client.socket.write(pattern(0, 200));
    await expect.poll(() => peer.received.length).toBe(200);
    expect(isPattern(peer.received, 0)).toBe(true);
    // The kernel may join some of them.
    expect(peer.chunks.length).toBeGreaterThan(20);
  });

  it("corrupts one byte of a direction", async () => {
    proxy.inflict({ corrupt: { direction: "to-client", offset: 5 } });
    const { client, peer } = await connect();
    peer.socket.write("0123");
    await expect.poll(() => client.received.length).toBe(4);
    peer.socket.write("4567");
    client.socket.write("01234567");
    await expect.poll(() => client.received.length).toBe(8);
    await expect.poll(() => peer.received.toString()).toBe("01234567");
    const expected = Buffer.from("01234567");
    expected[5] = ~expected.readUInt8(5) & 0xff;
    expect(client.received).toEqual(expected);
  });

  for (const how of ["cut", "reset", "silence"] as const) {
    it(`lets exactly so many bytes pass before it breaks (${how})`, async () => {
      proxy.inflict({ breakAfter: { direction: "to-server", bytes: 10, how, connection: 1 } });
      const { client, peer } = await connect();
      client.socket.write("0123456");
      await expect.poll(() => peer.received.length).toBe(7);
      client.socket.write("789abc");
      await expect.poll(() => peer.received.toString()).toBe("0123456789");
      if (how === "cut") await expect.poll(() => client.ended && peer.ended).toBe(true);
      if (how === "reset") await expect.poll(() => client.error).toBe("ECONNRESET");
      if (how === "silence") {
        proxy.inflict({});
        proxy.speak();
        await expect.poll(() => peer.received.toString()).toBe("0123456789abc");
      }
      // The second connection is whole.
      const second = await connect();
      second.client.socket.write("0123456789abc");
      await expect.poll(() => second.peer.received.length).toBe(13);
    });
  }

  it("delays, and keeps the order", async () => {
    proxy.inflict({ delay: 30 });
    const { client, peer } = await connect();
    const start = performance.now();
    for (let at = 0; at < 10; at += 1) client.socket.write(pattern(at * 10, 10));
    await expect.poll(() => peer.received.length, { interval: 2 }).toBe(100);
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
    expect(isPattern(peer.received, 0)).toBe(true);
  });

  it("refuses new connections and keeps those that are there, until it admits again", async () => {
    const { client, peer } = await connect();
    proxy.refuse();
    const refused = net.connect({ host: proxy.host, port: proxy.port });
    const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
    client.socket.write("still here");
    await expect.poll(() => peer.received.toString()).toBe("still here");
    await proxy.admit();
    await connect();
    expect(proxy.accepted).toBe(2);
  });

  it("resets a client whose server cannot be reached", async () => {
    const vacant = net.createServer().listen(0, "127.0.0.1");
    await once(vacant, "listening");
    const { port } = vacant.address() as net.AddressInfo;
    vacant.close();
    await once(vacant, "close");
    const nowhere = await FaultProxy.start({ host: "127.0.0.1", port });
    const socket = net.connect({ host: nowhere.host, port: nowhere.port });
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
    await nowhere.close();
  });
});
