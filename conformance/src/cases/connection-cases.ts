/** Connections: their channels, their end, and what the server does to them. */

import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { bytes, type Opened, type Scene } from "./scene.ts";

export const connectionCases: readonly ConformanceCase[] = [
  {
    name: "can be closed twice, and when it is closed; what comes afterwards is refused",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const closed: unknown[] = [];
      connection.on("closed", ({ error }) => closed.push(error));
      await Promise.all([connection.close({ replyText: "bye" }), connection.close()]);
      await connection.close();
      same(closed, [undefined], "what the listener heard");
      same(channel.state, "closed", "the channel's state");
      same(await channel.closed, undefined, "the channel's reason");
      const expected = { name: "ConnectionError", code: "CONNECTION_CLOSED", outcome: "not-sent" };
      await fails(connection.openChannel(), expected, "openChannel");
      await fails(connection.updateSecret({ newSecret: "s", reason: "r" }), expected, "updateSecret");
      await fails(channel.queueDeclare(), expected, "queueDeclare");
    },
  },
  {
    name: "is closed at the end of its scope, also when it is closed already",
    async run(scene) {
      const connection = await scene.connect();
      await connection[Symbol.asyncDispose]();
      same(connection.state, "closed", "the state");
      await connection[Symbol.asyncDispose]();
    },
  },
  {
    name: "ends with calls under way: each is told that it may have happened",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const declaring = channel.queueDeclare({ queue: scene.name("queue"), exclusive: true });
      const closing = connection.close();
      await fails(declaring, { name: "ConnectionError", code: "CONNECTION_CLOSED", outcome: "unknown" }, "declaring");
      await closing;
    },
  },
  {
    name: "closes with channels and consumers open",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const consumer = await channel.basicConsume({ queue }, () => {});
      await connection.openChannel();
      await connection.close();
      same(await consumer.ended, { type: "closed" }, "the consumer's end");
    },
  },
  {
    name: "has channels with the lowest free numbers, up to channel-max, and uses numbers again",
    async run(scene) {
      const connection = await scene.connect({ channelMax: 4 });
      const channels = await Promise.all([1, 2, 3].map(() => connection.openChannel()));
      same(
        channels.map(({ number }) => number),
        [1, 2, 3],
        "the numbers",
      );
      const fourth = await connection.openChannel({ number: 4 });
      await fails(connection.openChannel(), { name: "UsageError", code: "LIMIT_REACHED" }, "one too many");
      await channels[1]?.close();
      same((await connection.openChannel()).number, 2, "the number that was free again");
      await fails(connection.openChannel({ number: 4 }), { code: "INVALID_ARGUMENT" }, "a number in use");
      same(fourth.state, "open", "the fourth channel");
      same(connection.channelCount, 4, "the count");
    },
  },
  {
    name: "opens and closes many channels, all at once",
    async run(scene) {
      const connection = await scene.connect();
      for (let round = 0; round < 3; round += 1) {
        const channels = await Promise.all(Array.from({ length: 100 }, () => connection.openChannel()));
        same(new Set(channels.map(({ number }) => number)).size, 100, "different numbers");
        await Promise.all(channels.map((channel) => channel.close()));
      }
      same(connection.channelCount, 0, "channels that are left");
    },
  },
  {
    name: "takes a new secret, several at a time",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const { password } = scene.broker;
      await Promise.all([1, 2, 3].map(() => connection.updateSecret({ newSecret: password, reason: "it expires" })));
      await scene.queue(channel);
    },
  },
  {
    name: "refuses a secret that is none before it is sent",
    async run(scene) {
      const connection = await scene.connect();
      const newSecret = 5 as unknown as string;
      await fails(connection.updateSecret({ newSecret, reason: "r" }), { code: "INVALID_ARGUMENT" }, "updateSecret");
      same(connection.state, "open", "the state");
    },
  },
  {
    name: "closed by the server says so, with its words, and ends everything that waits",
    needs: ["operate"],
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const consumer = await channel.basicConsume({ queue });
      const taking = consumer.take();
      const expected = {
        name: "ConnectionError",
        code: "CONNECTION_CLOSED_BY_SERVER",
        replyCode: 320,
        retryable: true,
      };
      const failing = fails(taking, expected, "what waited for a message");
      await scene.host.closeConnections("closed by a case");
      await scene.soon(failing, "the consumer to hear of it");
      like(await connection.closed, expected, "the reason");
      like(await channel.closed, expected, "the channel's reason");
      like(await consumer.ended, { type: "lost", error: expected }, "the consumer's end");
      await fails(connection.openChannel(), { ...expected, outcome: "not-sent" }, "openChannel");
      await connection.close();
    },
  },
  {
    name: "is told apart as Pika's users do it: closed by the server, a channel's error, any other loss",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection, channel } = await scene.openThrough(proxy);
      await fails(
        channel.queueDeclare({ queue: scene.name("none"), passive: true }),
        { name: "ChannelError", code: "CHANNEL_CLOSED_BY_SERVER" },
        "a channel's error",
      );
      await proxy.break("cut");
      const expected = { name: "ConnectionError", code: "CONNECTION_LOST", retryable: true };
      like(await scene.soon(connection.closed, "the loss"), expected, "a loss");
    },
  },
  {
    name: "blocked is visible, publishes wait, and go on when it is unblocked",
    needs: ["operate"],
    timeout: 40_000,
    run: (scene) =>
      whileBlocked(scene, async ({ connection, channel }) => {
        const heard: string[] = [];
        connection.on("unblocked", () => heard.push("unblocked"));
        const waiting = channel.basicPublish({ exchange: "", routingKey: "nowhere", body: bytes("waits") });
        await fails(
          channel.basicPublish({ exchange: "", routingKey: "nowhere", body: bytes("not for long"), timeout: 50 }),
          { code: "TIMEOUT", outcome: "not-sent" },
          "one with a timeout",
        );
        await scene.host.unblock();
        await scene.soon(waiting, "the message to be confirmed");
        same(connection.blocked, undefined, "the reason afterwards");
        same(heard, ["unblocked"], "what the listener heard");
      }),
  },
  {
    name: "can be closed while it is blocked",
    needs: ["operate"],
    timeout: 40_000,
    run: (scene) =>
      whileBlocked(scene, async ({ connection }) => {
        const started = scene.io.now();
        await connection.close({ timeout: 1000 });
        same(connection.state, "closed", "the state");
        ok(scene.io.now() - started < 5000, "it took no longer than asked for");
      }),
  },
  {
    name: "a loop over a consumer can be left while it is blocked, and the consumer ends when it is not",
    needs: ["operate"],
    timeout: 40_000,
    async run(scene) {
      const opened = await scene.open();
      const other = await opened.connection.openChannel();
      const queue = await scene.queue(other);
      const consumer = await other.basicConsume({ queue });
      await other.basicPublish({ exchange: "", routingKey: queue, body: bytes("taken") });
      for await (const delivery of consumer) {
        await block(scene, opened);
        delivery.ack();
        break;
      }
      same(consumer.state, "cancelling", "the state");
      await scene.host.unblock();
      like(await scene.soon(consumer.ended, "its end"), { type: "cancelled" }, "the end");
      same(await scene.messageCount(other, queue), 0, "messages");
    },
  },
  {
    name: "blocked for longer than blockedTimeout ends",
    needs: ["operate"],
    timeout: 40_000,
    run: (scene) =>
      whileBlocked(
        scene,
        async ({ connection }) => {
          like(
            await scene.soon(connection.closed, "the end"),
            { code: "BLOCKED_TIMEOUT", retryable: true },
            "the reason",
          );
        },
        300,
      ),
  },
  {
    name: "stays alive by heartbeats while nobody uses it",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection } = await scene.openThrough(proxy, { heartbeat: 1 });
      const { framesSent = 0, framesReceived = 0 } = connection.counters ?? {};
      const sent = (): number => (connection.counters?.framesSent ?? 0) - framesSent;
      const received = (): number => (connection.counters?.framesReceived ?? 0) - framesReceived;
      await scene.until(() => sent() >= 4 && received() >= 2, "heartbeats in both directions");
      same(connection.state, "open", "the state");
    },
  },
  {
    name: "ends when the server falls silent",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection, channel } = await scene.openThrough(proxy, { heartbeat: 1 });
      await proxy.silence("to-client");
      const waiting = fails(channel.queueDeclare(), { code: "HEARTBEAT_TIMEOUT", outcome: "unknown" }, "a call");
      like(await scene.soon(connection.closed, "the end"), { code: "HEARTBEAT_TIMEOUT" }, "the reason");
      await waiting;
    },
  },
  {
    name: "survives listeners that throw",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const reports: unknown[] = [];
      connection.on("callback-error", ({ error }) => reports.push(error));
      channel.on("closed", () => {
        throw new Error("a listener of the application");
      });
      await channel.close();
      same(reports.length, 1, "the reports");
      await connection.openChannel();
    },
  },
];

/** Runs with a connection that the server has blocked. */
async function whileBlocked(scene: Scene, run: (opened: Opened) => Promise<void>, blockedTimeout = 0): Promise<void> {
  const opened = await scene.open({ blockedTimeout });
  const reason = await block(scene, opened);
  if (blockedTimeout === 0) same(opened.connection.blocked, reason, "the reason");
  await run(opened);
}

/** Has the server block a connection. Resolves with its reason. */
async function block(scene: Scene, { connection, channel }: Opened): Promise<string | undefined> {
  const heard: string[] = [];
  connection.on("blocked", ({ reason }) => heard.push(reason));
  // Nothing that has to be answered can be asked for once the server has stopped reading.
  await channel.confirmSelect();
  scene.after(() => scene.host.unblock());
  await scene.host.block();
  // RabbitMQ blocks those who publish.
  channel.basicPublish({ exchange: "", routingKey: "nowhere", body: bytes("blocks") }).catch(() => {});
  await scene.until(() => heard.length > 0, "the connection to be blocked");
  return heard[0];
}
