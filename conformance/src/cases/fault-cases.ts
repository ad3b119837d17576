/** A bad network between client and server: nothing hangs, and everybody is told what is known. */

import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

export const faultCases: readonly ConformanceCase[] = [
  {
    name: "everything works one byte at a time",
    needs: ["proxy"],
    timeout: 60_000,
    async run(scene) {
      const proxy = await scene.proxy();
      await proxy.inflict({ oneByteAtATime: true });
      const { channel } = await scene.openThrough(proxy);
      await channel.confirmSelect();
      const queue = await scene.queue(channel);
      const properties = { headers: { a: [1, "two"] }, messageId: "m" };
      await channel.basicPublish({ exchange: "", routingKey: queue, properties, body: bytes("x".repeat(1000)) });
      const got: (string | undefined)[] = [];
      const consumer = await channel.basicConsume({ queue }, (delivery) => void got.push(text(delivery)));
      await scene.until(() => got.length === 1, "the message");
      same(got, ["x".repeat(1000)], "the message");
      await consumer.close();
    },
  },
  {
    name: "calls that were made together are answered over a slow network",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      await proxy.inflict({ delay: 20 });
      const { channel } = await scene.openThrough(proxy);
      const queues = await Promise.all(Array.from({ length: 10 }, () => scene.queue(channel)));
      same(new Set(queues).size, 10, "the queues");
    },
  },
  ...(["cut", "reset"] as const).map(
    (how): ConformanceCase => ({
      name: `a connection that is ${how === "cut" ? "cut" : "reset"} ends every call, consumer and publish, each with what is known of it`,
      needs: ["proxy"],
      async run(scene) {
        const proxy = await scene.proxy();
        const { connection, channel } = await scene.openThrough(proxy);
        await channel.confirmSelect();
        const queue = await scene.queue(channel);
        const consumer = await channel.basicConsume({ queue });
        await proxy.silence("to-client");
        const lost = { name: "ConnectionError", code: "CONNECTION_LOST", outcome: "unknown", retryable: true };
        const all = Promise.all([
          fails(channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("x") }), lost, "a publish"),
          fails(channel.queueDeclare(), lost, "a call"),
          fails(channel.queueDeclare(), { ...lost, outcome: "not-sent" }, "a call that waited for its turn"),
          fails(connection.updateSecret({ newSecret: "s", reason: "r" }), lost, "update-secret"),
          fails(consumer.take(), { ...lost, outcome: "unknown" }, "a consumer"),
          fails(connection.openChannel(), lost, "opening a channel"),
        ]);
        const cancelling = consumer.cancel();
        await scene.until(() => connection.bufferedBytes === 0, "everything to be sent");
        await proxy.break(how);
        await scene.soon(all, "all to end");
        await scene.soon(cancelling, "cancelling to end");
        same(connection.state, "closed", "the state");
        like(await channel.closed, { code: "CONNECTION_LOST" }, "the channel's reason");
        await scene.soon(connection.close(), "closing");
      },
    }),
  ),
  {
    name: "a call that is not answered ends after requestTimeout, and the connection lives on",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection, channel } = await scene.openThrough(proxy, { requestTimeout: 1_500 });
      await proxy.silence("to-client");
      const expected = { name: "ChannelError", code: "REQUEST_TIMEOUT", outcome: "unknown", retryable: true };
      await fails(scene.soon(channel.queueDeclare(), "the timeout"), expected, "the call");
      same(channel.state, "closed", "the channel's state");
      await proxy.speak();
      const other = await connection.openChannel();
      await scene.queue(other);
    },
  },
  {
    name: "closing ends when the server does not answer",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection } = await scene.openThrough(proxy, { closeTimeout: 200 });
      await proxy.silence("to-client");
      await scene.soon(connection.close(), "the end");
      await proxy.speak();
      await scene.until(async () => (await proxy.report()).open === 0, "no connection to be left");
    },
  },
  {
    name: "closing ends when the connection is lost in the middle of it",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection, channel } = await scene.openThrough(proxy);
      await proxy.silence("to-client");
      const closing = Promise.all([channel.close(), connection.close()]);
      await proxy.break("reset");
      await scene.soon(closing, "the end");
      same(connection.state, "closed", "the state");
    },
  },
  {
    name: "bytes that are not AMQP end the connection, and are told as such",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      await proxy.inflict({ corrupt: { direction: "to-client", offset: 0 } });
      const error = await fails(scene.openThrough(proxy), { code: "CONNECT_FAILED" }, "connecting");
      ok(error.message.includes("AMQP"), "it says what is wrong");
    },
  },
  {
    name: "a frame that was damaged ends the connection, with a farewell to the server",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      const { connection, channel } = await scene.openThrough(proxy);
      const offset = connection.counters?.bytesReceived ?? 0;
      // The type of the next frame.
      await proxy.inflict({ corrupt: { direction: "to-client", offset } });
      await fails(channel.queueDeclare(), { code: "PROTOCOL_ERROR", outcome: "unknown" }, "the call");
      like(await connection.closed, { code: "PROTOCOL_ERROR", cause: { replyCode: 501 } }, "the reason");
    },
  },
  {
    name: "a connection that breaks while a large message is published loses it, and knows that",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.proxy();
      await proxy.inflict({ breakAfter: { direction: "to-server", bytes: 100_000, how: "cut" } });
      const { channel } = await scene.openThrough(proxy);
      await channel.confirmSelect();
      const queue = await scene.durableQueue(channel);
      const body = new Uint8Array(1024 * 1024);
      const publishing = channel.basicPublish({ exchange: "", routingKey: queue, body });
      await fails(publishing, { code: "CONNECTION_LOST", outcome: "unknown" }, "the publish");
      const other = await scene.open();
      same(await scene.left(other, queue), [], "messages in the queue");
    },
  },
  {
    name: "messages that were delivered and not settled come again when the connection was lost",
    needs: ["proxy"],
    async run(scene) {
      const other = await scene.open();
      const queue = await scene.durableQueue(other.channel);
      await scene.fill(queue, "a", "b", "c");
      const proxy = await scene.proxy();
      const { connection, channel } = await scene.openThrough(proxy);
      const consumer = await channel.basicConsume({ queue });
      const first = await consumer.take();
      first?.ack();
      await scene.until(() => connection.bufferedBytes === 0, "the acknowledgement to leave");
      await channel.queueDeclare({ queue, passive: true });
      await proxy.break("reset");
      like(
        await scene.soon(consumer.ended, "the end"),
        { type: "lost", error: { code: "CONNECTION_LOST" } },
        "the end",
      );
      await scene.until(async () => (await scene.messageCount(other.channel, queue)) === 2, "both to be back");
      const again = await other.channel.basicGet({ queue, noAck: true });
      same([text(again), again?.redelivered], ["b", true], "the first of them");
    },
  },
];
