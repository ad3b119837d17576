/** What becomes of a publish that had not been sent, or was not confirmed, when the connection was lost. */

import { describe, expect, it } from "vitest";
import type { RecoveryOptions } from "./recovery-options.ts";
import { bytes, errorOf, failure, settled, stateOf } from "./testing/fixture.ts";
import { lostUnknown, message, notSent, published, recovering, recoveringChannel } from "./testing/recovering.ts";

describe("publish, no confirm", () => {
  it("that is not sent stays behind the gate, and leaves after recovery", async () => {
    const { channel, cut, comeBack, server } = await recoveringChannel();
    await cut();
    const promise = channel.basicPublish(message("m"));
    expect(await stateOf(promise)).toBe("pending");
    await comeBack();
    await promise;
    expect(published(server())).toEqual(["m"]);
  });

  it("that was handed over is resolved already", async () => {
    const { channel, cut, comeBack, server } = await recoveringChannel();
    await channel.basicPublish(message("m"));
    await cut();
    await comeBack();
    expect(server().sentOf("basic.publish")).toEqual([]);
  });
});

/** A publisher on a channel of its own, whose two messages were confirmed. */
async function confirmedPublisher({ io, connection, server }: Awaited<ReturnType<typeof recoveringChannel>>) {
  const publisher = await settled(io, connection.openPublisher());
  const publishing = [publisher.publish(bytes("a")), publisher.publish(bytes("b"))];
  await io.settle();
  server().confirm(2, 2, true);
  await settled(io, Promise.all(publishing));
  return publisher;
}

describe("publish, confirm", () => {
  it("that is not sent waits at the gate, and keeps its place", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(io, channel.confirmSelect());
    await cut();
    const promises = ["a", "b"].map((body) => channel.basicPublish(message(body)));
    await comeBack();
    expect(server().log).toEqual(["1 channel.open", "1 confirm.select", "1 basic.publish", "1 basic.publish"]);
    expect(published(server())).toEqual(["a", "b"]);
    server().confirm(1, 2, true);
    await settled(io, Promise.all(promises));
  });

  it.each([false, true])(
    "has no flush wait for it that begins after the loss; when room is waited for: %s",
    async (waits) => {
      const recovering = await recoveringChannel();
      const { io, cut, comeBack } = recovering;
      const publisher = await confirmedPublisher(recovering);
      await cut();
      const ready = waits ? publisher.ready() : undefined;
      const flush = publisher.flush();
      await io.settle();
      expect(await stateOf(flush)).toBe("resolved");
      await comeBack();
      await ready;
    },
  );

  it("has no flush wait for it any more when it could not wait so long for a connection", async () => {
    const recovering = await recoveringChannel();
    const { io, cut } = recovering;
    const publisher = await confirmedPublisher(recovering);
    await cut();
    io.accept = (stream) => stream.hangUp();
    const publish = errorOf(publisher.publish(bytes("c")));
    const flush = publisher.flush();
    await io.settle();
    expect(await stateOf(flush)).toBe("pending");
    await io.advance(31_000);
    expect(await publish).toMatchObject(notSent);
    expect(await stateOf(flush)).toBe("resolved");
  });

  it("that is published again is confirmed, though the server never said that it would confirm", async () => {
    const options = { recovery: { republish: true } };
    const { io, channel, cut, comeBack, server } = await recoveringChannel(options, (prepared, number) => {
      if (number === 0) prepared.on("confirm.select");
    });
    const selecting = errorOf(channel.confirmSelect());
    const publishing = channel.basicPublish(message("m"));
    await io.settle();
    await cut();
    await comeBack();
    expect(await selecting).toMatchObject(lostUnknown);
    expect(server().log).toEqual(["1 channel.open", "1 confirm.select", "1 basic.publish"]);
    expect(await stateOf(publishing)).toBe("pending");
    server().confirm(1, 1);
    await settled(io, publishing);
  });

  it("that is unconfirmed has an unknown outcome, and numbers begin anew at the server only", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(io, channel.confirmSelect());
    const lost = errorOf(channel.basicPublish(message("lost")));
    await io.settle();
    await cut();
    expect(await lost).toMatchObject(lostUnknown);
    await comeBack();
    const next = channel.basicPublish(message("next"));
    await io.settle();
    server().confirm(1, 1);
    await settled(io, next);
    expect(channel.unconfirmed).toBe(0);
  });

  it("that is unconfirmed is published again, in order and ahead of everything else, where that is asked for", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({ recovery: { republish: true } });
    await settled(io, channel.confirmSelect());
    const promises = ["a", "b", "c"].map((body) => channel.basicPublish(message(body)));
    await io.settle();
    server().confirm(1, 2);
    await io.settle();
    await cut();
    promises.push(channel.basicPublish(message("new")));
    await comeBack();
    expect(published(server())).toEqual(["a", "c", "new"]);
    server().confirm(1, 3, true);
    await settled(io, Promise.all(promises));
  });

  it("is published again so often, and not for ever", async () => {
    const { io, channel, cut, servers } = await recoveringChannel({ recovery: { republish: true, republishLimit: 2 } });
    await settled(io, channel.confirmSelect());
    const refused = errorOf(channel.basicPublish(message("a")));
    await io.settle();
    for (let outage = 0; outage < 3; outage += 1) {
      await cut();
      await io.advance(5_000);
    }
    expect(await refused).toMatchObject(lostUnknown);
    expect(servers.map((server) => server.sentOf("basic.publish").length)).toEqual([1, 1, 1, 0]);
  });

  it("that cannot be sent again, since frames are smaller now, may have arrived all the same", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel(
      { recovery: { republish: true } },
      (prepared, number) => {
        if (number > 0) prepared.tune = { ...prepared.tune, frameMax: 4096 };
      },
    );
    await settled(io, channel.confirmSelect());
    const headers = { large: "x".repeat(5_000) };
    const first = errorOf(channel.basicPublish({ ...message("a"), properties: { headers } }));
    const second = channel.basicPublish(message("b"));
    await io.settle();
    await cut();
    await comeBack();
    expect(await first).toMatchObject({
      ...{ name: "AmqpError", code: "INVALID_ARGUMENT", outcome: "unknown" },
      cause: { name: "UsageError" },
    });
    expect(published(server())).toEqual(["b"]);
    server().confirm(1, 1);
    await settled(io, second);
    // What was never sent has not arrived.
    const later = channel.basicPublish({ ...message("c"), properties: { headers } });
    expect(await failure(io, later)).toMatchObject({ name: "UsageError", outcome: "not-sent" });
  });

  it("that is refused is not published again where it is certain which one it was; the others are, each time", async () => {
    const recovery = { republish: true, republishLimit: 2 };
    const { io, connection, server } = await recovering({ recovery });
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q" }));
    const refuse = (exchange: string) =>
      server().closeChannel(1, 404, `NOT_FOUND - no exchange '${exchange}' in vhost '/'`, "basic.publish");
    const alone = errorOf(publisher.publish(bytes("alone"), { exchange: "missing" }));
    await io.settle();
    refuse("missing");
    await io.settle();
    expect(await alone).toMatchObject({ replyCode: 404, outcome: "refused" });
    await io.advance(5_000);

    const before = publisher.publish(bytes("before"));
    const named = errorOf(publisher.publish(bytes("named"), { exchange: "missing" }));
    const twins = [1, 2].map((n) => errorOf(publisher.publish(bytes(`twin ${n}`), { exchange: "other" })));
    await io.settle();
    refuse("missing");
    await io.settle();
    expect(await named).toMatchObject({ replyCode: 404, outcome: "refused" });
    for (let time = 0; time < 3; time += 1) {
      await io.advance(30_000);
      if (time === 0) server().confirm(1, 1);
      refuse("other");
      await io.settle();
    }
    await settled(io, before);
    // Of two nobody knows which one was the first; and the first times they were sent, the exchange may have been there.
    expect(await Promise.all(twins)).toMatchObject([
      { replyCode: 404, outcome: "unknown" },
      { replyCode: 404, outcome: "unknown" },
    ]);
    const three = ["twin 1", "twin 2"];
    expect(published(server())).toEqual(["alone", "before", "named", ...three, "before", ...three, ...three]);
  });

  it("that was published again may have arrived the first time, whatever the server says to the second", async () => {
    const { io, connection, cut, comeBack, server } = await recovering({ recovery: { republish: true } });
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q" }));
    const nacked = errorOf(publisher.publish(bytes("nacked")));
    const returned = errorOf(publisher.publish(bytes("returned"), { mandatory: true }));
    const refused = errorOf(publisher.publish(bytes("refused")));
    await io.settle();
    await cut();
    await comeBack();
    server().method(1, "basic.nack", { deliveryTag: 1, multiple: false, requeue: false });
    server().giveBack(1, server().sentOf("basic.publish")[1] as never);
    server().confirm(1, 2);
    server().closeChannel(1, 404, "NOT_FOUND", "basic.publish");
    await io.settle();
    expect(await nacked).toMatchObject({ name: "NackError", code: "NACKED", outcome: "unknown" });
    expect(await returned).toMatchObject({ name: "UnroutableError", replyCode: 312, outcome: "unknown" });
    expect(await refused).toMatchObject({ name: "ChannelError", replyCode: 404, outcome: "unknown" });
  });

  it("that gave up waiting is not published again", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({ recovery: { republish: true } });
    await settled(io, channel.confirmSelect());
    const late = errorOf(channel.basicPublish({ ...message("a"), timeout: 100 }));
    await io.advance(100);
    expect(await late).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
    await cut();
    await comeBack();
    expect(server().sentOf("basic.publish")).toEqual([]);
  });
});

describe("whoever is told of a publish that failed", () => {
  /** A publisher that publishes "told" whenever it is told of a failure. */
  async function answering(recovery: RecoveryOptions, maxUnconfirmed: number) {
    const fixture = await recovering({ recovery });
    const publisher = await settled(fixture.io, fixture.connection.openPublisher({ routingKey: "q", maxUnconfirmed }));
    publisher.on("failed", () => publisher.send(bytes("told")));
    return { ...fixture, publisher };
  }

  it("publishes behind what waits already, when it was published too often", async () => {
    const { io, publisher, cut, comeBack, server } = await answering({ republish: true, republishLimit: 1 }, 1);
    for (const body of ["lost", "waits"]) publisher.send(bytes(body));
    await io.settle();
    await cut();
    await comeBack();
    await cut();
    await io.advance(5_000);
    expect(published(server())).toEqual(["waits"]);
    server().confirm(1, 1);
    await io.settle();
    expect(published(server())).toEqual(["waits", "told"]);
    expect(publisher.unconfirmed).toBe(1);
  });

  it("publishes behind what waits already, when it may not wait for a connection", async () => {
    const { io, publisher, cut, comeBack, server } = await answering({ maxWaitingBytes: 1000 }, 10);
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    for (const size of [1, 800, 2]) publisher.send(new Uint8Array(size));
    await cut();
    await comeBack();
    expect(published(server()).map(({ length }) => length)).toEqual([1, 2, 4]);
  });

  it("publishes behind what waits already, when it cannot be sent again", async () => {
    const fixture = await recovering({ recovery: { republish: true } }, (prepared, number) => {
      if (number > 0) prepared.tune = { ...prepared.tune, frameMax: 4096 };
    });
    const { io, connection, cut, comeBack, server } = fixture;
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q", maxUnconfirmed: 1 }));
    publisher.on("failed", () => publisher.send(bytes("told")));
    publisher.send(bytes("too large now"), { properties: { headers: { large: "x".repeat(5_000) } } });
    publisher.send(bytes("waits"));
    await io.settle();
    await cut();
    await comeBack();
    expect(published(server())).toEqual(["waits"]);
    server().confirm(1, 1);
    await io.settle();
    expect(published(server())).toEqual(["waits", "told"]);
  });

  it.each([false, true])("gives up others, which are told once; published again: %s", async (republish) => {
    const { io, connection, cut, comeBack, server } = await recovering({ recovery: { republish } });
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q", mandatory: true }));
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", note);
    const givingUp = new AbortController();
    publisher.on("failed", () => givingUp.abort());
    const givenUp = errorOf(publisher.publish(bytes("first"), { signal: givingUp.signal }));
    publisher.send(bytes("second"));
    await io.settle();
    server().giveBack(1, server().sentOf("basic.publish")[1] as never);
    await io.settle();
    await cut();
    expect(await givenUp).toMatchObject({ code: "ABORTED", outcome: "unknown" });
    await comeBack();
    expect(published(server())).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});

describe("publish, mandatory", () => {
  it("whose return came before the loss keeps that verdict", async () => {
    for (const republish of [false, true]) {
      const { io, channel, cut, comeBack, server } = await recoveringChannel({ recovery: { republish } });
      await settled(io, channel.confirmSelect());
      const returned = errorOf(channel.basicPublish({ ...message("m"), mandatory: true }));
      await io.settle();
      server().giveBack(1, server().sentOf("basic.publish")[0] as never);
      await io.settle();
      await cut();
      expect(await returned).toMatchObject({ code: "UNROUTABLE", outcome: "refused" });
      await comeBack();
      expect(server().sentOf("basic.publish")).toEqual([]);
    }
  });
});

describe("flush", () => {
  it("rejects when something has become unknown, and waits for what is published again", async () => {
    for (const republish of [false, true]) {
      const { io, connection, cut, comeBack, server } = await recovering({ recovery: { republish } });
      const publisher = await settled(io, connection.openPublisher());
      publisher.send(bytes("m"));
      const flushed = publisher.flush();
      flushed.catch(() => {});
      await io.settle();
      await cut();
      await comeBack();
      if (republish) {
        expect(await stateOf(flushed)).toBe("pending");
        server().confirm(1, 1);
        await settled(io, flushed);
      } else {
        expect(await failure(io, flushed)).toMatchObject({ code: "FLUSH_FAILED", outcome: "unknown" });
      }
    }
  });
});
