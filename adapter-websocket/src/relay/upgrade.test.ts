import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { describe, expect, it } from "vitest";
import type { Allowed, Authenticate, Denied, UpgradeRequest } from "./authentication.ts";
import { admin, connect, startBench, upgradeStatus } from "./testing/bench.ts";
import { until } from "./testing/until.ts";

describe("a request for a WebSocket", () => {
  it("is refused for a page that was not named, and granted to one that was", async () => {
    const { relay, log } = await startBench({ relay: { origin: "https://app.example.com", allowNoOrigin: false } });
    expect(await upgradeStatus(relay, "/", { Origin: "https://app.example.com" })).toMatchObject({ status: 101 });
    expect(await upgradeStatus(relay, "/", { Origin: "https://evil.test" })).toEqual({ status: 403, text: "origin" });
    expect(await upgradeStatus(relay)).toEqual({ status: 403, text: "origin" });
    expect(log.lines).toContainEqual(
      expect.objectContaining({
        message: "upgrade refused",
        reason: "origin",
        origin: "https://evil.test",
        client: "127.0.0.1",
      }),
    );
  });

  it("is refused for a path without an upstream", async () => {
    const bench = await startBench({ relay: { upstream: ["/a=amqp://127.0.0.1:1", "/b=amqp://127.0.0.1:2"] } });
    const statuses = await Promise.all(
      ["/a", "/b?x=/c", "http://relay.test/a", "/c", "/", "/a/", "/A", "/a%2f", "/c?/a", "http://relay.test"].map(
        (path) => upgradeStatus(bench.relay, path),
      ),
    );
    expect(statuses.map(({ status }) => status)).toEqual([101, 101, 101, 404, 404, 404, 404, 404, 404, 404]);
  });

  it("is refused for another way to write a path, which what stands in front may have let pass", async () => {
    const bench = await startBench({ relay: { upstream: ["/a=amqp://127.0.0.1:1", "/=amqp://127.0.0.1:2"] } });
    for (const path of ["/../a", "/x/../a", "/x/%2e%2E/a", "/./a", "/%61", "//a", "//x/a", "/\\a", "/a#"]) {
      expect([path, (await upgradeStatus(bench.relay, path)).status]).toEqual([path, 404]);
    }
  });

  it("is refused for a host that was not named", async () => {
    const { relay } = await startBench({ relay: { allowedHost: ["relay.example.com", "[::1]"] } });
    expect(await upgradeStatus(relay, "/", { Host: "relay.example.com:443" })).toMatchObject({ status: 101 });
    expect(await upgradeStatus(relay, "/", { Host: "RELAY.example.com" })).toMatchObject({ status: 101 });
    expect(await upgradeStatus(relay, "/", { Host: "[::1]:15670" })).toMatchObject({ status: 101 });
    expect(await upgradeStatus(relay, "/", { Host: "rebound.evil.test" })).toEqual({
      status: 403,
      text: "unknown-host",
    });
  });

  it("is refused when it is none", async () => {
    const { relay } = await startBench();
    const url = `http://127.0.0.1:${relay.address.port}/`;
    const plain = await fetch(url);
    expect([plain.status, plain.headers.get("upgrade")]).toEqual([426, "websocket"]);
    expect((await fetch(url, { method: "POST", body: "x".repeat(100_000) })).status).toBe(426);
    expect(await upgradeStatus(relay, "/", { "Sec-WebSocket-Key": "short" })).toEqual({
      status: 400,
      text: "not-websocket",
    });
    expect(await upgradeStatus(relay, "/", { Upgrade: "h2c" })).toEqual({ status: 400, text: "not-websocket" });
    expect(await upgradeStatus(relay, "/", { Cookie: "x".repeat(20_000) })).toMatchObject({ status: 431 });
    await until(() => relay.connections === 0, "places to be given back");
  });

  it("agrees to amqp091, and to no other subprotocol", async () => {
    const { relay } = await startBench();
    expect((await connect(relay)).socket.protocol).toBe("amqp091");
    const asked = await fetch(`http://127.0.0.1:${relay.address.port}/`);
    expect(asked.headers.get("sec-websocket-protocol")).toBeNull();
    expect(await upgradeStatus(relay, "/", { "Sec-WebSocket-Protocol": "amqp" })).toMatchObject({ status: 101 });
    expect(await upgradeStatus(relay, "/", { "Sec-WebSocket-Protocol": "a b" })).toMatchObject({ status: 400 });
  });

  it("is refused beyond the limits, and the refusals are counted", async () => {
    const bench = await startBench({
      relay: { maxConnections: 3, maxConnectionsPerAddress: 2, trustedProxy: "127.0.0.1" },
    });
    const headers = { "X-Forwarded-For": "192.0.2.1" };
    const clients = [await connect(bench.relay, "/", { headers }), await connect(bench.relay, "/", { headers })];
    expect(await upgradeStatus(bench.relay, "/", headers)).toEqual({ status: 429, text: "too-many-of-address" });
    await connect(bench.relay);
    expect(await upgradeStatus(bench.relay)).toEqual({ status: 503, text: "too-many-connections" });
    clients[0]?.socket.close();
    await until(() => bench.relay.connections === 2, "a place to be given back");
    await connect(bench.relay, "/", { headers });

    const { text } = await admin(bench.relay, "/metrics");
    expect(text).toContain('leveret_relay_refused_upgrades_total{reason="too-many-of-address"} 1');
    expect(text).toContain('leveret_relay_refused_upgrades_total{reason="too-many-connections"} 1');
    expect(text).toContain("leveret_relay_connections 3");
  });

  it("is refused when they come too fast", async () => {
    const { relay, clock } = await startBench({ relay: { maxUpgradesPerSecond: 1 } });
    await connect(relay);
    expect(await upgradeStatus(relay)).toEqual({ status: 429, text: "too-fast" });
    clock.advance(1_000);
    await connect(relay);
  });

  it("must be made in time", async () => {
    const { relay, clock } = await startBench({ relay: { upgradeTimeout: "10s" } });
    const armed = clock.pending;
    const slow = connectTcp(relay.address.port, "127.0.0.1");
    // Where the relay has not read everything yet, the client hears of a reset.
    slow.on("error", (error: NodeJS.ErrnoException) => expect(error.code).toBe("ECONNRESET"));
    slow.write("GET / HTTP/1.1\r\nHost: a\r\n");
    await until(() => clock.pending > armed, "the relay to see the connection");
    clock.advance(9_999);
    expect(clock.pending).toBe(armed + 1);
    clock.advance(1);
    expect(clock.pending).toBe(armed);
    await until(() => slow.closed, "the connection to be cut off");
  });

  it("keeps what was upgraded in time", async () => {
    const { relay, clock } = await startBench({ relay: { upgradeTimeout: "1s", headerTimeout: 0 } });
    const client = await connect(relay);
    clock.advance(5_000);
    client.socket.ping();
    await once(client.socket, "pong");
    expect(client.closed).toBeUndefined();
  });
});

describe("the authentication hook", () => {
  const asks = (answer: Authenticate) => startBench({ relay: { authenticate: answer } });

  it("is told what the client says, and decides", async () => {
    const seen: UpgradeRequest[] = [];
    const { relay, log } = await asks((request) => {
      seen.push(request);
      return request.cookies.get("session") === "good" ? { allow: true, identity: "alice" } : { allow: false };
    });
    expect(await upgradeStatus(relay)).toEqual({ status: 401, text: "unauthenticated" });
    expect(seen.at(-1)).toMatchObject({ protocols: [], origin: undefined });
    const headers = { Cookie: "a=b; bare; session=good; session=second", Origin: "https://a.test" };
    expect(await upgradeStatus(relay, "/x?token=t%20t", headers)).toMatchObject({ status: 403 });

    const client = await connect(relay, "/x?token=t%20t", { headers: { Cookie: headers.Cookie } });
    const request = seen.at(-1);
    expect(request?.path).toBe("/x");
    expect(request?.query.get("token")).toBe("t t");
    expect(request?.protocols).toEqual(["amqp091"]);
    expect([...(request?.cookies ?? [])]).toEqual([
      ["a", "b"],
      ["session", "good"],
    ]);
    await upgradeStatus(relay, "/", { "Sec-WebSocket-Protocol": "amqp091,\ttoken" });
    expect(seen.at(-1)?.protocols).toEqual(["amqp091", "token"]);
    expect(request?.clientAddress).toBe("127.0.0.1");
    expect(log.lines).toContainEqual(
      expect.objectContaining({ message: "connection opened", route: "*", identity: "alice" }),
    );
    client.socket.close();
    await until(() => relay.connections === 0, "places to be given back");
  });

  it("may forbid, fail and reject, and nobody comes in by that", async () => {
    const answers: Authenticate[] = [
      () => ({ allow: false, status: 403 }),
      () => {
        throw new Error("secret-in-an-error");
      },
      () => Promise.reject(new Error("secret-in-an-error")),
      () => undefined as never,
      () => ({ allow: true, lifetime: -1 }),
      () => ({ allow: true, lifetime: Number.NaN }),
      () => ({ allow: "false" }) as never,
    ];
    const { relay, log } = await asks((request) => {
      const answer = answers[Number(request.query.get("n"))];
      return answer === undefined ? { allow: false } : answer(request);
    });
    const statuses = [];
    for (const index of answers.keys()) statuses.push((await upgradeStatus(relay, `/?n=${index}`)).status);
    expect(statuses).toEqual([403, 503, 503, 503, 401, 401, 401]);
    expect(relay.connections).toBe(0);
    expect(JSON.stringify(log.lines)).not.toContain("secret-in-an-error");
  });

  it("has as much time as the upgrade", async () => {
    let signal: AbortSignal | undefined;
    const { relay, clock } = await asks((request) => {
      signal = request.signal;
      return new Promise(() => {});
    });
    const answer = upgradeStatus(relay);
    await until(() => signal !== undefined, "the hook to be asked");
    expect(relay.connections).toBe(1);
    clock.advance(10_000);
    expect(await answer).toEqual({ status: 408, text: "upgrade-timeout" });
    expect(signal?.aborted).toBe(true);
    expect(relay.connections).toBe(0);
  });

  it.each([{ allow: true }, { allow: false }] as const)(
    "is told of one who breaks off, and may answer: %o",
    async (answer) => {
      let decide: ((answer: Allowed | Denied) => void) | undefined;
      let signal: AbortSignal | undefined;
      const { relay, log } = await asks((request) => {
        if (request.path === "/after") return { allow: true };
        signal = request.signal;
        return new Promise((resolve) => {
          decide = resolve;
        });
      });
      const client = connectTcp(relay.address.port, "127.0.0.1");
      const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
      client.write(`GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n`);
      await until(() => decide !== undefined, "the hook to be asked");
      client.resetAndDestroy();
      await until(() => signal?.aborted === true, "the hook to be told");
      await until(() => relay.connections === 0, "its place to be given back");
      decide?.(answer);
      // An error that nobody heard of would have ended the process, and ends this test.
      expect(await upgradeStatus(relay, "/after")).toMatchObject({ status: 101 });
      expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
    },
  );

  it("gives an identity, which is counted, and a lifetime", async () => {
    const { relay, clock, log } = await startBench({
      relay: {
        maxConnectionsPerIdentity: 1,
        maxLifetime: "1h",
        headerTimeout: 0,
        idleTimeout: 0,
        pingInterval: 0,
        authenticate: (request) => ({ allow: true, identity: request.query.get("user") ?? "", lifetime: 60_000 }),
      },
    });
    const client = await connect(relay, "/?user=alice");
    expect(await upgradeStatus(relay, "/?user=alice")).toEqual({ status: 429, text: "too-many-of-identity" });
    const other = await connect(relay, "/?user=bob");
    clock.advance(59_999);
    expect(log.ends).toEqual([]);
    clock.advance(1);
    expect(await client.close()).toMatchObject({ code: 1008 });
    await other.close();
    expect(log.ends).toEqual(["lifetime-over", "lifetime-over"]);
  });

  it.each([
    { lifetime: 60_000, maxLifetime: 0, ends: 60_000 },
    { lifetime: 60_000, maxLifetime: "30s", ends: 30_000 },
    { lifetime: Infinity, maxLifetime: "30s", ends: 30_000 },
    { lifetime: undefined, maxLifetime: "30s", ends: 30_000 },
  ])("gives $lifetime ms, of $maxLifetime at most: $ends", async ({ lifetime, maxLifetime, ends }) => {
    const authenticate: Authenticate = () => ({ allow: true, lifetime });
    const off = { headerTimeout: 0, idleTimeout: 0, pingInterval: 0 };
    const { relay, clock, log } = await startBench({ relay: { ...off, maxLifetime, authenticate } });
    const client = await connect(relay);
    clock.advance(ends - 1);
    expect(log.ends).toEqual([]);
    clock.advance(1);
    expect(await client.close()).toMatchObject({ code: 1008 });
  });
});

describe("the log", () => {
  it("has nothing of a client's that a terminal would obey", async () => {
    const { relay, log } = await startBench({ relay: { origin: "*" } });
    const origin = `https://a\u009b2J\t${"x".repeat(500)}`;
    await upgradeStatus(relay, "/", { Origin: origin });
    await upgradeStatus(relay, "/", { Origin: origin, Upgrade: "h2c" });
    await until(() => log.lines.length >= 3, "both lines");
    const origins = log.lines.filter((line) => "origin" in line).map((line) => line["origin"]);
    expect(origins.length).toBeGreaterThan(1);
    for (const said of origins) expect(said).toBe(`https://a?2J?${"x".repeat(187)}`);
  });

  it("has no query, cookie, header or path that a secret could be in", async () => {
    const bench = await startBench({ relay: { origin: "https://app.example.com" } });
    const headers = {
      Cookie: "session=hidden1",
      Authorization: "Bearer hidden2",
      "Sec-WebSocket-Protocol": "amqp091, hidden3",
    };
    await upgradeStatus(bench.relay, "/hidden4?token=hidden5", headers);
    await upgradeStatus(bench.relay, "/hidden4?token=hidden5", { ...headers, Origin: "https://evil.test" });
    await until(() => bench.log.ends.length === 1, "the connection to be closed");
    expect(bench.log.lines.length).toBeGreaterThan(2);
    expect(JSON.stringify(bench.log.lines)).not.toContain("hidden");
  });
});
