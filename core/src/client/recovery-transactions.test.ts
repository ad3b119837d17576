/** What becomes of a transaction, and of the work in it, when the connection is lost. */

import { describe, expect, it } from "vitest";
import { errorOf, failure, settled, stateOf } from "./testing/fixture.ts";
import { lostUnknown, message, notSent, published, recoveringChannel } from "./testing/recovering.ts";

/** What a call fails with that is made in a transaction whose work was lost. */
const aborted = { code: "TRANSACTION_ABORTED", outcome: "not-sent" };

/** A channel with a transaction, in which nothing was done yet. */
async function transactional(): ReturnType<typeof recoveringChannel> {
  const fixture = await recoveringChannel();
  await settled(fixture.io, fixture.channel.txSelect());
  return fixture;
}

describe("a transaction", () => {
  it("without work is selected again, and nobody misses it", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    await cut();
    await comeBack();
    await channel.basicPublish(message("m"));
    await settled(io, channel.txCommit());
    expect(server().log).toEqual(["1 channel.open", "1 tx.select", "1 basic.publish", "1 tx.commit"]);
  });

  it("with work is aborted, until it is rolled back", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
    await channel.basicPublish(message("m"));
    await cut();
    await comeBack();
    expect(await failure(io, channel.basicPublish(message("n")))).toMatchObject(aborted);
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
    server().deliver(1, "c", ["a"]);
    await io.settle();
    const delivery = await consumer.take();
    expect(() => delivery?.ack()).toThrow(expect.objectContaining(aborted));
    await settled(io, channel.txRollback());
    expect(delivery?.ack()).toBe("settled");
    await channel.basicPublish(message("o"));
    await settled(io, channel.txCommit());
    expect(published(server())).toEqual(["o"]);
    expect(server().sentOf("tx.rollback")).toEqual([]);
  });

  it.each(["txCommit", "txRollback"] as const)(
    "has in it what was published before, when that waits for a connection or for room: %s",
    async (end) => {
      const { io, channel, cut, comeBack, server } = await transactional();
      const publishAndEnd = (): Promise<unknown> =>
        Promise.all([channel.basicPublish(message("m")), channel.basicPublish(message("n")), channel[end]()]);
      await cut();
      const whileDown = publishAndEnd();
      await comeBack();
      await settled(io, whileDown);
      server().method(0, "connection.blocked", { reason: "memory" });
      await io.settle();
      const whileBlocked = publishAndEnd();
      await io.settle();
      server().method(0, "connection.unblocked", {});
      await settled(io, whileBlocked);
      const once = ["1 basic.publish", "1 basic.publish", end === "txCommit" ? "1 tx.commit" : "1 tx.rollback"];
      expect(server().log).toEqual(["1 channel.open", "1 tx.select", ...once, ...once]);
    },
  );

  it.each(["txCommit", "txRollback"] as const)(
    "has nothing in it of what was published after its end was asked for, when that has to wait: %s",
    async (end) => {
      const { io, channel, server } = await transactional();
      server().method(0, "connection.blocked", { reason: "memory" });
      await io.settle();
      const calls = [
        channel.basicPublish(message("before")),
        channel[end](),
        channel.basicPublish(message("after")),
        channel[end](),
      ];
      await io.settle();
      server().method(0, "connection.unblocked", {});
      await settled(io, Promise.all(calls));
      const once = ["1 basic.publish", end === "txCommit" ? "1 tx.commit" : "1 tx.rollback"];
      expect(server().log.slice(-4)).toEqual([...once, ...once]);
    },
  );

  it("need not wait for what waits: a commit whose caller gives up, or whose channel ends", async () => {
    const { io, channel, server } = await transactional();
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const publish = errorOf(channel.basicPublish(message("m")));
    const controller = new AbortController();
    const commit = failure(io, channel.txCommit({ signal: controller.signal }));
    const other = failure(io, channel.txCommit());
    controller.abort();
    expect(await commit).toMatchObject({ code: "ABORTED", outcome: "not-sent" });
    expect(await failure(io, channel.txCommit({ signal: controller.signal }))).toMatchObject({ code: "ABORTED" });
    const closing = channel.close();
    expect(await other).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
    expect(await publish).toMatchObject({ code: "CHANNEL_CLOSED", outcome: "not-sent" });
    await settled(io, closing);
    expect(server().sentOf("tx.commit")).toHaveLength(0);
  });

  it("is ended no later for messages that could not wait so long for a connection", async () => {
    const { io, channel, cut } = await transactional();
    await cut();
    io.accept = (stream) => stream.hangUp();
    const publish = errorOf(channel.basicPublish(message("m")));
    const commit = errorOf(channel.txCommit());
    await io.advance(31_000);
    expect(await publish).toMatchObject(notSent);
    await io.advance(31_000);
    expect(await stateOf(commit)).toBe("resolved");
    expect(await commit).toMatchObject(notSent);
  });

  it("is not committed later where nothing waits for a connection", async () => {
    const { io, channel, cut, server } = await recoveringChannel({ recovery: { whenDown: "fail" } });
    await settled(io, channel.txSelect());
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const publish = errorOf(channel.basicPublish(message("m")));
    const commit = errorOf(channel.txCommit());
    await cut();
    expect(await publish).toMatchObject(notSent);
    expect(await stateOf(commit)).toBe("resolved");
    expect(await commit).toMatchObject(notSent);
  });

  it("keeps nothing of what waited while it was lost: the rollback is of that as well", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    await channel.basicPublish(message("sent"));
    server().method(0, "connection.blocked", { reason: "memory" });
    await io.settle();
    const waiting = errorOf(channel.basicPublish(message("waiting")));
    await cut();
    const rollback = channel.txRollback();
    await comeBack();
    expect(await waiting).toMatchObject(aborted);
    await settled(io, rollback);
    await channel.basicPublish(message("after"));
    await settled(io, channel.txCommit());
    expect(published(server())).toEqual(["after"]);
  });

  it("whose commit was sent may have happened", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("tx.commit");
    await channel.basicPublish(message("m"));
    const commit = errorOf(channel.txCommit());
    await io.settle();
    await cut();
    expect(await commit).toMatchObject({ code: "COMMIT_UNKNOWN", outcome: "unknown" });
    await comeBack();
    expect(await failure(io, channel.basicPublish(message("n")))).toMatchObject({ code: "TRANSACTION_ABORTED" });
  });
});

describe("the work of a transaction", () => {
  it("is not taken for committed by a commit that had not been sent when the channel was lost", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("basic.qos");
    await channel.basicPublish(message("m"));
    const before = errorOf(channel.basicQos({ prefetchCount: 1 }));
    const commit = errorOf(channel.txCommit());
    await io.settle();
    expect(server().sentOf("tx.commit")).toEqual([]);
    await cut();
    await comeBack();
    expect(await before).toMatchObject(lostUnknown);
    expect(await commit).toMatchObject(aborted);
    expect(server().sentOf("tx.commit")).toEqual([]);
  });

  it("is rolled back by a rollback that had not been sent when the channel was lost", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("basic.qos");
    await channel.basicPublish(message("m"));
    const before = errorOf(channel.basicQos({ prefetchCount: 1 }));
    const rollback = channel.txRollback();
    await io.settle();
    await cut();
    await comeBack();
    expect(await before).toMatchObject(lostUnknown);
    await settled(io, rollback);
    await settled(io, channel.txCommit());
    expect(server().sentOf("tx.rollback")).toEqual([]);
  });

  it("is missed when it was done after a rollback that had not been sent", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("basic.qos");
    await channel.basicPublish(message("first"));
    const before = errorOf(channel.basicQos({ prefetchCount: 1 }));
    const rollback = channel.txRollback();
    await channel.basicPublish(message("second"));
    await io.settle();
    await cut();
    await comeBack();
    expect(await before).toMatchObject(lostUnknown);
    await settled(io, rollback);
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
    await settled(io, channel.txRollback());
    await settled(io, channel.txCommit());
  });

  it("is missed when it was done after a commit that was answered", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    server().on("tx.commit");
    await channel.basicPublish(message("first"));
    const commit = channel.txCommit();
    await channel.basicPublish(message("second"));
    await io.settle();
    server().method(1, "tx.commit-ok", {});
    await settled(io, commit);
    await cut();
    await comeBack();
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
  });

  it("may be done before the answer to tx.select, of which a loss is missed as well", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared, number) => {
      if (number === 0) prepared.on("tx.select");
    });
    const selected = channel.txSelect();
    await channel.basicPublish(message("m"));
    await io.settle();
    server().method(1, "tx.select-ok", {});
    await settled(io, selected);
    await cut();
    await comeBack();
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
    await settled(io, channel.txRollback());
    await settled(io, channel.txCommit());
  });

  it("is not missed where tx.select was unanswered, unless that is made again", async () => {
    for (const retryIdempotent of [false, true]) {
      const { io, channel, cut, comeBack } = await recoveringChannel(
        { recovery: { retryIdempotent } },
        (server, number) => {
          if (number === 0) server.on("tx.select");
        },
      );
      const selected = channel.txSelect();
      selected.catch(() => {});
      await channel.basicPublish(message("m"));
      await io.settle();
      await cut();
      await comeBack();
      if (retryIdempotent) {
        await settled(io, selected);
        expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
      } else {
        expect(await failure(io, selected)).toMatchObject(lostUnknown);
        await settled(io, channel.basicPublish(message("without a transaction")));
      }
    }
  });

  it("may be an acknowledgement alone", async () => {
    const { io, channel, cut, comeBack, server } = await transactional();
    const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
    server().deliver(1, "c", ["a"]);
    await io.settle();
    expect((await consumer.take())?.ack()).toBe("settled");
    await io.settle();
    await cut();
    await comeBack();
    expect(await failure(io, channel.txCommit())).toMatchObject(aborted);
  });
});

describe("a message that nobody takes, while the work of a transaction is lost", () => {
  async function withLostWork(): ReturnType<typeof recoveringChannel> {
    const fixture = await transactional();
    const { io, channel, cut, comeBack } = fixture;
    await settled(io, channel.basicPublish(message("work")));
    await cut();
    await comeBack();
    return fixture;
  }

  it("stays where it is: one of a consumer that was just cancelled", async () => {
    const { io, connection, channel, server } = await withLostWork();
    await settled(
      io,
      channel.basicConsume({ queue: "q", consumerTag: "c" }, () => {}),
    );
    await settled(io, channel.basicCancel({ consumerTag: "c", noWait: true }));
    server().deliver(1, "c", ["late"]);
    await io.settle();
    expect(connection.state).toBe("open");
    expect(server().sentOf("basic.nack")).toEqual([]);
  });

  it("stays where it is: one that somebody had given up", async () => {
    const { io, connection, channel, server } = await withLostWork();
    server().on("basic.get");
    const givingUp = new AbortController();
    const getting = channel.basicGet({ queue: "q", signal: givingUp.signal });
    await io.settle();
    givingUp.abort();
    server().gotMessage(1, "late");
    expect(await failure(io, getting)).toMatchObject({ code: "ABORTED" });
    expect(connection.state).toBe("open");
    expect(server().sentOf("basic.nack")).toEqual([]);
  });
});
