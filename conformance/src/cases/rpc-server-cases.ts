/** Remote calls, as the server sees them: what it takes, answers, and leaves to others. */

import { decodeText, openRpcClient, openRpcServer, replyWith, type RpcHandler } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, same } from "./expect.ts";
import { gate } from "./gate.ts";
import { aborted, calling, capitals, type Bytes } from "./rpc-scene.ts";
import { bytes, text } from "./scene.ts";

export const rpcServerCases: readonly ConformanceCase[] = [
  {
    name: "a server handles so many requests at a time",
    async run(scene) {
      const { passed, open } = gate();
      let running = 0;
      let most = 0;
      const handler: RpcHandler<Bytes, Bytes> = async (body) => {
        running += 1;
        most = Math.max(most, running);
        await passed;
        running -= 1;
        return body;
      };
      const { client } = await calling(scene, handler, {}, { concurrency: 3 });
      const calls = Array.from({ length: 20 }, () => client.call(bytes("a")));
      await scene.until(() => running === 3, "three at a time");
      open();
      await scene.soon(Promise.all(calls), "the replies");
      same(most, 3, "the most at a time");
    },
  },
  {
    name: "a request is acknowledged when its reply is sent: one that was not answered comes again, and says so",
    async run(scene) {
      const redelivered: boolean[] = [];
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      const first = await scene.connect();
      await openRpcServer(first, { queue }, (_, request) => {
        redelivered.push(request.redelivered);
        return new Promise<Bytes>(() => {});
      });
      const client = await openRpcClient(connection, { routingKey: queue });
      const call = client.call(bytes("again"));
      await scene.until(() => redelivered.length === 1, "the request at the first server");
      await first.close();
      const server = await openRpcServer(connection, { queue }, (body, request) => {
        redelivered.push(request.redelivered);
        return body;
      });
      same(text(await scene.soon(call, "the reply")), "again", "the reply");
      same(redelivered, [false, true], "what the servers were told");
      await server.close();
      same(await scene.left({ connection, channel }, queue), [], "messages in the queue");
    },
  },
  {
    name: "a request that wants no reply is handled, and acknowledged",
    async run(scene) {
      const wanted: boolean[] = [];
      const { client, server, queue } = await calling(scene, (body, { wantsReply }) => {
        wanted.push(wantsReply);
        return body;
      });
      const { channel } = await scene.open();
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("news") });
      await scene.until(() => server.counters.unanswered === 1, "the count");
      await client.call(bytes("a"));
      same(wanted, [false, true], "what the handler was told");
    },
  },
  {
    name: "a reply to a queue that is gone is counted, and the request is done",
    async run(scene) {
      const { server, queue } = await calling(scene, capitals);
      const { channel } = await scene.open();
      const properties = { replyTo: scene.name("gone"), correlationId: "1" };
      await channel.basicPublish({ exchange: "", routingKey: queue, properties, body: bytes("a") });
      await scene.until(() => server.counters.unanswered === 1, "the count");
    },
  },
  {
    name: "any client may call the server, and any server may answer the client",
    async run(scene) {
      const { queue } = await calling(scene, capitals);
      const { connection, channel } = await scene.open();
      const got: string[] = [];
      await channel.basicConsume({ queue: "amq.rabbitmq.reply-to", noAck: true }, ({ properties, body }) => {
        got.push(`${properties.correlationId} ${decodeText(body)}`);
      });
      const properties = { replyTo: "amq.rabbitmq.reply-to", correlationId: "7" };
      await channel.basicPublish({ exchange: "", routingKey: queue, properties, body: bytes("raw") });
      await scene.until(() => got.length === 1, "the reply");
      same(got, ["7 RAW"], "the reply");

      const other = await scene.queue(channel);
      const client = await openRpcClient(connection, { routingKey: other });
      const call = client.call(bytes("hello"));
      await channel.basicConsume({ queue: other }, async ({ properties: { replyTo = "", correlationId }, body }) => {
        await channel.basicPublish({
          exchange: "",
          routingKey: replyTo,
          properties: { correlationId, type: "t" },
          body,
        });
      });
      like(await scene.soon(call, "the reply"), { body: bytes("hello"), properties: { type: "t" } }, "the reply");
    },
  },
  {
    name: "a server that is closed answers what it has begun, and leaves the rest to others",
    async run(scene) {
      const { passed, open } = gate();
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      let begun = 0;
      const server = await openRpcServer(connection, { queue, concurrency: 1, prefetch: 10 }, async (body) => {
        begun += 1;
        await passed;
        return body;
      });
      const client = await openRpcClient(connection, { routingKey: queue });
      const first = client.call(bytes("first"));
      const second = client.call(bytes("second"));
      await scene.until(() => begun === 1, "the first request");
      const closing = server.close();
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 1, "the second to go back");
      open();
      same(text(await scene.soon(first, "the first reply")), "first", "the first reply");
      await scene.soon(closing, "the end");
      same((await server.ended).type, "cancelled", "why it ended");
      await openRpcServer(connection, { queue }, capitals);
      same(text(await scene.soon(second, "the second reply")), "SECOND", "the second reply");
    },
  },
  {
    name: "a handler hears by its signal that the caller's time is up",
    async run(scene) {
      const reported: unknown[] = [];
      const reasons: unknown[] = [];
      const { client, server, connection } = await calling(scene, async (body, { signal }) => {
        if (decodeText(body) === "quick") return body;
        await aborted(signal).catch((reason: unknown) => reasons.push(reason));
        throw signal.reason;
      });
      connection.on("callback-error", ({ error }) => reported.push(error));
      same(text(await client.call(bytes("quick"), { timeout: 60_000 })), "quick", "a call that has time");
      await fails(client.call(bytes("slow"), { timeout: 150 }), { name: "TimeoutError" }, "the slow call");
      await scene.until(() => server.counters.failed === 1, "the answer that says so");
      like(reasons[0], { name: "TimeoutError", message: "The caller's time is up" }, "the reason");
      await scene.until(() => client.lateReplies === 1, "the late reply");
      same(reported, [], "what is reported");
    },
  },
  {
    name: "a handler's signal aborts when its server is over, and the request is for another server",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.durableQueue(channel);
      const reasons: string[] = [];
      const waiting: RpcHandler<Bytes, Bytes> = async (_, { signal }) => {
        begun += 1;
        await aborted(signal).catch((reason: unknown) => reasons.push((reason as Error).name));
        throw signal.reason;
      };
      let begun = 0;
      const server = await openRpcServer(connection, { queue }, waiting);
      const client = await openRpcClient(await scene.connect(), { routingKey: queue });
      const call = client.call(bytes("again"), { timeout: 60_000 });
      await scene.until(() => begun === 1, "the request");
      same(reasons, [], "nothing aborts while there is time");
      await scene.soon(server.close({ drain: 50 }), "the end");
      same(reasons, ["ChannelError"], "the reason");
      same(server.counters, { answered: 0, failed: 0, unanswered: 0 }, "what was answered");

      const other = await scene.connect();
      await openRpcServer(other, { queue }, waiting);
      await scene.until(() => begun === 2, "the request at another server");
      await other.close();
      await scene.until(() => reasons.length === 2, "its abort");
      await openRpcServer(connection, { queue }, capitals);
      same(text(await scene.soon(call, "the reply")), "AGAIN", "the reply");
    },
  },
  {
    name: "a reply may have properties of its own, beside those of all replies",
    async run(scene) {
      const { client } = await calling(
        scene,
        (body) =>
          decodeText(body) === "plain" ? body : replyWith(body, { type: "special", headers: { "x-version": 2 } }),
        {},
        { properties: { type: "reply", appId: "answers" } },
      );
      const { properties: plain } = await client.call(bytes("plain"));
      like(plain, { type: "reply", appId: "answers" }, "the properties of all");
      const call = client.call(bytes("a"));
      const { value, properties } = await scene.soon(call, "the reply");
      same(decodeText(value), "a", "the value");
      like(properties, { type: "special", appId: "answers", headers: { "x-version": 2 } }, "its own properties");
    },
  },
];
