import { describe, expect, it } from "vitest";
import type { FlushError } from "./errors.ts";
import type { Publisher } from "./publisher.ts";
import type { PublisherOptions } from "./publisher-options.ts";
import { bytes, connected, errorOf, type Fixture, failure, settled, stateOf } from "./testing/fixture.ts";

async function withPublisher(options: PublisherOptions = {}): Promise<Fixture & { readonly publisher: Publisher }> {
  const fixture = await connected();
  const publisher = await settled(fixture.io, fixture.connection.openPublisher({ routingKey: "q", ...options }));
  fixture.server.sent.length = 0;
  return { ...fixture, publisher };
}

const texts = (sent: readonly { body?: Uint8Array }[]): string[] =>
  sent.map(({ body }) => new TextDecoder().decode(body));

describe("publish", () => {
  it("is confirmed and persistent by default", async () => {
    const { io, server, publisher } = await withPublisher({ exchange: "x", properties: { appId: "shop" } });
    const plain = publisher.publish(bytes("a"));
    const special = publisher.publish(bytes("b"), {
      exchange: "y",
      routingKey: "k",
      mandatory: true,
      properties: { messageId: "7", deliveryMode: 1 },
    });
    await io.settle();
    expect(await stateOf(plain)).toBe("pending");
    expect(server.sent).toMatchObject([
      { fields: { exchange: "x", routingKey: "q", mandatory: false }, properties: { appId: "shop", deliveryMode: 2 } },
      {
        fields: { exchange: "y", routingKey: "k", mandatory: true },
        properties: { appId: "shop", deliveryMode: 1, messageId: "7" },
      },
    ]);
    server.confirm(1, 2, true);
    await settled(io, Promise.all([plain, special]));
  });

  it("needs neither confirms nor properties", async () => {
    const { io, server, publisher } = await withPublisher({ confirm: false, persistent: false });
    await settled(io, publisher.publish(bytes("a")));
    await settled(io, publisher.flush());
    expect(server.sent).toMatchObject([{ name: "basic.publish", properties: {} }]);
  });

  it("waits for the window, by count", async () => {
    const { io, server, publisher } = await withPublisher({ maxUnconfirmed: 3 });
    const publishes = ["a", "b", "c", "d", "e"].map((text) => publisher.publish(bytes(text)));
    await io.settle();
    expect(texts(server.sent)).toEqual(["a", "b", "c"]);
    expect(publisher.unconfirmed).toBe(3);
    server.confirm(1, 2);
    await io.settle();
    expect(texts(server.sent)).toEqual(["a", "b", "c", "d"]);
    server.confirm(1, 4, true);
    await io.settle();
    server.confirm(1, 5);
    await settled(io, Promise.all(publishes));
  });

  it("waits for the window, by bytes; one message may exceed it", async () => {
    const { io, server, publisher } = await withPublisher({ maxUnconfirmedBytes: 10 });
    const publishes = ["1234567890123", "b", "c"].map((text) => publisher.publish(bytes(text)));
    await io.settle();
    expect(server.sent).toHaveLength(1);
    server.confirm(1, 1);
    await io.settle();
    expect(server.sent).toHaveLength(3);
    server.confirm(1, 3, true);
    await settled(io, Promise.all(publishes));
  });

  it("has a timeout for all messages, waiting included", async () => {
    const { io, server, publisher } = await withPublisher({ maxUnconfirmed: 1, timeout: 100 });
    const errors = ["a", "b"].map((text) => errorOf(publisher.publish(bytes(text))));
    await io.advance(150);
    expect(await errors[0]).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
    expect(await errors[1]).toMatchObject({ code: "TIMEOUT", outcome: "not-sent" });
    expect(texts(server.sent)).toEqual(["a"]);
    server.confirm(1, 1);
    const next = publisher.publish(bytes("c"));
    await io.settle();
    server.confirm(1, 2);
    await settled(io, next);
    expect(texts(server.sent)).toEqual(["a", "c"]);
  });

  it("refuses what cannot be sent", async () => {
    const { io, connection, publisher } = await withPublisher();
    expect(await failure(io, publisher.publish("text" as unknown as Uint8Array))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(() => publisher.send("text" as unknown as Uint8Array)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    for (const options of [
      { maxUnconfirmed: 0 },
      { maxUnconfirmedBytes: Number.NaN },
      { properties: { priority: 999 } },
    ]) {
      expect(await failure(io, connection.openPublisher(options))).toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    await io.settle();
    expect(connection.channelCount).toBe(1);
  });
});

describe("send", () => {
  it("says when to wait, and takes the message all the same", async () => {
    const { io, server, publisher } = await withPublisher({ maxUnconfirmed: 2 });
    expect(await stateOf(publisher.ready())).toBe("resolved");
    expect(publisher.send(bytes("a"))).toBe(true);
    expect(publisher.send(bytes("b"))).toBe(false);
    expect(publisher.send(bytes("c"))).toBe(false);
    const ready = publisher.ready();
    await io.settle();
    expect(await stateOf(ready)).toBe("pending");
    server.confirm(1, 2, true);
    await settled(io, ready);
    await io.settle();
    expect(texts(server.sent)).toEqual(["a", "b", "c"]);
    expect(publisher.send(bytes("d"))).toBe(false);
  });

  it("is settled when flush resolves", async () => {
    const { io, server, publisher } = await withPublisher({ maxUnconfirmed: 2 });
    for (const text of ["a", "b", "c"]) publisher.send(bytes(text));
    const flush = publisher.flush();
    server.confirm(1, 1);
    await io.settle();
    publisher.send(bytes("d"));
    server.confirm(1, 2);
    await io.settle();
    expect(await stateOf(flush)).toBe("pending");
    server.confirm(1, 3);
    await settled(io, flush);
    expect(publisher.unconfirmed).toBe(1);
  });

  it("keeps no flush waiting for messages that were given up, while there is no room", async () => {
    const { io, server, publisher } = await withPublisher();
    server.method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const controller = new AbortController();
    const publish = failure(io, publisher.publish(bytes("a"), { signal: controller.signal }));
    const flushes = Array.from({ length: 3 }, () => publisher.flush());
    controller.abort();
    expect(await publish).toMatchObject({ outcome: "not-sent" });
    for (const flush of flushes) expect(await stateOf(flush)).toBe("resolved");
  });

  it("stays open when it is closed with a timeout that is no number", async () => {
    const { io, publisher } = await withPublisher();
    expect(await failure(io, publisher.close({ timeout: Number.NaN }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(publisher.state).toBe("open");
    await settled(io, publisher.close());
    expect(publisher.state).toBe("closed");
  });

  it("lets flush resolve when there is no room for anything else", async () => {
    const { io, server, publisher } = await withPublisher({ maxUnconfirmed: 1 });
    const publishes = [publisher.publish(bytes("a")), publisher.publish(bytes("b"))];
    const flush = publisher.flush();
    await io.settle();
    server.confirm(1, 1);
    await io.settle();
    server.method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    expect(await stateOf(flush)).toBe("pending");
    server.confirm(1, 2);
    await settled(io, Promise.all(publishes));
    expect(await stateOf(flush)).toBe("resolved");
  });

  it("makes flush reject with what failed", async () => {
    const { io, server, publisher } = await withPublisher();
    const failures: string[] = [];
    publisher.on("failed", ({ error, message }) =>
      failures.push(`${error.code} ${new TextDecoder().decode(message.body)}`),
    );
    for (const text of ["a", "b", "c"]) publisher.send(bytes(text));
    const error = errorOf(publisher.flush());
    await io.settle();
    server.confirm(1, 1);
    server.method(1, "basic.nack", { deliveryTag: 3, multiple: true, requeue: true });
    await io.settle();
    expect(await error).toMatchObject({ name: "FlushError", code: "FLUSH_FAILED", failed: 2, outcome: "refused" });
    expect(((await error) as FlushError).errors).toMatchObject([{ code: "NACKED" }, { code: "NACKED" }]);
    expect(failures).toEqual(["NACKED b", "NACKED c"]);
    await settled(io, publisher.flush());
  });

  it("makes flush reject when the connection is lost", async () => {
    const { io, server, publisher } = await withPublisher();
    publisher.send(bytes("a"));
    const error = errorOf(publisher.flush());
    await io.settle();
    server.stream.hangUp();
    await io.settle();
    expect(await error).toMatchObject({ name: "FlushError", failed: 1, outcome: "unknown" });
    expect(() => publisher.send(bytes("b"))).toThrow(expect.objectContaining({ code: "CONNECTION_LOST" }));
    expect(await failure(io, publisher.ready())).toMatchObject({ code: "CONNECTION_LOST" });
    expect(await failure(io, publisher.flush())).toMatchObject({ code: "CONNECTION_LOST" });
    await settled(io, publisher.close());
  });

  it("can be flushed only so long", async () => {
    const { io, publisher } = await withPublisher();
    publisher.send(bytes("a"));
    const controller = new AbortController();
    const errors = [errorOf(publisher.flush({ timeout: 50 })), errorOf(publisher.flush({ signal: controller.signal }))];
    await io.advance(60);
    controller.abort();
    expect(await errors[0]).toMatchObject({ code: "TIMEOUT" });
    expect(await errors[1]).toMatchObject({ code: "ABORTED" });
  });

  it("hears of messages that come back", async () => {
    const { io, server, publisher } = await withPublisher({ mandatory: true });
    const heard: string[] = [];
    publisher.on("return", ({ routingKey }) => heard.push(routingKey));
    publisher.send(bytes("a"));
    const error = errorOf(publisher.flush());
    await io.settle();
    server.giveBack(1, server.sent[0]!);
    server.confirm(1, 1);
    await io.settle();
    expect(await error).toMatchObject({ errors: [{ code: "UNROUTABLE" }] });
    expect(heard).toEqual(["q"]);
  });
});

describe("close", () => {
  it("waits for confirms, and closes the channel", async () => {
    const { io, server, publisher } = await withPublisher();
    const publish = publisher.publish(bytes("a"));
    const closing = publisher.close();
    await io.settle();
    expect(await stateOf(closing)).toBe("pending");
    server.confirm(1, 1);
    await settled(io, Promise.all([publish, closing, publisher[Symbol.asyncDispose]()]));
    expect(server.log).toEqual(["1 basic.publish", "1 channel.close"]);
    expect(publisher.state).toBe("closed");
    expect(await publisher.closed).toBeUndefined();
  });

  it("says when confirms did not come, and closes the channel all the same", async () => {
    const { io, publisher } = await withPublisher();
    const publish = errorOf(publisher.publish(bytes("a")));
    const closing = errorOf(publisher.close({ timeout: 100 }));
    await io.advance(150);
    expect(await closing).toMatchObject({ code: "TIMEOUT" });
    expect(await publish).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "unknown" });
    expect(publisher.state).toBe("closed");
  });
});
