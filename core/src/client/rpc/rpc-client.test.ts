import { describe, expect, it } from "vitest";
import { done, Future } from "../futures.ts";
import type { OutgoingMessage } from "../instrumentation/hooks.ts";
import { instrument } from "../instrumentation/observer.ts";
import type { ConnectOptions } from "../parameters.ts";
import type { FakeServer, Sent } from "../testing/fake-server.ts";
import { bytes, errorOf, failure, settled, stateOf } from "../testing/fixture.ts";
import { type Recovering, recovering } from "../testing/recovering.ts";
import { openRpcClient, type RpcClient } from "./rpc-client.ts";
import type { RpcClientOptions } from "./rpc-options.ts";
import { openRpcServer } from "./rpc-server.ts";

interface Calling extends Recovering {
  readonly client: RpcClient;
}

async function calling(
  options: RpcClientOptions<Uint8Array, Uint8Array> = {},
  connect: ConnectOptions = {},
  prepare?: (server: FakeServer, number: number) => void,
): Promise<Calling> {
  const fixture = await recovering(connect, prepare);
  const client = await settled(fixture.io, openRpcClient(fixture.connection, { routingKey: "q", ...options }));
  return { ...fixture, client };
}

const requests = (server: FakeServer): Sent[] => server.sentOf("basic.publish");

function reply(server: FakeServer, request: Sent | undefined, text: string): void {
  server.deliver(1, "ctag1.1", [text], { correlationId: request?.properties?.correlationId as string });
}

function mark({ headers }: OutgoingMessage): undefined {
  headers["marked"] = true;
}

const textOf = ({ body }: { body: Uint8Array }): string => new TextDecoder().decode(body);

describe("an option that nobody knows", () => {
  const misspelled = { codec: {} } as object;

  it("is refused by a client, a call and a server, before anything is sent", async () => {
    const { io, server, connection, client } = await calling();
    const before = server().log.length;
    const refused = { code: "INVALID_ARGUMENT", message: expect.stringContaining("codec is not an option") };
    expect(await failure(io, openRpcClient(connection, misspelled))).toMatchObject(refused);
    expect(await failure(io, client.call(bytes("a"), misspelled))).toMatchObject(refused);
    const options = { queue: "q", ...misspelled };
    expect(
      await failure(
        io,
        openRpcServer(connection, options, (request) => request),
      ),
    ).toMatchObject(refused);
    expect(server().log.length).toBe(before);
  });
});

describe("a call", () => {
  it("is answered by a reply that comes before the confirm, or never has one", async () => {
    const { io, server, client } = await calling();
    const calls = [client.call(bytes("a")), client.call(bytes("b"))];
    await io.settle();
    reply(server(), requests(server())[1], "B");
    reply(server(), requests(server())[0], "A");
    expect((await settled(io, Promise.all(calls))).map(textOf)).toEqual(["A", "B"]);
    expect(client.pending).toBe(0);
    server().confirm(1, 2, true);
    await io.settle();
    expect(client.lateReplies).toBe(0);
  });

  it("carries a correlation of its own, where to reply, and how long it may live", async () => {
    const { io, server, client } = await calling({ properties: { type: "sum", headers: { a: 1 } } });
    void client.call(bytes("a"), { timeout: 1500.2, properties: { appId: "shop" } });
    void client.call(bytes("b"), { timeout: Infinity });
    await io.settle();
    const [first, second] = requests(server());
    expect(first).toMatchObject({
      fields: { exchange: "", routingKey: "q", mandatory: true },
      properties: { type: "sum", appId: "shop", replyTo: "amq.rabbitmq.reply-to", expiration: "1501" },
    });
    expect(second?.properties?.expiration).toBeUndefined();
    expect(second?.properties?.correlationId).not.toBe(first?.properties?.correlationId);
  });

  it("leaves with others of the turn in one write", async () => {
    const { io, server, client } = await calling();
    const before = server().stream.writes;
    for (const text of ["a", "b", "c"]) void client.call(bytes(text));
    await io.settle();
    expect(requests(server())).toHaveLength(3);
    expect(server().stream.writes).toBe(before + 1);
  });

  it("leaves at once where the channel is open, and always behind the calls before it", async () => {
    const { io, server, client, connection } = await calling();
    let made = 0;
    const call = (): void => {
      void errorOf(client.call(bytes(String(made))));
      made += 1;
    };
    call();
    expect(connection.bufferedBytes).toBeGreaterThan(0);
    await io.settle();
    server().method(1, "basic.cancel", { consumerTag: "ctag1.1", noWait: true });
    await io.settle();
    const inEveryMicrotask = async (): Promise<void> => {
      for (let count = 0; count < 50; count += 1, await done) call();
    };
    server().on("confirm.select", ({ channel }) => {
      server().method(channel, "confirm.select-ok", {});
      io.post(() => void inEveryMicrotask());
    });
    call();
    call();
    await io.settle();
    expect(requests(server()).map(({ body = bytes("") }) => textOf({ body }))).toEqual(
      Array.from({ length: 53 }, (_, index) => String(index)),
    );
  });

  it("that cannot be encoded rejects, and nothing of it is left", async () => {
    const { io, server, client } = await calling();
    const problems = [
      client.call("text" as never),
      client.call(bytes("a"), { routingKey: "k".repeat(300) }),
      client.call(bytes("a"), { properties: { headers: { CC: "q" as never } } }),
    ].map(errorOf);
    expect(client.pending).toBe(0);
    await io.settle();
    for (const problem of problems) expect(await problem).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(requests(server())).toEqual([]);
  });

  it("that is encoded when its client is closed opens no channel any more", async () => {
    const encoding = new Future<Uint8Array>();
    const requestCodec = { contentType: "text/plain", encode: () => encoding.promise, decode: () => bytes("") };
    const { io, server, connection, client } = await calling({ requestCodec });
    const call = errorOf(client.call(bytes("a")));
    const closing = client.close({ drain: 0 });
    await io.advance(1);
    await closing;
    expect(await call).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
    encoding.resolve(bytes("a"));
    await io.settle();
    expect(server().sentOf("channel.open")).toHaveLength(1);
    expect(connection.channelCount).toBe(0);
  });

  it("that is refused, or comes back, ends with that", async () => {
    const { io, server, client } = await calling();
    const errors = [errorOf(client.call(bytes("a"))), errorOf(client.call(bytes("b")))];
    await io.settle();
    server().giveBack(1, requests(server())[0] as Sent);
    server().confirm(1, 1);
    server().method(1, "basic.nack", { deliveryTag: 2, multiple: false, requeue: false });
    await io.settle();
    expect(await Promise.all(errors)).toMatchObject([{ code: "UNROUTABLE" }, { code: "NACKED", outcome: "refused" }]);
  });

  it("tells by its outcome how far it came when its time is up", async () => {
    const { io, server, client } = await calling({ timeout: 100 });
    const confirmed = errorOf(client.call(bytes("a")));
    const sent = errorOf(client.call(bytes("b")));
    await io.settle();
    server().confirm(1, 1);
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const waits = errorOf(client.call(bytes("c")));
    await io.advance(150);
    expect(await Promise.all([confirmed, sent, waits])).toMatchObject([
      { code: "TIMEOUT", outcome: "unknown" },
      { code: "TIMEOUT", outcome: "unknown" },
      { code: "TIMEOUT", outcome: "not-sent" },
    ]);
    server().method(0, "connection.unblocked", {});
    await io.settle();
    expect(requests(server())).toHaveLength(2);
  });

  it("whose time is up while there is no connection was not sent, and is not sent later", async () => {
    const { io, server, client, cut, comeBack } = await calling({ timeout: 100 });
    await cut();
    const error = errorOf(client.call(bytes("a")));
    await io.advance(150);
    expect(await error).toMatchObject({ code: "TIMEOUT", outcome: "not-sent" });
    await comeBack();
    expect(requests(server())).toEqual([]);
    expect(client.pending).toBe(0);
  });

  it("ends as unknown with its connection, confirmed or not, and a call of the outage is made afterwards", async () => {
    const { io, server, client, cut, comeBack } = await calling();
    const errors = ["a", "b"].map((text) => errorOf(client.call(bytes(text))));
    await io.settle();
    server().confirm(1, 1);
    await io.settle();
    await cut();
    expect(await Promise.all(errors)).toMatchObject([
      { code: "CONNECTION_LOST", outcome: "unknown" },
      { code: "CONNECTION_LOST", outcome: "unknown" },
    ]);
    const call = client.call(bytes("c"));
    await comeBack();
    reply(server(), requests(server())[0], "C");
    expect(textOf(await settled(io, call))).toBe("C");
  });

  it("ends as unknown when its confirm and the end of the connection come together", async () => {
    for (const republish of [false, true]) {
      const { io, server, client, comeBack } = await calling({}, { recovery: { republish } });
      const call = client.call(bytes("a"));
      const lost = errorOf(call);
      await io.settle();
      server().confirm(1, 1);
      server().stream.hangUp();
      await io.settle();
      expect(await stateOf(call)).toBe("rejected");
      expect(await lost).toMatchObject({ code: "CONNECTION_LOST", outcome: "unknown" });
      await comeBack();
      expect([client.pending, requests(server())]).toEqual([0, []]);
    }
  });

  it.each<[string, ConnectOptions]>([
    ["", {}],
    [", with hooks too", { instrumentation: instrument({ publish: () => undefined }) }],
    [", with hooks that write headers too", { instrumentation: instrument({ publish: mark }) }],
  ])("names the queue for replies that there is when it leaves%s", async (_, options) => {
    let names = 0;
    const { io, server, client, cut, comeBack } = await calling({ replyTo: { exclusive: true } }, options, (one) =>
      one.on("queue.declare", ({ channel }) => {
        names += 1;
        one.method(channel, "queue.declare-ok", { queue: `made-up-${names}`, messageCount: 0, consumerCount: 0 });
      }),
    );
    await cut();
    const call = client.call(bytes("a"));
    await comeBack();
    expect(requests(server())[0]?.properties?.replyTo).toBe("made-up-2");
    reply(server(), requests(server())[0], "A");
    expect(textOf(await settled(io, call))).toBe("A");
  });

  it("that is to be published again waits for its reply on the new connection", async () => {
    const { io, server, client, cut, comeBack } = await calling({}, { recovery: { republish: true } });
    const call = client.call(bytes("a"));
    await io.settle();
    await cut();
    expect(await stateOf(call)).toBe("pending");
    await comeBack();
    reply(server(), requests(server())[0], "A");
    expect(textOf(await settled(io, call))).toBe("A");
  });

  it("is not published again once its caller was told", async () => {
    const { io, server, client, cut, comeBack } = await calling({ timeout: 100 }, { recovery: { republish: true } });
    const error = errorOf(client.call(bytes("a")));
    await io.settle();
    await cut();
    await io.advance(150);
    expect(await error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
    await comeBack();
    expect(requests(server())).toEqual([]);
  });

  it("is not published again once it was answered", async () => {
    const { io, server, client, cut, comeBack } = await calling({}, { recovery: { republish: true } });
    const [answered, waiting] = [client.call(bytes("a")), client.call(bytes("b"))];
    await io.settle();
    reply(server(), requests(server())[0], "A");
    expect(textOf(await settled(io, answered))).toBe("A");
    await cut();
    await comeBack();
    expect(requests(server()).map(({ body }) => textOf({ body: body ?? bytes("") }))).toEqual(["b"]);
    reply(server(), requests(server())[0], "B");
    expect(textOf(await settled(io, waiting))).toBe("B");
  });

  it("ends with its client, which says whether its request was sent", async () => {
    const { io, server, client } = await calling();
    const sent = errorOf(client.call(bytes("a")));
    await io.settle();
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const waiting = errorOf(client.call(bytes("b")));
    await settled(io, Promise.race([client.close({ drain: 0 }), io.advance(6_000)]));
    expect(await sent).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "unknown" });
    expect(await waiting).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
    expect(requests(server())).toHaveLength(1);
  });

  it("ends when the connection is closed by this client", async () => {
    const { io, server, client, connection } = await calling();
    const error = errorOf(client.call(bytes("a")));
    await io.settle();
    server().confirm(1, 1);
    await io.settle();
    void connection.close();
    await io.settle();
    expect(await error).toMatchObject({ outcome: "unknown" });
    expect(await failure(io, client.call(bytes("b")))).toMatchObject({
      code: "CONNECTION_CLOSED",
      outcome: "not-sent",
    });
    await settled(io, client.close());
  });
});

describe("replies", () => {
  it("that nobody waits for are counted, whatever they name", async () => {
    const { io, server, client } = await calling();
    server().deliver(1, "ctag1.1", ["x"], { correlationId: "nobody" });
    server().deliver(1, "ctag1.1", ["x"]);
    await io.settle();
    expect(client.lateReplies).toBe(2);
  });

  it("with odd values in the headers of an error are errors all the same", async () => {
    const { io, server, client } = await calling();
    const errors = [1, 2].map(() => errorOf(client.call(bytes("a"))));
    await io.settle();
    const [first, second] = requests(server()).map(({ properties }) => properties?.correlationId as string);
    server().deliver(1, "ctag1.1", [""], { correlationId: first, headers: { "x-rpc-error-code": { a: 1 } } });
    const headers = { "x-rpc-error-code": "E".repeat(5000), "x-rpc-error-message": "m".repeat(5000) };
    server().deliver(1, "ctag1.1", [""], { correlationId: second, headers });
    await io.settle();
    expect(await Promise.all(errors)).toMatchObject([
      { name: "RpcError", remoteCode: "INTERNAL_ERROR" },
      { name: "RpcError", remoteCode: "E".repeat(100), message: "m".repeat(1000) },
    ]);
  });
});

describe("an error that a server answers with", () => {
  it("has a stack that names whoever waits for the call", async () => {
    const { io, server, client } = await calling();
    async function whoeverCalls(): Promise<void> {
      await client.call(bytes("a"));
    }
    const error = errorOf(whoeverCalls());
    await io.settle();
    const correlationId = requests(server())[0]?.properties?.correlationId as string;
    server().deliver(1, "ctag1.1", [""], { correlationId, headers: { "x-rpc-error-code": "NOT_FOUND" } });
    await io.settle();
    expect(await error).toMatchObject({ name: "RpcError", remoteCode: "NOT_FOUND" });
    expect(String(((await error) as Error).stack)).toContain("whoeverCalls");
  });
});

describe("opening", () => {
  it("fails with what the server says, and leaves nothing behind", async () => {
    const { io, connection, server } = await recovering({}, (one) =>
      one.on("basic.consume", ({ channel }) => one.closeChannel(channel, 403, "ACCESS_REFUSED")),
    );
    const error = await failure(io, openRpcClient(connection));
    expect(error).toMatchObject({ name: "ChannelError", replyCode: 403 });
    expect(connection.channelCount).toBe(0);
    expect(server().log.filter((line) => line.includes("publish"))).toEqual([]);
  });
});
