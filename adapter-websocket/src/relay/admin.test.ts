import { describe, expect, it } from "vitest";
import { admin, startBench } from "./testing/bench.ts";

describe("the server for those who run it", () => {
  it("says whether the relay lives, is ready, and what it counts", async () => {
    const { relay, upstream, clock } = await startBench();
    expect(await admin(relay, "/livez")).toEqual({ status: 200, text: "alive" });
    expect(await admin(relay, "/livez?verbose")).toEqual({ status: 200, text: "alive" });
    expect(await admin(relay, "/readyz")).toEqual({ status: 200, text: "ready" });
    expect((await admin(relay, "/metrics")).text).toContain("process_cpu_seconds_total");
    expect(await admin(relay, "/anything")).toMatchObject({ status: 404 });
    expect((await fetch(`http://127.0.0.1:${relay.adminAddress?.port}/livez`, { method: "POST" })).status).toBe(405);

    // An answer counts for a while, and many ask at once.
    await Promise.all(Array.from({ length: 10 }, () => admin(relay, "/readyz")));
    expect(upstream.connections).toHaveLength(1);
    await upstream.close();
    clock.advance(5_000);
    expect(await admin(relay, "/readyz")).toEqual({ status: 503, text: "not ready" });
    expect(await admin(relay, "/livez")).toMatchObject({ status: 200 });
  });

  it("is ready as long as one of several upstreams is", async () => {
    const { upstream } = await startBench();
    const { relay } = await startBench({ relay: { upstream: [`/a=${upstream.url}`, "/b=amqp://127.0.0.1:1"] } });
    expect(await admin(relay, "/readyz")).toMatchObject({ status: 200 });
  });

  it("is not there unless it is asked for", async () => {
    const { relay } = await startBench({ relay: { admin: undefined } });
    expect(relay.adminAddress).toBeUndefined();
  });
});
