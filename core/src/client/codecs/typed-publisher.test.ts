/** A codec that takes its time, or never comes to an end. */

import { describe, expect, it } from "vitest";
import { Future } from "../futures.ts";
import { bytes, connected, failure, type Fixture, settled, stateOf } from "../testing/fixture.ts";
import type { Codec } from "./codec.ts";
import { maxEncoding, openTypedPublisher, type TypedPublisher } from "./typed-publisher.ts";

interface Slow extends Fixture {
  readonly publisher: TypedPublisher<string>;
  /** Ends the encoding of a value. */
  readonly encoded: (value: string) => void;
  /** The bodies that the server got. */
  readonly arrived: () => string[];
}

async function slow(): Promise<Slow> {
  const fixture = await connected({}, (server) => {
    server.on("confirm.select", ({ channel }) => server.method(channel, "confirm.select-ok", {}));
  });
  const underWay = new Map<string, Future<Uint8Array>>();
  const codec: Codec<string> = {
    contentType: "text/slow",
    encode: (value) => {
      const encoding = new Future<Uint8Array>();
      underWay.set(value, encoding);
      return encoding.promise;
    },
    decode: () => "",
  };
  const publisher = await settled(fixture.io, openTypedPublisher(fixture.connection, { routingKey: "q", codec }));
  const arrived = (): string[] =>
    fixture.server.sentOf("basic.publish").map(({ body }) => new TextDecoder().decode(body));
  return { ...fixture, publisher, arrived, encoded: (value) => underWay.get(value)?.resolve(bytes(value)) };
}

describe("a codec that never comes to an end", () => {
  it("does not outlast the timeout of a publish, which is not sent when it comes to an end after all", async () => {
    const { io, publisher, encoded, arrived } = await slow();
    const late = publisher.publish("a", { timeout: 1000 });
    const failed = failure(io, late);
    await io.advance(1000);
    expect(await failed).toMatchObject({ name: "TimeoutError", outcome: "not-sent" });
    encoded("a");
    await io.settle();
    expect(arrived()).toEqual([]);
  });

  it("does not outlast the signal of a publish, and those behind keep their order", async () => {
    const { io, server, publisher, encoded, arrived } = await slow();
    const controller = new AbortController();
    const first = publisher.publish("first");
    const second = publisher.publish("second", { signal: controller.signal });
    const third = publisher.publish("third");
    encoded("third");
    controller.abort(new Error("enough"));
    expect(await failure(io, second)).toMatchObject({ name: "AbortError", outcome: "not-sent" });
    expect(arrived()).toEqual([]);
    encoded("first");
    await io.settle();
    expect(arrived()).toEqual(["first", "third"]);
    server.confirm(server.sentOf("basic.publish")[0]?.channel as number, 2, true);
    await settled(io, Promise.all([first, third]));
  });

  it("does not outlast the timeout or the signal of a flush", async () => {
    const { io, publisher } = await slow();
    publisher.publish("a").catch(() => {});
    const flushing = failure(io, publisher.flush({ timeout: 1000 }));
    const controller = new AbortController();
    const aborting = publisher.flush({ signal: controller.signal });
    controller.abort(new Error("enough"));
    expect(await failure(io, aborting)).toMatchObject({ name: "AbortError", outcome: "unknown" });
    await io.advance(1000);
    expect(await flushing).toMatchObject({ name: "TimeoutError", outcome: "unknown" });
  });

  it("counts towards the timeout of a flush", async () => {
    const { io, publisher, encoded, arrived } = await slow();
    publisher.publish("a").catch(() => {});
    const flushing = publisher.flush({ timeout: 1000 });
    flushing.catch(() => {});
    await io.advance(900);
    encoded("a");
    await io.settle();
    expect(arrived()).toEqual(["a"]);
    await io.advance(99);
    expect(await stateOf(flushing)).toBe("pending");
    await io.advance(1);
    expect(await failure(io, flushing)).toMatchObject({ name: "TimeoutError", outcome: "unknown" });
  });

  it("does not outlast closing, nor leaves who published it waiting", async () => {
    const { io, connection, publisher } = await slow();
    const publishing = failure(io, publisher.publish("a"));
    const closing = failure(io, publisher.close({ timeout: 1000 }));
    await io.advance(1000);
    expect(await closing).toMatchObject({ name: "TimeoutError" });
    expect(await publishing).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
    expect(connection.channelCount).toBe(0);
    expect(await failure(io, publisher.publish("b"))).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
  });

  it("does not outlast the connection", async () => {
    const { io, connection, publisher } = await slow();
    const publishing = failure(io, publisher.publish("a"));
    const batch = failure(io, publisher.publishBatch(["b", "c"]));
    await settled(io, connection.close());
    expect(await publishing).toMatchObject({ outcome: "not-sent" });
    expect(await batch).toMatchObject({ outcome: "not-sent" });
  });

  it("leaves no rejection that nobody handles, where it was given up before and its timeout is no number", async () => {
    const { io, publisher } = await slow();
    const unhandled: unknown[] = [];
    const listener = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", listener);
    const publishing = publisher.publish("a", { signal: AbortSignal.abort("enough"), timeout: Number.NaN });
    expect(await failure(io, publishing)).toMatchObject({ code: "INVALID_ARGUMENT" });
    await stateOf(publishing.catch(() => {}));
    process.off("unhandledRejection", listener);
    expect(unhandled).toEqual([]);
  });

  it("stays open when it is closed with a timeout that is no number", async () => {
    const { io, publisher } = await slow();
    expect(await failure(io, publisher.close({ timeout: Number.NaN }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(publisher.publisher.state).toBe("open");
    await settled(io, publisher.close());
    expect(publisher.publisher.state).toBe("closed");
  });

  it("does not outlast the timeout of a batch", async () => {
    const { io, publisher, encoded, arrived } = await slow();
    const batch = failure(io, publisher.publishBatch(["a", "b"], { timeout: 1000 }));
    encoded("a");
    await io.advance(1000);
    expect(await batch).toMatchObject({ name: "TimeoutError", outcome: "not-sent" });
    expect(arrived()).toEqual([]);
  });

  it("has no more than so many values, also where those who published them have given up", async () => {
    const { io, publisher, encoded } = await slow();
    const controller = new AbortController();
    const { signal } = controller;
    const all = Array.from({ length: maxEncoding }, (_, i) => failure(io, publisher.publish(String(i), { signal })));
    controller.abort();
    await Promise.all(all);
    expect(await failure(io, publisher.publish("more"))).toMatchObject({ code: "LIMIT_REACHED" });
    encoded("7");
    await io.settle();
    publisher.publish("more").catch(() => {});
    expect(await failure(io, publisher.publish("still more"))).toMatchObject({ code: "LIMIT_REACHED" });
  });
});
