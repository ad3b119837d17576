import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Authenticate } from "./authentication.ts";
import { startRelay } from "./relay.ts";
import { admin, connect, connectThrough, startBench, upgradeStatus } from "./testing/bench.ts";
import { until } from "./testing/until.ts";
import { UpstreamPeer } from "./testing/upstream-peer.ts";

describe("a relay", () => {
  it("lets nobody in, waits, and closes who is left", async () => {
    const bench = await startBench({ relay: { drainTimeout: "30s" } });
    const [staying, leaving] = [await connectThrough(bench), await connectThrough(bench)];
    let isOver = false;
    const drained = bench.relay.drain().then(() => {
      isOver = true;
    });
    expect(await admin(bench.relay, "/readyz")).toMatchObject({ status: 503 });
    expect(await upgradeStatus(bench.relay)).toEqual({ status: 503, text: "draining" });

    leaving.socket.close();
    await leaving.close();
    const upstream = await bench.upstream.connection();
    staying.socket.send(Buffer.from("still carried"));
    await until(() => upstream.received === 8 + 13, "bytes while draining");
    expect(staying.closed).toBeUndefined();
    expect(isOver).toBe(false);

    bench.clock.advance(30_000);
    expect(await staying.close()).toEqual({ code: 1001, reason: "the relay is shutting down" });
    await drained;
    expect(bench.relay.connections).toBe(0);
    expect(bench.log.lines.at(-1)).toMatchObject({ message: "relay stopped", cut: 1 });
  });

  it("refuses those whom the hook is being asked about, and asks about nobody else", async () => {
    let asked = 0;
    const authenticate: Authenticate = ({ query }) => {
      asked += 1;
      return query.has("in") ? { allow: true } : new Promise(() => {});
    };
    const bench = await startBench({ relay: { drainTimeout: "1h", authenticate } });
    const client = await connect(bench.relay, "/?in");
    const waiting = upgradeStatus(bench.relay);
    await until(() => asked === 2, "the hook to be asked");
    const drained = bench.relay.drain();
    expect(await waiting).toEqual({ status: 503, text: "draining" });
    expect(await upgradeStatus(bench.relay, "/?in")).toEqual({ status: 503, text: "draining" });
    expect(asked).toBe(2);
    client.socket.close();
    await drained;
  });

  it("is over at once when the last client has gone", async () => {
    const bench = await startBench();
    const client = await connectThrough(bench);
    const drained = bench.relay.drain();
    client.socket.close();
    await drained;
    expect(bench.log.lines.at(-1)).toMatchObject({ message: "relay stopped", cut: 0 });
  });

  it("close does not wait, and cuts off who does not answer", async () => {
    const bench = await startBench({ relay: { drainTimeout: "1h" } });
    const [polite, stalled] = [await connectThrough(bench), await connectThrough(bench)];
    stalled.socket.pause();
    const drained = bench.relay.drain();
    const closed = bench.relay.close();
    expect(await polite.close()).toMatchObject({ code: 1001 });
    bench.clock.advance(5_000);
    await Promise.all([drained, closed]);
    await until(() => bench.upstream.sockets.size === 0, "the upstream to hear of it");
  });

  it("a relay that cannot listen leaves nothing behind", async () => {
    const { relay, upstream } = await startBench();
    const taken = `127.0.0.1:${relay.address.port}`;
    const options = { upstream: upstream.url, allowNoOrigin: true };
    await expect(startRelay({ ...options, listen: taken, admin: "127.0.0.1:0" })).rejects.toThrow("EADDRINUSE");
    await expect(startRelay({ ...options, admin: taken })).rejects.toThrow("EADDRINUSE");
  });

  it("takes the authentication hook from a module", async () => {
    const upstream = await UpstreamPeer.listen();
    onTestFinished(() => upstream.close());
    const hook = fileURLToPath(new URL("testing/hook.ts", import.meta.url));
    const relay = await startRelay({
      listen: "127.0.0.1:0",
      upstream: upstream.url,
      allowNoOrigin: true,
      authModule: hook,
      logLevel: "silent",
    });
    onTestFinished(() => relay.close());
    expect(await upgradeStatus(relay)).toMatchObject({ status: 401 });
    expect(await upgradeStatus(relay, "/?token=good")).toMatchObject({ status: 101 });
    const missing = { upstream: upstream.url, allowNoOrigin: true };
    await expect(startRelay({ ...missing, authModule: "/no/such/module.mjs" })).rejects.toThrow("cannot be loaded");
    await expect(
      startRelay({ ...missing, authModule: fileURLToPath(new URL("clock.ts", import.meta.url)) }),
    ).rejects.toThrow("no export");
    await connect(relay, "/?token=good");
  });
});
