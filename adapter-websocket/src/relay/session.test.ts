import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { amqpHeader } from "./amqp-header.ts";
import { admin, type Bench, connect, connectThrough, startBench } from "./testing/bench.ts";
import { until } from "./testing/until.ts";

describe("before the upstream is reached", () => {
  it("the header may come in any number of messages, with more behind it", async () => {
    const bench = await startBench();
    const client = await connect(bench.relay);
    for (const byte of amqpHeader) client.socket.send(Uint8Array.of(byte));
    const first = await bench.upstream.connection();
    await until(() => first.received === 8, "the header at the upstream");

    const whole = await connect(bench.relay);
    whole.socket.send(Buffer.concat([amqpHeader, Buffer.from("and more")]));
    whole.socket.send(Buffer.from(", and more"));
    const second = await bench.upstream.connection(1);
    await until(() => second.received === 26, "everything at the upstream");
    expect(first.bytes.equals(amqpHeader)).toBe(true);
    expect(second.bytes.toString("latin1")).toBe("AMQP\0\0\x09\x01and more, and more");
  });

  it("what is not AMQP 0-9-1 does not reach it", async () => {
    const bench = await startBench();
    const client = await connect(bench.relay);
    client.socket.send(Buffer.from("AM"));
    client.socket.send(Buffer.from("QX"));
    expect(await client.close()).toEqual({ code: 1002, reason: "this is not the protocol header of AMQP 0-9-1" });
    expect(bench.log.ends).toEqual(["not-amqp"]);
    await connectThrough(bench);
    expect(bench.upstream.connections).toHaveLength(1);
  });

  it("the header must come in time", async () => {
    const bench = await startBench({ relay: { headerTimeout: "3s" } });
    const client = await connect(bench.relay);
    client.socket.send(amqpHeader.subarray(0, 7));
    client.socket.ping();
    await once(client.socket, "pong");
    bench.clock.advance(2_999);
    expect(bench.log.ends).toEqual([]);
    bench.clock.advance(1);
    expect(await client.close()).toMatchObject({ code: 1008 });
    await connectThrough(bench);
    expect(bench.upstream.connections).toHaveLength(1);
  });

  it("an upstream that refuses is told as something to try again", async () => {
    const bench = await startBench();
    await bench.upstream.close();
    const client = await connect(bench.relay);
    client.socket.send(amqpHeader);
    expect(await client.close()).toEqual({ code: 1013, reason: "the broker cannot be reached" });
    expect(bench.log.lines).toContainEqual(expect.objectContaining({ level: "warn", detail: "ECONNREFUSED" }));
    expect((await admin(bench.relay, "/metrics")).text).toContain("leveret_relay_upstream_connect_failures_total{");
  });

  it("an upstream that does not answer is given up", async () => {
    // TLS to a listener that says nothing: connected, but never ready.
    const bench = await startBench();
    const url = bench.upstream.url.replace("amqp:", "amqps:");
    const slow = await startBench({ relay: { upstream: url, upstreamTimeout: "7s" } });
    const client = await connect(slow.relay);
    client.socket.send(amqpHeader);
    await bench.upstream.connection();
    slow.clock.advance(7_000);
    expect(await client.close()).toMatchObject({ code: 1013 });
    await until(() => bench.upstream.sockets.size === 0, "the connection to the upstream to be closed");
  });

  it("a session that ends meanwhile takes the attempt with it", async () => {
    const silent = await startBench();
    const url = silent.upstream.url.replace("amqp:", "amqps:");
    const bench = await startBench({ relay: { upstream: url, upstreamTimeout: "7s", idleTimeout: "2s" } });
    const client = await connect(bench.relay);
    client.socket.send(amqpHeader);
    await until(() => silent.upstream.sockets.size === 1, "the attempt");
    bench.clock.advance(2_000);
    expect(await client.close()).toMatchObject({ code: 1008 });
    await until(() => silent.upstream.sockets.size === 0, "the end of the attempt");
    await until(() => bench.relay.connections === 0, "the connection to be gone");
    expect(bench.log.ends).toEqual(["idle-timeout"]);
  });
});

describe("a session", () => {
  it("delivers what a client says that leaves before the upstream is reached", async () => {
    const bench = await startBench();
    const client = await connect(bench.relay);
    client.socket.send(amqpHeader);
    client.socket.send(Buffer.alloc(1_000));
    client.socket.close();
    const upstream = await bench.upstream.connection();
    await until(() => upstream.ended, "the end at the upstream");
    expect(upstream.received).toBe(1_008);
    await until(() => bench.relay.connections === 0, "the connection to be gone");
  });

  it("carries bytes both ways, whatever the messages are", async () => {
    const bench = await startBench({ upstream: { echo: true } });
    const client = await connectThrough(bench);
    const sent: Buffer[] = [Buffer.from(amqpHeader)];
    for (const size of [1, 7, 4_096, 0, 65_536, 1_000_000, 3]) {
      const message = Buffer.alloc(size, size % 251);
      sent.push(message);
      client.socket.send(message);
    }
    const all = Buffer.concat(sent);
    await until(() => client.received.length === all.length, "the echo");
    expect(client.received.equals(all)).toBe(true);
  });

  it("ends with the client, whose last bytes still arrive", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    client.socket.send(Buffer.alloc(500_000));
    client.socket.close();
    const upstream = await bench.upstream.connection();
    await until(() => upstream.ended, "the end at the upstream");
    expect(upstream.received).toBe(8 + 500_000);
    await client.close();
    await until(() => bench.relay.connections === 0, "the connection to be gone");
    expect(bench.log.ends).toEqual(["client-closed"]);
  });

  it.each([
    [1000, "client-closed"],
    [1001, "client-closed"],
    [4000, "client-lost"],
  ])("ends when the client closes with %s", async (code, reason) => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    client.socket.close(code);
    expect(await client.close()).toMatchObject({ code });
    await until(() => bench.relay.connections === 0 && bench.upstream.sockets.size === 0, "both sides to be gone");
    expect(bench.log.ends).toEqual([reason]);
  });

  it("ends with a client that breaks", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    client.socket.terminate();
    await until(() => bench.relay.connections === 0 && bench.upstream.sockets.size === 0, "both sides to be gone");
    expect(bench.log.ends).toEqual(["client-lost"]);
  });

  it("ends with the upstream, whose last bytes still arrive", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    const { socket } = await bench.upstream.connection();
    socket.end(Buffer.alloc(3_000_000));
    expect(await client.close()).toEqual({ code: 1000, reason: "" });
    expect(client.received).toHaveLength(3_000_000);
    await until(() => bench.relay.connections === 0, "the connection to be gone");
    expect(bench.log.ends).toEqual(["upstream-closed"]);
  });

  it("ends with an upstream that breaks", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    (await bench.upstream.connection()).socket.resetAndDestroy();
    expect(await client.close()).toEqual({ code: 1011, reason: "the connection to the broker failed" });
    expect(bench.log.ends).toEqual(["upstream-failed"]);
  });

  it("refuses text", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    client.socket.send("text");
    expect(await client.close()).toEqual({ code: 1003, reason: "AMQP takes binary messages" });
    await until(() => bench.upstream.sockets.size === 0, "the upstream to be closed");
  });

  it("refuses messages that are too long, and takes those that are just not", async () => {
    const bench = await startBench({ relay: { maxMessageSize: "64KiB" } });
    const client = await connectThrough(bench);
    client.socket.send(Buffer.alloc(65_536));
    const upstream = await bench.upstream.connection();
    await until(() => upstream.received === 8 + 65_536, "the message");
    client.socket.send(Buffer.alloc(65_537));
    expect(await client.close()).toMatchObject({ code: 1009 });
    await until(() => bench.relay.connections === 0, "the connection to be gone");
    expect(bench.log.ends).toEqual(["client-error"]);
    expect(upstream.received).toBe(8 + 65_536);
  });

  it("does not accept compression, which could blow up", async () => {
    const bench = await startBench();
    expect((await connectThrough(bench)).socket.extensions).toBe("");
  });

  it("counts what it carries", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    client.socket.send(Buffer.alloc(100));
    (await bench.upstream.connection()).socket.end(Buffer.alloc(70));
    await client.close();
    await until(() => bench.relay.connections === 0, "the connection to be gone");
    const { text } = await admin(bench.relay, "/metrics");
    expect(text).toContain('leveret_relay_bytes_total{direction="down"} 70');
    expect(text).toContain('leveret_relay_messages_total{direction="up"} ');
    expect(text).toContain('leveret_relay_closed_connections_total{reason="upstream-closed"} 1');
    expect(text).toContain("leveret_relay_connection_seconds_count 1");
    expect(text).toContain('leveret_relay_upstream_connect_seconds_count{upstream="amqp://127.0.0.1:');
  });
});

describe("time", () => {
  const quiet = { idleTimeout: 0, pingInterval: 0 };

  it("a client that is silent is sent a ping, and stays when it answers", async () => {
    const bench = await startBench({ relay: { ...quiet, pingInterval: "30s", pongTimeout: "10s" } });
    const client = await connectThrough(bench);
    for (let round = 0; round < 3; round += 1) {
      const ping = once(client.socket, "ping");
      bench.clock.advance(30_000);
      await ping;
      await bothWays(bench, client);
      bench.clock.advance(10_000);
    }
    expect(bench.log.ends).toEqual([]);
    await bothWays(bench, client);
  });

  it("a client that sends something is not sent a ping", async () => {
    const bench = await startBench({ relay: { ...quiet, pingInterval: "30s" } });
    const client = await connectThrough(bench);
    let pings = 0;
    client.socket.on("ping", () => {
      pings += 1;
    });
    for (let round = 0; round < 5; round += 1) {
      bench.clock.advance(20_000);
      await bothWays(bench, client);
    }
    // What the relay sent before its answer has arrived with it.
    client.socket.ping();
    await once(client.socket, "pong");
    expect(pings).toBe(0);
  });

  it("a client that does not answer is gone", async () => {
    const bench = await startBench({ relay: { ...quiet, pingInterval: "30s", pongTimeout: "10s" } });
    const client = await connectThrough(bench);
    client.socket.pause();
    bench.clock.advance(39_999);
    expect(bench.log.ends).toEqual([]);
    bench.clock.advance(1);
    await until(() => bench.relay.connections === 0 && bench.upstream.sockets.size === 0, "both sides to be gone");
    expect(bench.log.ends).toEqual(["client-silent"]);
  });

  it("a connection without a byte is idle, in whichever direction they went", async () => {
    const bench = await startBench({ relay: { ...quiet, idleTimeout: "60s" } });
    const client = await connectThrough(bench);
    bench.clock.advance(59_000);
    await bothWays(bench, client);
    bench.clock.advance(59_000);
    const before = client.received.length;
    (await bench.upstream.connection()).socket.write("down");
    await until(() => client.received.length === before + 4, "bytes down");
    bench.clock.advance(59_000);
    expect(bench.log.ends).toEqual([]);
    bench.clock.advance(1_000);
    expect(await client.close()).toEqual({ code: 1008, reason: "nothing was sent for too long" });
  });

  it("a message without a byte is none", async () => {
    const bench = await startBench({ relay: { ...quiet, idleTimeout: "60s" } });
    const client = await connectThrough(bench);
    bench.clock.advance(59_000);
    client.socket.send(new Uint8Array(0));
    client.socket.ping();
    await once(client.socket, "pong");
    bench.clock.advance(1_000);
    expect(await client.close()).toMatchObject({ code: 1008 });
  });

  it("a connection that has had its time is closed", async () => {
    const bench = await startBench({ relay: { ...quiet, maxLifetime: "1h" } });
    const client = await connectThrough(bench);
    bench.clock.advance(3_599_999);
    await bothWays(bench, client);
    bench.clock.advance(1);
    expect(await client.close()).toMatchObject({ code: 1008 });
    expect(bench.log.ends).toEqual(["lifetime-over"]);
  });

  it("an upstream that does not agree to the end is cut off", async () => {
    const bench = await startBench({ upstream: { stall: true }, relay: { ...quiet, closeTimeout: "5s" } });
    const client = await connectThrough(bench);
    client.socket.close();
    await client.close();
    expect(bench.relay.connections).toBe(1);
    bench.clock.advance(5_000);
    await until(() => bench.relay.connections === 0, "the connection to be gone");
  });
});

/** One byte to the upstream, and the knowledge that it has arrived. */
async function bothWays({ upstream }: Bench, client: { socket: { send(data: Uint8Array): void } }): Promise<void> {
  const connection = await upstream.connection();
  const before = connection.received;
  client.socket.send(Uint8Array.of(1));
  await until(() => connection.received === before + 1, "a byte at the upstream");
}
