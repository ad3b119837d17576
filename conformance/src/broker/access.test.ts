import { describe, expect, it } from "vitest";
import { Broker } from "./broker.ts";
import type { BrokerOptions } from "./options.ts";
import { type ClientOptions, type TestClient, World } from "./testing/client.ts";

const limited = {
  password: "secret",
  permissions: { "/": { configure: /^mine/, write: /^(mine|amq\.default$)/, read: /^mine/ } },
};

function worldOf(options: BrokerOptions = {}): World {
  return new World(new Broker({ users: { guest: { password: "guest" }, u1: limited }, ...options }));
}

/** What a client hears on a new channel for one method. */
function answer(client: TestClient, channel: number, say: () => void): string | undefined {
  client.send(channel, "channel.open", {});
  client.heard();
  say();
  return client.heard()[0];
}

describe("permissions", () => {
  it("are regular expressions over names, for each right", () => {
    const world = worldOf();
    const client = world.client({ user: "u1", password: "secret" });
    const say = (channel: number, send: () => void): string | undefined => answer(client, channel, send);
    const refused = (what: string, method: string, channel: number): string =>
      `${channel} channel.close 403 "ACCESS_REFUSED - access to ${what} in vhost '/' refused for user 'u1'" (${method})`;

    expect(say(2, () => client.send(2, "queue.declare", { queue: "mine.q" }))).toMatch(/declare-ok/);
    expect(say(3, () => client.send(3, "queue.declare", { queue: "other" }))).toBe(
      refused("queue 'other'", "queue.declare", 3),
    );
    expect(say(4, () => client.send(4, "exchange.declare", { exchange: "x", type: "fanout" }))).toBe(
      refused("exchange 'x'", "exchange.declare", 4),
    );
    expect(say(5, () => client.publish("mine.q", ["x"], { channel: 5 }))).toBeUndefined();
    expect(say(6, () => client.publish("k", ["x"], { channel: 6, exchange: "amq.topic" }))).toBe(
      refused("exchange 'amq.topic'", "basic.publish", 6),
    );
    expect(say(7, () => client.send(7, "basic.consume", { queue: "other", consumerTag: "t" }))).toBe(
      refused("queue 'other'", "basic.consume", 7),
    );
    expect(say(8, () => client.send(8, "queue.bind", { queue: "mine.q", exchange: "amq.topic", routingKey: "" }))).toBe(
      refused("exchange 'amq.topic'", "queue.bind", 8),
    );
    const graves = { "x-dead-letter-exchange": "amq.topic" };
    expect(say(9, () => client.send(9, "queue.declare", { queue: "mine.d", arguments: graves }))).toBe(
      refused("exchange 'amq.topic'", "queue.declare", 9),
    );
    expect(say(10, () => client.send(10, "queue.purge", { queue: "mine.q" }))).toBe("10 queue.purge-ok messageCount=1");
  });

  it("are needed to delete what somebody else has declared", () => {
    const world = worldOf();
    const owner = world.client();
    owner.send(1, "exchange.declare", { exchange: "x", type: "fanout" });
    owner.send(1, "queue.declare", { queue: "q" });
    const client = world.client({ user: "u1", password: "secret" });
    const refusal = /403 "ACCESS_REFUSED - access to (exchange 'x'|queue 'q') in vhost '\/' refused for user 'u1'"/;
    expect(answer(client, 2, () => client.send(2, "exchange.delete", { exchange: "x" }))).toMatch(refusal);
    expect(answer(client, 3, () => client.send(3, "queue.delete", { queue: "q" }))).toMatch(refusal);
    expect(world.broker.exchanges().some(({ name }) => name === "x")).toBe(true);
    expect(world.broker.queue("q")).toBeDefined();
  });

  it("are needed for passive declares where the version wants that", () => {
    const outcomes = (["4.0", "4.3"] as const).map((profile) => {
      const world = worldOf({ profile });
      world.client().send(1, "queue.declare", { queue: "other", durable: true });
      const client = world.client({ user: "u1", password: "secret" });
      client.send(1, "queue.declare", { queue: "other", passive: true });
      return client.heard()[0]?.slice(0, 19);
    });
    expect(outcomes).toEqual(["1 queue.declare-ok ", "1 channel.close 403"]);
  });

  it("decide about virtual hosts", () => {
    const world = worldOf({ virtualHosts: ["/", "v2"] });
    const client = world.stranger();
    client.login({ user: "u1", password: "secret", virtualHost: "v2" });
    expect(client.heard().at(-1)).toBe(
      `0 connection.close 530 "NOT_ALLOWED - access to vhost 'v2' refused for user 'u1'" (connection.open)`,
    );
    expect(world.client({ virtualHost: "v2" }).connection.virtualHostName).toBe("v2");
  });

  it("are matched without being changed by the match", () => {
    const world = worldOf({ users: { u: { password: "p", permissions: { "/": { read: /q/g } } } } });
    const client = world.client({ user: "u", password: "p" });
    client.send(1, "queue.declare", { queue: "q" });
    client.heard();
    for (let count = 0; count < 3; count += 1) client.send(1, "basic.get", { queue: "q" });
    expect(client.heard()).toEqual(["1 basic.get-empty", "1 basic.get-empty", "1 basic.get-empty"]);
  });
});

describe("login", () => {
  function say(world: World, mechanism: string, response: Uint8Array, options: ClientOptions = {}): TestClient {
    const client = world.stranger(options);
    client.bytes(Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1));
    client.send(0, "connection.start-ok", {
      clientProperties: { capabilities: { authentication_failure_close: true } },
      mechanism,
      response,
      locale: "en_US",
    });
    return client;
  }
  const nothing = new Uint8Array(0);

  it("works by ANONYMOUS where that is offered, and by EXTERNAL where the transport vouches", () => {
    expect(say(worldOf(), "ANONYMOUS", nothing).connection.userName).toBe("guest");
    expect(say(worldOf({ profile: "3.10" }), "ANONYMOUS", nothing).connection.userName).toBeUndefined();
    const world = worldOf({ mechanisms: ["EXTERNAL"] });
    expect(say(world, "EXTERNAL", nothing, { peer: { peerName: "u1" } }).connection.userName).toBe("u1");
    expect(say(world, "EXTERNAL", nothing).heard().at(-1)).toMatch(/403 "ACCESS_REFUSED - Login was refused/);
  });

  it("works in two steps", () => {
    const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
    const world = worldOf({ mechanisms: ["RABBIT-CR-DEMO"] });
    const client = say(world, "RABBIT-CR-DEMO", ascii("u1"));
    expect(client.heard().at(-1)).toMatch(/^0 connection.secure/);
    client.send(0, "connection.secure-ok", { response: ascii("My password is secret") });
    expect(client.connection.userName).toBe("u1");
  });

  it("is from this machine only, for a user who may not come from elsewhere", () => {
    const users = { guest: { password: "guest", loopbackOnly: true } };
    const world = worldOf({ users });
    const response = new TextEncoder().encode("\0guest\0guest");
    expect(say(world, "PLAIN", response).connection.userName).toBe("guest");
    const far = say(world, "PLAIN", response, { peer: { isLoopback: false } });
    expect(far.heard().at(-1)).toMatch(/403 "ACCESS_REFUSED/);
  });

  it("is refused when there are too many connections", () => {
    const world = worldOf({ limits: { maxConnections: 1 } });
    world.client();
    const second = world.stranger();
    second.login();
    expect(second.heard().at(-1)).toMatch(
      /530 "NOT_ALLOWED - connection refused: node connection limit \(1\) is reached/,
    );
  });
});

describe("options that make no sense", () => {
  it("are refused", () => {
    expect(() => new Broker({ profile: "5" as "4.0" })).toThrow(/profile is one of 3.10, 4.0, 4.3/);
    expect(() => new Broker({ limits: { maxConnections: 0 } })).toThrow(
      /limits.maxConnections is a number of at least 1/,
    );
    expect(() => new Broker({ tuning: { heartbeat: -1 } })).toThrow(/tuning.heartbeat/);
  });
});

describe("a message that is too large", () => {
  it("ends the channel, and its body is not kept", () => {
    const world = worldOf({ limits: { maxMessageSize: 10 } });
    const client = world.client();
    client.send(1, "queue.declare", { queue: "q" });
    client.publish("q", ["1234567890"]);
    client.heard();
    expect(world.broker.queue("q")?.messages).toHaveLength(1);
    client.publish("q", ["12345678901"]);
    expect(client.heard()).toEqual([
      '1 channel.close 406 "PRECONDITION_FAILED - message size 11 is larger than configured max size 10" (basic.publish)',
    ]);
  });

  it("has headers that fit no frame of a consumer: that consumer's connection ends, the message does not", () => {
    const world = worldOf({ profile: "3.10" });
    const publisher = world.client();
    const consumer = world.client({ frameMax: 4096 });
    consumer.send(1, "queue.declare", { queue: "q" });
    consumer.send(1, "basic.consume", { queue: "q", consumerTag: "t" });
    consumer.heard();
    publisher.publish("q", ["x"], { properties: { headers: { long: "h".repeat(5000) } } });
    expect(consumer.heard().at(-1)).toMatch(/^0 connection.close 541/);
    expect(world.broker.queue("q")?.messageCount).toBe(1);
  });
});
