import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { amqpHeader } from "./amqp-header.ts";
import type { RelayOptions } from "./config/options.ts";
import { encodeLocalHeader, encodeProxyHeader } from "./write-proxy-header.ts";
import { admin, type Bench, Client, startBench } from "./testing/bench.ts";
import { certificateFile } from "./testing/certificates.ts";
import { until } from "./testing/until.ts";

const tls = { tlsCert: certificateFile("server.pem"), tlsKey: certificateFile("server.key.pem") };
const behind = { acceptProxyProtocol: true, trustedProxy: ["127.0.0.1", "10.0.0.0/8"] };
const destination = { address: "198.51.100.2", port: 443 };
const from = (address: string) => encodeProxyHeader({ source: { address, port: 35_380 }, destination });
const fromLine = (address: string) => Buffer.from(`PROXY TCP4 ${address} 198.51.100.2 35380 443\r\n`);

const start = (relay: Partial<RelayOptions> = {}) =>
  startBench({ upstream: { echo: true }, relay: { ...behind, ...relay } });

/** A load balancer's connection, which begins with these bytes. */
async function arrive({ relay }: Bench, ...beginning: Uint8Array[]): Promise<Socket> {
  const socket = connectTcp({ port: relay.address.port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  for (const part of beginning) {
    socket.write(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return socket;
}

/** A client behind it. */
async function open(
  bench: Bench,
  socket: Socket,
  headers: Record<string, string> = {},
  secure = false,
): Promise<Client> {
  const createConnection = () => (secure ? connectTls({ socket, rejectUnauthorized: false }) : socket);
  const { port } = bench.relay.address;
  // The URL's scheme would have the client do TLS by itself.
  const client = new Client(new WebSocket(`ws://127.0.0.1:${port}/`, { createConnection, headers }));
  onTestFinished(() => client.socket.terminate());
  await once(client.socket, "open");
  return client;
}

const clients = ({ log }: Bench) =>
  log.lines.filter(({ message }) => message === "connection opened").map(({ client }) => client);

async function status(socket: Socket, headers = ""): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${upgrade}${key}${headers}\r\n`);
  await until(() => text.includes("\r\n\r\n") || socket.closed, "an answer");
  return text.split(" ", 2)[1] ?? "";
}

describe("a load balancer that passes TCP through", () => {
  it.each([
    ["plain", false],
    ["TLS", true],
  ])("names its clients by the PROXY protocol: %s", async (_, secure) => {
    const bench = await start(secure ? tls : {});
    const headers = [from("192.0.2.1"), fromLine("192.0.2.2"), from("2001:db8::3")];
    for (const header of headers) {
      for (const parts of [[header], [header.subarray(0, 9), header.subarray(9)]]) {
        const client = await open(bench, await arrive(bench, ...parts), { "X-Forwarded-For": "203.0.113.9" }, secure);
        client.socket.send(amqpHeader);
        client.socket.send(Buffer.alloc(100_000));
        await until(() => client.received.length === 100_008, "the echo");
      }
    }
    const expected = ["192.0.2.1", "192.0.2.2", "2001:db8::3"].flatMap((address) => [address, address]);
    expect(clients(bench)).toEqual(expected);
  });

  it("may write the header and what follows in one piece", async () => {
    const bench = await start();
    const request = [
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ].join("");
    const socket = await arrive(bench, Buffer.concat([from("192.0.2.1"), Buffer.from(request)]));
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 101 /);
    expect(clients(bench)).toEqual(["192.0.2.1"]);
  });

  it("has its clients counted one by one, before TLS, whatever they say themselves", async () => {
    const bench = await start({ ...tls, maxConnectionsPerAddress: 2, upgradeTimeout: 0 });
    const drops = 'leveret_relay_dropped_connections_total{reason="too-many-of-address"}';
    const first = [await arrive(bench, from("192.0.2.1")), await arrive(bench, from("192.0.2.1"))];
    const third = await arrive(bench, from("192.0.2.1"));
    await until(() => third.closed, "the third to be dropped");
    expect((await admin(bench.relay, "/metrics")).text).toContain(`${drops} 1`);
    await open(bench, await arrive(bench, from("192.0.2.2")), {}, true);
    expect(first.map(({ closed }) => closed)).toEqual([false, false]);
  });

  it("has its clients limited in how fast they come", async () => {
    const bench = await start({ maxUpgradesPerMinutePerAddress: 1 });
    expect(await status(await arrive(bench, from("192.0.2.1")))).toBe("101");
    expect(await status(await arrive(bench, from("192.0.2.1")), "X-Forwarded-For: 192.0.2.7\r\n")).toBe("");
    expect(await status(await arrive(bench, from("192.0.2.2")))).toBe("101");
    expect(bench.log.lines).toContainEqual(expect.objectContaining({ level: "warn", client: "192.0.2.1" }));
  });

  it("is the client itself where it names nobody, and then no header is believed", async () => {
    const bench = await start();
    for (const header of [encodeLocalHeader(), Buffer.from("PROXY UNKNOWN\r\n")]) {
      await open(bench, await arrive(bench, header), { "X-Forwarded-For": "203.0.113.9" });
    }
    expect(clients(bench)).toEqual(["127.0.0.1", "127.0.0.1"]);
  });

  it("may have another behind it, which names the client in a header", async () => {
    const bench = await start();
    await open(bench, await arrive(bench, from("10.1.2.3")), { "X-Forwarded-For": "203.0.113.9, 192.0.2.1" });
    expect(clients(bench)).toEqual(["192.0.2.1"]);
  });

  it("is not let in without the header, and it is said why", async () => {
    const bench = await start();
    expect(await status(await arrive(bench))).toBe("");
    expect(bench.log.lines).toContainEqual({
      level: "warn",
      peer: "127.0.0.1",
      message: "a trusted proxy does not speak the PROXY protocol",
    });
    const { text } = await admin(bench.relay, "/metrics");
    expect(text).toContain('leveret_relay_dropped_connections_total{reason="no-proxy-header"} 1');
  });

  it("has a time for the header, and may leave without one", async () => {
    const bench = await start({ upgradeTimeout: "10s" });
    const armed = bench.clock.pending;
    const silent = await arrive(bench, from("192.0.2.1").subarray(0, 20));
    await until(() => bench.clock.pending === armed + 1, "the relay to see the connection");
    bench.clock.advance(10_000);
    await until(() => silent.closed, "the connection to be cut off");
    const check = await arrive(bench);
    check.end();
    await until(() => check.closed && bench.clock.pending === armed, "the relay to let it go");
    expect(bench.log.lines.filter(({ level }) => level === "warn")).toEqual([]);
  });

  it("is not held to account for those whom it has named", async () => {
    const bench = await start({ maxConnectionsPerAddress: 1 });
    for (const address of ["192.0.2.1", "192.0.2.2"]) await open(bench, await arrive(bench, from(address)));
    await open(bench, await arrive(bench, encodeLocalHeader()));
    expect(clients(bench)).toEqual(["192.0.2.1", "192.0.2.2", "127.0.0.1"]);
  });

  it("may break off in front of the header, or within it", async () => {
    const bench = await start();
    const armed = bench.clock.pending;
    for (const size of [0, 20]) {
      const socket = await arrive(bench, from("192.0.2.1").subarray(0, size));
      await until(() => bench.clock.pending === armed + 1, "the relay to see the connection");
      socket.resetAndDestroy();
      await until(() => bench.clock.pending === armed, "the relay to let it go");
    }
    // An error that nobody heard of would have ended the process, and ends this test.
    await open(bench, await arrive(bench, from("192.0.2.1")));
    expect(clients(bench)).toEqual(["192.0.2.1"]);
  });

  it("is not anybody's to play", async () => {
    const bench = await start({ trustedProxy: "10.0.0.0/8" });
    const socket = await arrive(bench, fromLine("192.0.2.1"));
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 400 /);
    expect(await status(await arrive(bench))).toBe("101");
    expect(clients(bench)).toEqual(["127.0.0.1"]);
  });
});
