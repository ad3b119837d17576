import { EventEmitter, once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { AddressRate } from "./address-rate.ts";
import { Arrivals } from "./arrivals.ts";
import type { Relay } from "./relay.ts";
import { admin, connect, startBench, upgradeStatus } from "./testing/bench.ts";
import { certificateFile } from "./testing/certificates.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { until } from "./testing/until.ts";

const tls = { tlsCert: certificateFile("server.pem"), tlsKey: certificateFile("server.key.pem") };
const dropped = 'leveret_relay_dropped_connections_total{reason="too-many-of-address"}';

/** A connection that says nothing. */
async function arrive(relay: Relay): Promise<Socket> {
  const socket = connectTcp(relay.address.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {}).resume();
  await once(socket, "connect");
  return socket;
}

describe("connections that are no WebSockets yet", () => {
  it.each([
    ["plain", {}],
    ["TLS", tls],
  ])("are limited by address, as WebSockets are: %s", async (_, settings) => {
    const { relay, clock } = await startBench({ relay: { ...settings, maxConnectionsPerAddress: 2 } });
    // Each that is taken has its time.
    const armed = clock.pending;
    const [first] = [await arrive(relay), await arrive(relay)];
    const third = await arrive(relay);
    await until(() => third.closed, "the third to be dropped");
    expect(clock.pending).toBe(armed + 2);
    expect((await admin(relay, "/metrics")).text).toContain(`${dropped} 1`);

    first.destroy();
    await until(() => clock.pending === armed + 1, "the relay to see that the first has gone");
    await arrive(relay);
    await until(() => clock.pending === armed + 2, "another to be taken in its place");
  });

  it("are a thousand more than WebSockets may be, of all addresses together", async () => {
    const any = { maxConnectionsPerAddress: 0, maxUpgradesPerMinutePerAddress: 0 };
    const { relay, clock } = await startBench({ relay: { ...any, maxConnections: 1 } });
    const armed = clock.pending;
    for (let count = 0; count < 1_001; count += 1) await arrive(relay);
    await until(() => clock.pending === armed + 1_001, "the relay to have taken them");
    const late = await arrive(relay);
    await until(() => late.closed, "one more to be dropped");
    const metric = 'leveret_relay_dropped_connections_total{reason="too-many-connections"} 1';
    expect((await admin(relay, "/metrics")).text).toContain(metric);
  });

  it("do not count as WebSockets, nor these as them", async () => {
    const { relay } = await startBench({ relay: { maxConnectionsPerAddress: 2 } });
    await connect(relay);
    await connect(relay);
    expect(await upgradeStatus(relay)).toEqual({ status: 429, text: "too-many-of-address" });
  });

  it.each([
    ["plain", {}],
    ["TLS", tls],
  ])("are limited in how fast one address begins them: %s", async (_, settings) => {
    const bench = await startBench({ relay: { ...settings, maxUpgradesPerMinutePerAddress: 2, upgradeTimeout: 0 } });
    const { relay, clock, log } = bench;
    const [first] = [await arrive(relay), await arrive(relay)];
    first.destroy();
    for (const late of [await arrive(relay), await arrive(relay)]) await until(() => late.closed, "a drop");
    const metric = 'leveret_relay_dropped_connections_total{reason="too-fast-of-address"}';
    expect((await admin(relay, "/metrics")).text).toContain(`${metric} 2`);
    const warnings = log.lines.filter(({ level }) => level === "warn");
    expect(warnings).toEqual([
      { level: "warn", client: "127.0.0.1", message: "connections from this address come too fast" },
    ]);
    clock.advance(30_000);
    const [taken, late] = [await arrive(relay), await arrive(relay)];
    await until(() => late.closed, "one more to be dropped");
    expect(taken.closed).toBe(false);
  });

  it("are limited by what a load balancer says, not by what its clients say", async () => {
    const limits = { maxUpgradesPerMinutePerAddress: 2, allowNoOrigin: true, origin: "https://app.example.com" };
    const behind = await startBench({ relay: { ...limits, trustedProxy: "127.0.0.1" } });
    const ask = async (relay: Relay, client: string, headers = {}) =>
      (await upgradeStatus(relay, "/", { "X-Forwarded-For": client, ...headers })).status;
    // One that another rule refuses counts too.
    expect(await ask(behind.relay, "192.0.2.1", { Origin: "https://evil.test" })).toBe(403);
    expect(await ask(behind.relay, "203.0.113.1, 192.0.2.1")).toBe(101);
    expect(await ask(behind.relay, "203.0.113.2, 192.0.2.1")).toBe(429);
    expect(await ask(behind.relay, "2001:db8::1")).toBe(101);
    expect(await ask(behind.relay, "2001:db8::2")).toBe(101);
    expect(await ask(behind.relay, "2001:db8::3")).toBe(429);
    const { text } = await admin(behind.relay, "/metrics");
    expect(text).toContain('leveret_relay_refused_upgrades_total{reason="too-fast-of-address"} 2');
    behind.clock.advance(30_000);
    expect(await ask(behind.relay, "192.0.2.1")).toBe(101);

    const open = await startBench({ relay: limits });
    expect([await ask(open.relay, "192.0.2.1"), await ask(open.relay, "192.0.2.2")]).toEqual([101, 101]);
    await expect(ask(open.relay, "192.0.2.3")).rejects.toThrow(/ECONNRESET|socket hang up/);
  });

  it("are not limited where a load balancer brings those of many", async () => {
    const { relay } = await startBench({ relay: { maxConnectionsPerAddress: 2, trustedProxy: "127.0.0.1" } });
    for (let index = 0; index < 4; index += 1) await arrive(relay);
    const headers = { "X-Forwarded-For": "192.0.2.1" };
    expect(await upgradeStatus(relay, "/", headers)).toMatchObject({ status: 101 });
    expect((await admin(relay, "/metrics")).text).not.toContain(dropped);
  });

  it("have their time from the first packet on, also before TLS", async () => {
    const { relay, clock } = await startBench({ relay: { ...tls, upgradeTimeout: "10s" } });
    const armed = clock.pending;
    const silent = await arrive(relay);
    await until(() => clock.pending === armed + 1, "the relay to see the connection");
    clock.advance(9_000);
    const secured = connectTls({ socket: silent, rejectUnauthorized: false });
    secured.on("error", () => {});
    await once(secured, "secureConnect");
    secured.write("GET / HTTP/1.1\r\n");
    clock.advance(999);
    expect(clock.pending).toBe(armed + 1);
    clock.advance(1);
    await until(() => secured.closed, "the connection to be cut off");
  });

  it.each([
    ["plain", {}],
    ["TLS", tls],
  ])("do not keep a relay from ending: %s", async (_, settings) => {
    const { relay, clock, log } = await startBench({ relay: settings });
    const armed = clock.pending;
    const silent = await arrive(relay);
    await until(() => clock.pending > armed, "the relay to see the connection");
    await relay.drain();
    expect(log.lines.at(-1)?.message).toBe("relay stopped");
    await until(() => silent.closed, "the connection to be cut off");
  });

  it("are known also where another of the same port has just gone", () => {
    const ends = { remoteAddress: "192.0.2.1", remotePort: 5000, localAddress: "192.0.2.2", localPort: 443 };
    const [gone, next] = [1, 2].map(() => Object.assign(new EventEmitter(), ends) as unknown as Socket);
    const clock = new ManualClock();
    const rate = new AddressRate(clock, 0, () => {});
    const arrivals = new Arrivals({ maxPerAddress: 2, timeout: 0, isProxy: () => false }, rate, clock);
    expect([arrivals.arrived(gone as Socket), arrivals.arrived(next as Socket)]).toEqual([undefined, undefined]);
    gone?.emit("close");
    expect(arrivals.asking(next as Socket)?.signal.aborted).toBe(false);
    next?.emit("close");
    expect(arrivals.asking(next as Socket)).toBeUndefined();
  });

  it("are answered when the relay ends while the hook is asked", async () => {
    let asked = false;
    const { relay, log } = await startBench({
      relay: {
        authenticate: () => {
          asked = true;
          return new Promise(() => {});
        },
      },
    });
    const answer = upgradeStatus(relay);
    await until(() => asked, "the hook to be asked");
    await relay.drain();
    expect(await answer).toEqual({ status: 503, text: "draining" });
    expect(relay.connections).toBe(0);
    expect(log.lines.filter(({ message }) => message === "upgrade refused")).toHaveLength(1);
  });
});
