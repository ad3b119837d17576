/** Remote calls that end before their replies: clients, channels, queues and connections that go. */

import { decodeText, openRpcClient, openRpcServer } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, same } from "./expect.ts";
import { outage, recovering } from "./outages.ts";
import { gate } from "./gate.ts";
import { calling, capitals, capitalsAfterAWait, type Bytes } from "./rpc-scene.ts";
import { bytes, text } from "./scene.ts";

export const rpcLossCases: readonly ConformanceCase[] = [
  {
    name: "a client that is closed waits for its replies, so long, and takes no more calls",
    async run(scene) {
      const { passed, open } = gate();
      const { client, queue } = await calling(scene, async (body) => {
        if (decodeText(body) === "never") return new Promise<Bytes>(() => {});
        await passed;
        return body;
      });
      const call = client.call(bytes("a"));
      const closing = client.close();
      await fails(client.call(bytes("b")), { code: "CHANNEL_CLOSED", outcome: "not-sent" }, "a call afterwards");
      open();
      same(text(await scene.soon(call, "the reply")), "a", "the reply");
      await scene.soon(closing, "the end");

      const other = await openRpcClient(await scene.connect(), { routingKey: queue });
      const lost = fails(other.call(bytes("never")), { code: "CHANNEL_CLOSED", outcome: "unknown" }, "the other call");
      await scene.soon(other.close({ drain: 50 }), "the other end");
      await lost;
    },
  },
  {
    name: "a client whose channel the server closed fails its calls, and opens another one",
    async run(scene) {
      const { client } = await calling(scene, capitals);
      const wrong = client.call(bytes("a"), { exchange: scene.name("nowhere") });
      await fails(wrong, { name: "ChannelError", replyCode: 404 }, "a call to an exchange that does not exist");
      same(text(await scene.soon(client.call(bytes("b")), "the next reply")), "B", "the next reply");
    },
  },
  {
    name: "a client whose queue for replies is deleted fails its calls, and makes another one",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      let replyTo = "";
      const server = await openRpcServer(connection, { queue }, (_, { properties }) => {
        replyTo = properties.replyTo ?? "";
        return new Promise<Bytes>(() => {});
      });
      const client = await openRpcClient(connection, { routingKey: queue, replyTo: { exclusive: true } });
      const lost = fails(client.call(bytes("a")), { code: "CHANNEL_CLOSED", outcome: "unknown" }, "the call");
      await scene.until(() => replyTo !== "", "the request");
      await channel.queueDelete({ queue: replyTo });
      await scene.soon(lost, "the end of the call");
      await server.close({ drain: 0 });
      await openRpcServer(connection, { queue }, capitals);
      same(text(await scene.soon(client.call(bytes("b")), "the next reply")), "B", "the next reply");
    },
  },
  ...(["direct", { exclusive: true }] as const).map(
    (replyTo): ConformanceCase => ({
      name: `calls over ${replyTo === "direct" ? "direct reply-to" : "an exclusive queue"} that are under way when the connection is lost end, and later ones wait`,
      needs: ["proxy"],
      async run(scene) {
        const all = await recovering(scene);
        const queue = await scene.durableQueue(all.onlooker);
        const { handler, requests, open } = capitalsAfterAWait();
        await openRpcServer(await scene.connect(), { queue }, handler);
        const client = await openRpcClient(all.connection, { routingKey: queue, replyTo });
        const lost = fails(client.call(bytes("slow")), { name: "ConnectionError", outcome: "unknown" }, "the call");
        await scene.until(() => requests() === 1, "the request at the server");
        await all.proxy.break("cut");
        await scene.soon(lost, "the end of the call");
        await scene.until(() => all.connection.state !== "open", "the loss");
        const later = client.call(bytes("later"));
        same(text(await scene.soon(later, "the later reply")), "LATER", "the later reply");
        open();
        same(client.pending, 0, "calls under way");
      },
    }),
  ),
  {
    name: "a reply in a queue that survives reaches a call that was under way when the connection was lost",
    needs: ["proxy"],
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      const replies = await scene.durableQueue(all.onlooker);
      const { handler, requests, open } = capitalsAfterAWait();
      await openRpcServer(await scene.connect(), { queue }, handler);
      const client = await openRpcClient(all.connection, { routingKey: queue, replyTo: { queue: replies } });
      const call = client.call(bytes("patience"));
      await scene.until(() => requests() === 1, "the request at the server");
      await outage(scene, all);
      open();
      same(text(await scene.soon(call, "the reply")), "PATIENCE", "the reply");
      same(await scene.messageCount(all.onlooker, replies), 0, "replies that are left");
    },
  },
  {
    name: "a server that loses its connection handles again what it had not answered, and the caller hears once",
    needs: ["proxy"],
    async run(scene) {
      const all = await recovering(scene);
      const queue = await scene.durableQueue(all.onlooker);
      const { handler, requests, open } = capitalsAfterAWait();
      const server = await openRpcServer(all.connection, { queue }, handler);
      const client = await openRpcClient(await scene.connect(), { routingKey: queue });
      const call = client.call(bytes("once"));
      await scene.until(() => requests() === 1, "the request at the server");
      await outage(scene, all);
      same(text(await scene.soon(call, "the reply")), "ONCE", "the reply");
      open();
      await scene.until(() => client.lateReplies === 1, "the second reply, of the first handler");
      await server.close();
      same(await scene.left(await scene.open(), queue), [], "messages in the queue");
    },
  },
];
