/** Remote calls: a client, a server, and everything that can come between them. */

import {
  type Connection,
  decodeText,
  encodeText,
  openRpcClient,
  openRpcServer,
  replyWith,
  type RpcClient,
  type RpcClientOptions,
  RpcError,
  type RpcHandler,
  type RpcServer,
  type RpcServerOptions,
} from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { outage, recovering } from "./outages.ts";
import { bytes, type Scene, text } from "./scene.ts";

type Bytes = Uint8Array;

/** The ways that replies come, by name. */
const ways: Readonly<Record<string, (scene: Scene) => RpcClientOptions<Bytes, Bytes>["replyTo"]>> = {
  "direct reply-to": () => "direct",
  "a queue that the server names": () => ({ exclusive: true }),
  "a named queue": (scene) => ({ queue: scene.name("replies"), exclusive: true }),
};

/** Answers with the text of the request, in capitals. */
const capitals: RpcHandler<Bytes, Bytes> = (body) => encodeText(decodeText(body).toUpperCase());

interface Calling {
  readonly connection: Connection;
  readonly queue: string;
  readonly client: RpcClient;
  readonly server: RpcServer;
}

/** A client and a server, each on a connection of its own. */
async function calling(
  scene: Scene,
  handler: RpcHandler<Bytes, Bytes>,
  clientOptions: RpcClientOptions<Bytes, Bytes> = {},
  serverOptions: Partial<RpcServerOptions<Bytes, Bytes>> = {},
): Promise<Calling> {
  const { connection, channel } = await scene.open();
  const queue = await scene.queue(channel);
  const server = await openRpcServer(connection, { queue, ...serverOptions }, handler);
  const client = await openRpcClient(await scene.connect(), { routingKey: queue, ...clientOptions });
  return { connection, queue, client, server };
}

/** Rejects with the signal's reason when it aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
    if (signal.aborted) reject(signal.reason as Error);
  });
}

/** A promise, and what resolves it. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

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
      const late = fails(client.call(bytes("a")), { name: "TimeoutError", outcome: "unknown" }, "the call");
      let expiration: string | undefined;
      await scene.until(async () => {
        const message = await channel.basicGet({ queue });
        expiration = message?.properties.expiration;
        message?.nack();
        return message !== undefined;
      }, "the request");
      same(expiration, "300", "its time to live");
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
      same(await scene.messageCount(channel, queue), 0, "messages in the queue");
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
        const { passed, open } = gate();
        let begun = 0;
        await openRpcServer(await scene.connect(), { queue }, async (body, request) => {
          begun += 1;
          if (decodeText(body) === "slow") await passed;
          return capitals(body, request);
        });
        const client = await openRpcClient(all.connection, { routingKey: queue, replyTo });
        const lost = fails(client.call(bytes("slow")), { name: "ConnectionError", outcome: "unknown" }, "the call");
        await scene.until(() => begun === 1, "the request at the server");
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
      const { passed, open } = gate();
      let begun = 0;
      await openRpcServer(await scene.connect(), { queue }, async (body, request) => {
        begun += 1;
        await passed;
        return capitals(body, request);
      });
      const client = await openRpcClient(all.connection, { routingKey: queue, replyTo: { queue: replies } });
      const call = client.call(bytes("patience"));
      await scene.until(() => begun === 1, "the request at the server");
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
      const { passed, open } = gate();
      let begun = 0;
      const server = await openRpcServer(all.connection, { queue }, async (body, request) => {
        begun += 1;
        if (begun === 1) await passed;
        return capitals(body, request);
      });
      const client = await openRpcClient(await scene.connect(), { routingKey: queue });
      const call = client.call(bytes("once"));
      await scene.until(() => begun === 1, "the request at the server");
      await outage(scene, all);
      same(text(await scene.soon(call, "the reply")), "ONCE", "the reply");
      open();
      await scene.until(() => client.lateReplies === 1, "the second reply, of the first handler");
      await server.close();
      same(await scene.messageCount(all.onlooker, queue), 0, "messages in the queue");
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
