import { describe, expect, it } from "vitest";
import { leastCharge } from "./bridge.ts";
import { admin, connectThrough, startBench } from "./testing/bench.ts";
import { settled, until } from "./testing/until.ts";

const mib = 1_048_576;
const chunk = Buffer.alloc(64 * 1024, 7);

/** What a connection may hold, both directions together, with room for the buffers of two kernels' sockets. */
const bound = 16 * mib;

const slow = { maxBytesPerSecond: "64KiB", idleTimeout: 0, pingInterval: 0 };

describe("backpressure", () => {
  it("an upstream that does not read stops the client, and nothing is lost", async () => {
    const total = 128 * mib;
    const bench = await startBench({ upstream: { stall: true } });
    const client = await connectThrough(bench);
    const before = process.memoryUsage.rss();
    for (let sent = 0; sent < total; sent += chunk.length) client.socket.send(chunk);
    await settled(() => client.socket.bufferedAmount);
    // What the client could not send is not in the relay.
    expect(client.socket.bufferedAmount).toBeGreaterThan(total - bound);
    // The client's copies are masked ones of its own; the relay's would come on top of them.
    expect(process.memoryUsage.rss() - before).toBeLessThan(total + 64 * mib);

    const upstream = await bench.upstream.connection();
    upstream.socket.resume();
    await until(() => upstream.received === 8 + total, "everything at the upstream");
    expect((await admin(bench.relay, "/metrics")).text).toContain('backpressure_seconds_total{direction="up"}');
  });

  it("a client that does not read stops the upstream, and nothing is lost", async () => {
    const total = 128 * mib;
    const bench = await startBench();
    const client = await connectThrough(bench);
    client.socket.pause();
    const { socket } = await bench.upstream.connection();
    for (let sent = 0; sent < total; sent += chunk.length) socket.write(chunk);
    await settled(() => socket.writableLength);
    expect(socket.writableLength).toBeGreaterThan(total - bound);

    let received = 0;
    client.socket.on("message", (data) => {
      received += (data as Buffer).length;
      client.messages.length = 0;
    });
    client.socket.resume();
    await until(() => received === total, "everything at the client");
    expect((await admin(bench.relay, "/metrics")).text).toContain('backpressure_seconds_total{direction="down"}');
  });

  it("a client that only sends does not stop what it is sent", async () => {
    const bench = await startBench({ upstream: { stall: true } });
    const client = await connectThrough(bench);
    for (let sent = 0; sent < 32 * mib; sent += chunk.length) client.socket.send(chunk);
    await settled(() => client.socket.bufferedAmount);
    const { socket } = await bench.upstream.connection();
    socket.write(Buffer.alloc(mib));
    await until(() => client.received.length === mib, "bytes from an upstream that does not read");
    expect(client.socket.bufferedAmount).toBeGreaterThan(0);
  });

  it("one that stays stalled in both directions is idle in the end, and everything is let go", async () => {
    const bench = await startBench({ upstream: { stall: true }, relay: { idleTimeout: "5m" } });
    const client = await connectThrough(bench);
    for (let sent = 0; sent < 32 * mib; sent += chunk.length) client.socket.send(chunk);
    await settled(() => client.socket.bufferedAmount);
    // Neither a ping nor its answer gets through, and that is nobody's fault.
    bench.clock.advance(299_000);
    expect(bench.log.ends).toEqual([]);
    bench.clock.advance(1_000);
    expect(bench.log.ends).toEqual(["idle-timeout"]);
    await until(() => bench.relay.connections === 0, "the connection to be gone");
  });

  it("a client's rate is limited, by not reading it", async () => {
    const bench = await startBench({ relay: { maxBytesPerSecond: "1MiB", idleTimeout: 0, pingInterval: 0 } });
    const client = await connectThrough(bench);
    const upstream = await bench.upstream.connection();
    for (let sent = 0; sent < 16 * mib; sent += chunk.length) client.socket.send(chunk);
    let last = 0;
    for (let second = 0; upstream.received < 8 + 16 * mib; second += 1) {
      expect(second).toBeLessThan(40);
      await settled(() => upstream.received);
      // A burst, and what had been read already when reading stopped.
      expect(upstream.received - last).toBeLessThanOrEqual(mib + 3 * chunk.length);
      last = upstream.received;
      bench.clock.advance(1_000);
    }
    expect(bench.log.ends).toEqual([]);
  });

  it("a client's rate is limited in messages without a byte too", async () => {
    const bench = await startBench({ relay: slow });
    const client = await connectThrough(bench);
    const upstream = await bench.upstream.connection();
    for (let index = 0; index < 50_000; index += 1) client.socket.send(new Uint8Array(0));
    client.socket.send(Uint8Array.of(1));
    await settled(() => client.socket.bufferedAmount);
    expect(upstream.received).toBe(8);
    await until(() => {
      bench.clock.advance(1_000);
      return upstream.received === 9;
    }, "what was sent behind them");
  });

  it("a client's rate is limited in pings too", async () => {
    const bench = await startBench({ relay: slow });
    const client = await connectThrough(bench);
    // One after the other, since many at once would have the client cut off.
    let pongs = 0;
    client.socket.on("pong", () => {
      pongs += 1;
      if (pongs < 2_000) client.socket.ping();
    });
    client.socket.ping();
    await settled(() => pongs);
    // A second's worth, of which the protocol header was one.
    expect(pongs).toBe(65_536 / leastCharge);
    await until(() => {
      bench.clock.advance(1_000);
      return pongs === 2_000;
    }, "the rest");
    expect(bench.log.ends).toEqual([]);
  });

  it("a thousand small messages a turn arrive in order, in both directions", async () => {
    const bench = await startBench({ upstream: { echo: true } });
    const client = await connectThrough(bench);
    for (let index = 0; index < 20_000; index += 1) client.socket.send(Buffer.from(`${index},`));
    const expected = Array.from({ length: 20_000 }, (_, index) => `${index},`).join("");
    await until(() => client.received.length === 8 + expected.length, "the echo");
    expect(client.received.subarray(8).toString()).toBe(expected);
  });
});
