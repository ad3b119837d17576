import type { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { amqpHeader } from "./amqp-header.ts";
import { connect, connectThrough, startBench } from "./testing/bench.ts";
import { settled, until } from "./testing/until.ts";

const mib = 1_048_576;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

describe("a client that wants the relay's memory", () => {
  // The first here, so that nothing of the others is counted.
  it("does not get it for as long as it stays, by much that comes with the header", async () => {
    const bench = await startBench({ relay: { maxMessageSize: "4MiB" } });
    collect();
    const before = process.memoryUsage().arrayBuffers;
    const connections = 20;
    for (let index = 0; index < connections; index += 1) {
      const client = await connect(bench.relay);
      client.socket.send(Buffer.concat([amqpHeader, Buffer.alloc(4 * mib - 8)]));
      const upstream = await bench.upstream.connection(index);
      await until(() => upstream.received === 4 * mib, "everything at the upstream");
    }
    expect(bench.relay.connections).toBe(connections);
    // The upstream of this test keeps a megabyte of each.
    await until(() => {
      collect();
      return process.memoryUsage().arrayBuffers - before < connections * 2 * mib;
    }, "the relay to let go what it has sent on");
  });

  it("does not get it by pings whose answers it does not read", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    client.socket.pause();
    const ping = Buffer.alloc(125);
    await until(() => {
      for (let index = 0; index < 5_000; index += 1) client.socket.ping(ping);
      return bench.log.ends.length > 0;
    }, "the relay to end it");
    expect(bench.log.ends).toEqual(["client-lost"]);
    await until(() => bench.relay.connections === 0 && bench.upstream.sockets.size === 0, "both sides to be gone");
  });

  it("does not get it by a message of endless pieces", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    const piece = new Uint8Array(1);
    for (let index = 0; index <= mib / 256; index += 1) client.socket.send(piece, { fin: false });
    expect(await client.close()).toMatchObject({ code: 1008 });
    expect(bench.log.ends).toEqual(["client-error"]);
  });

  it("does not get it by a message that comes byte by byte", async () => {
    const bench = await startBench({ relay: { maxMessageSize: "64KiB" } });
    const client = await connectThrough(bench);
    const { _socket: socket } = client.socket as unknown as { readonly _socket: Socket };
    // The head of a message of 60 000 bytes, each of which the relay reads by itself.
    socket.write(Uint8Array.of(0x82, 0xfe, 60_000 >> 8, 60_000 & 255, 0, 0, 0, 0));
    let sent = 0;
    await until(async () => {
      for (let index = 0; index < 100; index += 1) {
        socket.write("x");
        sent += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
      return bench.log.ends.length > 0;
    }, "the relay to end it");
    expect(bench.log.ends).toEqual(["client-error"]);
    // Long before it is complete; some bytes are read together.
    expect(sent).toBeLessThan(30_000);
  });

  it("takes a message that comes in as many pieces as any client makes of one", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    // A write buffer of 1 KiB, each of which is a frame.
    for (let index = 0; index < 1_023; index += 1) client.socket.send(Buffer.alloc(1_024), { fin: false });
    client.socket.send(Buffer.alloc(1_024));
    const upstream = await bench.upstream.connection();
    await until(() => upstream.received === 8 + mib, "the message");
    expect(bench.log.ends).toEqual([]);
  });

  it("does not get it by pieces that are too long together", async () => {
    const bench = await startBench({ relay: { maxMessageSize: "64KiB" } });
    const client = await connectThrough(bench);
    client.socket.send(Buffer.alloc(40_000), { fin: false });
    client.socket.send(Buffer.alloc(40_000));
    expect(await client.close()).toMatchObject({ code: 1009 });
    expect((await bench.upstream.connection()).received).toBe(8);
  });

  it("does not get it while the upstream does not answer", async () => {
    const total = 64 * mib;
    const silent = await startBench();
    // TLS to one who says nothing: connected, but never ready.
    const upstream = silent.upstream.url.replace("amqp:", "amqps:");
    const bench = await startBench({ relay: { upstream } });
    const client = await connect(bench.relay);
    client.socket.send(amqpHeader);
    for (let sent = 0; sent < total; sent += 65_536) client.socket.send(Buffer.alloc(65_536));
    await settled(() => client.socket.bufferedAmount);
    // The rest is in the client, but for what two kernels' sockets hold.
    expect(client.socket.bufferedAmount).toBeGreaterThan(total - 16 * mib);
  });

  it("does not get it, nor anything else, by messages without a byte", async () => {
    const bench = await startBench();
    const client = await connect(bench.relay);
    for (let index = 0; index < 10_000; index += 1) client.socket.send(new Uint8Array(0));
    client.socket.send(amqpHeader);
    const upstream = await bench.upstream.connection();
    await until(() => upstream.received === 8, "the header at the upstream");
    expect(client.closed).toBeUndefined();
  });
});
