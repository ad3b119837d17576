/** The relay in front of RabbitMQ: with our client, with somebody else's, over TLS, and with the client's address. */

import { readFileSync } from "node:fs";
import { type AMQPMessage, AMQPWebSocketClient } from "@cloudamqp/amqp-client";
import { type Connection, type ConnectOptions, connect as connectWith } from "@leveret/core/client";
import { webSocketIo } from "@leveret/websocket";
import { type RelayOptions, silentLog, startRelay } from "@leveret/websocket/relay";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { attachRabbitMQ } from "../../../tools/rabbitmq/index.ts";
import { fixtureFile } from "../testing/fixtures.ts";

const rabbitmq = attachRabbitMQ(inject("rabbitmq"));
const { host, port, tlsPort, caFile, username, password } = rabbitmq;
const credentials = { username, password };

/** A relay in front of the broker; gives its URL. */
async function relayed(options: Partial<RelayOptions> = {}): Promise<string> {
  const relay = await startRelay({
    listen: "127.0.0.1:0",
    upstream: `amqp://${host}:${port}`,
    allowNoOrigin: true,
    log: silentLog,
    ...options,
  });
  onTestFinished(() => relay.close());
  return `${options.tlsCert === undefined ? "ws" : "wss"}://localhost:${relay.address.port}/`;
}

/** Connects with the package ws, which can send headers and trust a CA. */
async function connect(options: ConnectOptions, more: ClientOptions = {}): Promise<Connection> {
  class Socket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, more);
    }
  }
  const connection = await connectWith(webSocketIo({ WebSocket: Socket }), { credentials, ...options });
  onTestFinished(() => connection.close());
  return connection;
}

/** Publishes bodies of many sizes, and expects to consume them as they were. */
async function roundTrip(connection: Connection): Promise<void> {
  const channel = await connection.openChannel();
  const { queue } = await channel.queueDeclare({ queue: "", exclusive: true });
  const bodies = [0, 1, 100, 70_000, 300_000, 2_000_000].map((size) => new Uint8Array(size).fill(size % 251));
  const publisher = await connection.openPublisher({ routingKey: queue });
  for (const body of bodies) if (!publisher.send(body)) await publisher.ready();
  await publisher.flush();

  const received: Uint8Array[] = [];
  for await (const delivery of await channel.basicConsume({ queue })) {
    received.push(delivery.body);
    delivery.ack();
    if (received.length === bodies.length) break;
  }
  expect(received.map(({ length }) => length)).toEqual(bodies.map(({ length }) => length));
  expect(received.every((body, index) => Buffer.compare(body, bodies[index] as Uint8Array) === 0)).toBe(true);
}

describe("the relay in front of RabbitMQ", () => {
  it("serves our client, on the runtime's WebSocket", async () => {
    const connection = await connectWith(webSocketIo(), { uri: await relayed(), credentials });
    onTestFinished(() => connection.close());
    await roundTrip(connection);
  });

  it("serves our client with TLS on both sides", async () => {
    const url = await relayed({
      upstream: `amqps://${host}:${tlsPort}`,
      upstreamCa: caFile,
      tlsCert: fixtureFile("server.pem"),
      tlsKey: fixtureFile("server.key.pem"),
    });
    await roundTrip(await connect({ uri: url }, { ca: readFileSync(fixtureFile("authority.pem")) }));
  });

  it("serves somebody else's client", async () => {
    const client = new AMQPWebSocketClient({ url: await relayed(), ...credentials });
    const channel = await (await client.connect()).channel();
    await channel.confirmSelect();
    const { name: queue } = await channel.queueDeclare("", { exclusive: true });
    const sizes = [0, 1, 100, 70_000, 300_000];
    for (const size of sizes) await channel.basicPublish("", queue, new Uint8Array(size).fill(7));

    const received: number[] = [];
    await new Promise<void>((resolve, reject) => {
      const take = (message: AMQPMessage): void => {
        received.push(message.bodySize);
        if (received.length === sizes.length) resolve();
      };
      channel.basicConsume(queue, { noAck: true }, take).catch(reject);
    });
    expect(received).toEqual(sizes);
    await client.close();
  });

  it("passes on what the broker says at the end of a connection", async () => {
    const connection = await connect({
      uri: await relayed(),
      credentials: { username: "nobody", password: "wrong" },
    }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(connection).toMatchObject({ code: "AUTHENTICATION_FAILED" });
  });

  it("keeps a connection alive whose timers do not fire, as in a page in the background", async () => {
    const io = { ...webSocketIo(), setTimer: () => () => {} };
    const connection = await connectWith(io, { uri: await relayed(), credentials, heartbeat: 2 });
    onTestFinished(() => connection.close());
    const before = connection.counters?.framesReceived ?? 0;
    // The broker sends one a second, and gives up on a peer that is silent for two intervals.
    const heard = () => (connection.counters?.framesReceived ?? 0) - before;
    await expect.poll(heard, { timeout: 20_000 }).toBeGreaterThanOrEqual(8);
    expect(connection.state).toBe("open");
  });

  const named = "tells the broker the client's address, with and without TLS";
  // Each command to the broker starts a virtual machine.
  it.runIf(rabbitmq.folder !== undefined)(named, { timeout: 120_000 }, async () => {
    await rabbitmq.ctl("eval", "application:set_env(rabbit, proxy_protocol, true).");
    onTestFinished(async () => {
      await rabbitmq.ctl("eval", "application:set_env(rabbit, proxy_protocol, false).");
    });
    const trust = { proxyProtocol: true, trustedProxy: "127.0.0.0/8" };
    const from = (address: string): ClientOptions => ({ headers: { "X-Forwarded-For": address } });
    const plain = await relayed(trust);
    await roundTrip(await connect({ uri: plain }, from("192.0.2.33:4711")));
    await connect({ uri: plain }, from("2001:db8::77"));
    const secured = await relayed({
      ...trust,
      upstream: `amqps://${host}:${tlsPort}`,
      upstreamCa: caFile,
      tlsCert: fixtureFile("server.pem"),
      tlsKey: fixtureFile("server.key.pem"),
    });
    const ca = readFileSync(fixtureFile("authority.pem"));
    await roundTrip(await connect({ uri: secured }, { ca, ...from("198.51.100.5:80") }));

    const listed = await rabbitmq.ctl("list_connections", "peer_host", "peer_port");
    expect(listed).toContain("192.0.2.33\t4711");
    expect(listed).toContain("2001:db8::77\t0");
    expect(listed).toContain("198.51.100.5\t80");
  });
});
