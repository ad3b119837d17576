/** Connecting: who, where, and what is agreed on. */

import { amqplain, type ConnectOptions, plain } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { like, ok, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

export const connectCases: readonly ConformanceCase[] = [
  {
    name: "opens a connection, and knows who the server is and what it can do",
    async run(scene) {
      const connection = await scene.connect();
      same(connection.state, "open", "the state");
      same(connection.serverProperties["product"], "RabbitMQ", "the product");
      ok(scene.broker.version.startsWith(String(connection.serverProperties["version"]).slice(0, 3)), "the version");
      like(
        connection.serverCapabilities,
        {
          publisher_confirms: true,
          "basic.nack": true,
          consumer_cancel_notify: true,
          exchange_exchange_bindings: true,
        },
        "the capabilities",
      );
      ok((connection.counters?.framesReceived ?? 0) >= 3, "frames were counted");
      await connection.close();
      same(connection.state, "closed", "the state after close");
      same(await connection.closed, undefined, "the reason");
    },
  },
  {
    name: "takes a URI",
    needs: ["tcp"],
    async run(scene) {
      const { host, port, username, password, virtualHost } = scene.broker;
      const credentials = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
      const uri = `amqp://${credentials}@${host}:${port}/${encodeURIComponent(virtualHost)}?heartbeat=33`;
      const connection = await scene.connectWith(uri);
      same(connection.negotiated.heartbeat, 33, "the heartbeat");
    },
  },
  {
    name: "agrees on the smaller channel-max and frame-max",
    async run(scene) {
      const { negotiated } = await scene.connect({ channelMax: 17, frameMax: 9000 });
      like(negotiated, { channelMax: 17, frameMax: 9000, mechanism: "PLAIN" }, "what was negotiated");
    },
  },
  {
    name: "lets the client's heartbeat win, zero and a function included",
    async run(scene) {
      for (const [heartbeat, expected] of [
        [7, 7],
        [0, 0],
        [(proposed: number) => Math.min(proposed, 9), 9],
      ] as const) {
        const { negotiated } = await scene.connect({ heartbeat });
        same(negotiated.heartbeat, expected, "the heartbeat");
      }
    },
  },
  {
    name: "logs in with AMQPLAIN, and with the first mechanism that both have",
    async run(scene) {
      const { username, password } = scene.broker;
      const unknown = { name: "NOBODY-HAS-THIS", start: () => new Uint8Array(0) };
      for (const [mechanisms, expected] of [
        [[amqplain(username, password)], "AMQPLAIN"],
        [[unknown, amqplain(username, password), plain(username, password)], "AMQPLAIN"],
        [[plain(username, password), amqplain(username, password)], "PLAIN"],
      ] as const) {
        const { negotiated } = await scene.connect({ credentials: mechanisms });
        same(negotiated.mechanism, expected, "the mechanism");
      }
    },
  },
  {
    name: "asks a function for credentials before every attempt",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      await proxy.inflict({ breakAfter: { direction: "to-client", bytes: 20, how: "cut" } });
      const { username, password } = scene.broker;
      let asked = 0;
      const connecting = scene.connect({
        ...proxy.address,
        connectionAttempts: 50,
        retryDelay: 20,
        credentials: async () => {
          asked += 1;
          if (asked === 3) await proxy.inflict({});
          return { username, password };
        },
      });
      const connection = await scene.soon(connecting, "the third attempt to succeed");
      same(asked, 3, "how often it was asked");
      same(connection.state, "open", "the state");
    },
  },
  {
    name: "goes on to the next endpoint when a port refuses, and when a name does not exist",
    needs: ["tcp", "proxy"],
    async run(scene) {
      const dead = await scene.proxy();
      const { host = "", port = 0 } = dead.address;
      await dead.close();
      const { host: alive, port: alivePort } = scene.broker;
      const connection = await scene.connect({
        endpoints: [
          { host: "no-such-host.invalid", port: 5672 },
          { host, port },
          { host: alive, port: alivePort },
        ],
      });
      same(connection.state, "open", "the state");
    },
  },
  {
    name: "asks a function for endpoints before every round",
    needs: ["tcp"],
    async run(scene) {
      const { host, port } = scene.broker;
      const rounds: ConnectOptions["endpoints"][] = [];
      const endpoints = () => {
        rounds.push(undefined);
        return rounds.length < 3 ? [{ host: "no-such-host.invalid" }] : [{ host, port }];
      };
      await scene.connect({ endpoints, connectionAttempts: 5, retryDelay: 10 });
      same(rounds.length, 3, "the rounds");
    },
  },
  {
    name: "works without any timeout",
    async run(scene) {
      const options = { connectTimeout: 0, openTimeout: 0, requestTimeout: 0, closeTimeout: 0 };
      const { channel } = await scene.open(options);
      await scene.queue(channel);
    },
  },
  {
    name: "tells a tap of every frame",
    async run(scene) {
      const seen: string[] = [];
      const { channel } = await scene.open({
        tap: ({ direction, type, method }) => seen.push(`${direction} ${method ?? type}`),
      });
      const queue = await scene.queue(channel);
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("seen") });
      same(text(await channel.basicGet({ queue, noAck: true })), "seen", "the message");
      same(
        seen.slice(0, 8),
        [
          "in connection.start",
          "out connection.start-ok",
          "in connection.tune",
          "out connection.tune-ok",
          "out connection.open",
          "in connection.open-ok",
          "out channel.open",
          "in channel.open-ok",
        ],
        "the handshake",
      );
      same(
        seen.slice(-7),
        ["out basic.publish", "out header", "out body", "out basic.get", "in basic.get-ok", "in header", "in body"],
        "a message",
      );
    },
  },
];
