/** Remote calls, as the client sees them: their replies, errors, deadlines and limits. */

import {
  decodeText,
  encodeText,
  openRpcClient,
  openRpcServer,
  type RpcClientOptions,
  RpcError,
  type RpcHandler,
} from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, ok, same } from "./expect.ts";
import { gate } from "./gate.ts";
import { calling, capitals, type Bytes } from "./rpc-scene.ts";
import { bytes, type Scene, text } from "./scene.ts";

/** The ways that replies come, by name. */
const ways: Readonly<Record<string, (scene: Scene) => RpcClientOptions<Bytes, Bytes>["replyTo"]>> = {
  "direct reply-to": () => "direct",
  "a queue that the server names": () => ({ exclusive: true }),
  "a named queue": (scene) => ({ queue: scene.name("replies"), exclusive: true }),
};

export const rpcCases: readonly ConformanceCase[] = [
  ...Object.entries(ways).map(
    ([way, replyTo]): ConformanceCase => ({
      name: `over ${way}: two hundred calls at a time get their own replies, whatever the order`,
      async run(scene) {
        const waiting: (() => void)[] = [];
        const handler: RpcHandler<Bytes, Bytes> = async (body, request) => {
          // Every second request is answered after the one behind it.
          if (waiting.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
          else waiting.pop()?.();
          return capitals(body, request);
        };
        const { client, server } = await calling(scene, handler, { replyTo: replyTo(scene) });
        const requests = Array.from({ length: 200 }, (_, index) => `request ${index}`);
        const calls = requests.map((request) => client.call(bytes(request)));
        same(client.pending, 200, "calls under way");
        const replies = await scene.soon(Promise.all(calls), "all replies");
        same(
          replies.map(text),
          requests.map((request) => request.toUpperCase()),
          "the replies",
        );
        same([client.pending, client.lateReplies], [0, 0], "what is left");
        await scene.until(() => server.counters.answered === 200, "the server to know that all were answered");
        same(server.counters.failed, 0, "errors");
      },
    }),
  ),
  {
    name: "an RpcError of the handler reaches the caller by its code and its message",
    async run(scene) {
      const { client, server } = await calling(scene, (body) => {
        throw new RpcError("NOT_FOUND", `there is no ${decodeText(body)}`, { cause: new Error("a secret") });
      });
      const expected = { name: "RpcError", code: "RPC_FAILED", remoteCode: "NOT_FOUND", message: "there is no hare" };
      const error = await scene.soon(fails(client.call(bytes("hare")), expected, "the call"), "the answer");
      ok(error instanceof RpcError && error.cause === undefined, "nothing of the cause");
      await scene.until(() => server.counters.failed === 1, "the count");
    },
  },
  {
    name: "any other error of the handler stays at the server, which says that there was one",
    async run(scene) {
      const reported: unknown[] = [];
      const problem = new Error("password 1234 is wrong");
      const { client, connection } = await calling(scene, () => Promise.reject(problem));
      connection.on("callback-error", ({ error }) => reported.push(error));
      const error = await fails(
        client.call(bytes("a")),
        { name: "RpcError", remoteCode: "INTERNAL_ERROR" },
        "the call",
      );
      ok(!error.message.includes("1234") && error.stack?.includes("1234") !== true, "nothing of the error is told");
      same(reported, [problem], "what is reported");
    },
  },
  {
    name: "describeError says what callers are told of an error",
    async run(scene) {
      const describeError = (error: unknown): RpcError | undefined =>
        error instanceof RangeError ? new RpcError("BAD_NUMBER", error.message) : undefined;
      const { client } = await calling(
        scene,
        () => {
          throw new RangeError("not so many");
        },
        {},
        { describeError },
      );
      await fails(client.call(bytes("a")), { remoteCode: "BAD_NUMBER", message: "not so many" }, "the call");
    },
  },
  {
    name: "a call that no queue takes fails at once",
    async run(scene) {
      const client = await openRpcClient(await scene.connect(), { routingKey: scene.name("nowhere") });
      const expected = { name: "UnroutableError", outcome: "refused", replyCode: 312 };
      await scene.soon(fails(client.call(bytes("a"), { timeout: 60_000 }), expected, "the call"), "the refusal");
      same(client.pending, 0, "calls under way");
    },
  },
  {
    name: "a call has a deadline, by which the broker drops the request as well",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      const client = await openRpcClient(connection, { routingKey: queue, timeout: 300 });
      const consumer = await channel.basicConsume({ queue, prefetch: 1 });
      const late = fails(client.call(bytes("a")), { name: "TimeoutError", outcome: "unknown" }, "the call");
      const request = await scene.soon(consumer.take(), "the request");
      same(request?.properties.expiration, "300", "its time to live");
      await consumer.cancel();
      request?.nack();
      await scene.soon(late, "the deadline");
      await scene.until(async () => (await scene.messageCount(channel, queue)) === 0, "the request to be gone");
      same(client.pending, 0, "calls under way");
    },
  },
  {
    name: "a reply that comes too late is dropped, and counted",
    async run(scene) {
      const { passed, open } = gate();
      const { client } = await calling(scene, async (body) => {
        if (decodeText(body) === "slow") await passed;
        return body;
      });
      await fails(client.call(bytes("slow"), { timeout: 100 }), { code: "TIMEOUT" }, "the slow call");
      same(text(await client.call(bytes("quick"))), "quick", "another call");
      open();
      await scene.until(() => client.lateReplies === 1, "the late reply");
    },
  },
  {
    name: "a call is aborted before it is sent, or while it waits",
    async run(scene) {
      const { passed, open } = gate();
      const handled: string[] = [];
      const { client } = await calling(scene, async (body) => {
        handled.push(decodeText(body));
        await passed;
        return body;
      });
      const aborted = AbortSignal.abort("too late");
      const before = { name: "AbortError", outcome: "not-sent", cause: "too late" };
      await fails(client.call(bytes("a"), { signal: aborted }), before, "the first call");
      const controller = new AbortController();
      const call = client.call(bytes("b"), { signal: controller.signal });
      await scene.until(() => handled.length === 1, "the request at the server");
      controller.abort("not any more");
      await fails(call, { name: "AbortError", outcome: "unknown", cause: "not any more" }, "the second call");
      same(handled, ["b"], "what the server got");
      open();
    },
  },
  {
    name: "no more calls are under way than agreed",
    async run(scene) {
      const { passed, open } = gate();
      const handler: RpcHandler<Bytes, Bytes> = async (body) => {
        await passed;
        return body;
      };
      const { client } = await calling(scene, handler, { maxCalls: 2 });
      const calls = [client.call(bytes("a")), client.call(bytes("b"))];
      const expected = { name: "UsageError", code: "LIMIT_REACHED", retryable: true };
      await fails(client.call(bytes("c")), expected, "the third call");
      open();
      same((await scene.soon(Promise.all(calls), "the replies")).map(text), ["a", "b"], "the replies");
      await client.call(bytes("c"));
    },
  },
  {
    name: "what makes no sense is refused at the call",
    async run(scene) {
      const connection = await scene.connect();
      const refused = { name: "UsageError", code: "INVALID_ARGUMENT", outcome: "not-sent" };
      await fails(openRpcClient(connection, { timeout: -1 }), refused, "a negative timeout");
      await fails(openRpcClient(connection, { maxCalls: 0 }), refused, "no calls at all");
      await fails(openRpcClient(connection, { replyTo: "queue" as never }), refused, "another word");
      await fails(openRpcClient(connection, { replyCodec: {} as never }), refused, "no codec");
      await fails(openRpcClient({} as never), refused, "no connection");
      await fails(openRpcServer(connection, { queue: "q" }, "handler" as never), refused, "no handler");
      const client = await openRpcClient(connection);
      await fails(client.call(bytes("a"), { timeout: Number.NaN }), refused, "a timeout that is no number");
      await fails(client.call("text" as never, { routingKey: "q" }), refused, "a text");
      await fails(client.call(bytes("a"), { routingKey: "k".repeat(256) }), refused, "a long routing key");
      same(client.pending, 0, "calls under way");
    },
  },
  {
    name: "values of types of the application's go by codecs",
    async run(scene) {
      const numbers = {
        contentType: "text/x-numbers",
        encode: (value: readonly number[]) => encodeText(value.join(" ")),
        decode: (body: Bytes) => decodeText(body).split(" ").map(Number),
      };
      const codecs = { requestCodec: numbers, replyCodec: numbers };
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await openRpcServer(connection, { queue, ...codecs }, (values) => [values.reduce((a, b) => a + b, 0)]);
      const client = await openRpcClient(connection, { routingKey: queue, ...codecs });
      const { value, properties } = await scene.soon(client.call([1, 2, 3]), "the reply");
      same([value, properties.contentType], [[6], "text/x-numbers"], "the reply");
      const raw = await openRpcClient(connection, { routingKey: queue });
      await fails(raw.call(bytes("1 2")), { name: "RpcError", remoteCode: "BAD_REQUEST" }, "a call without a type");
    },
  },
];
