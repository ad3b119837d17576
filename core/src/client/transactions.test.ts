/** Transactions whose beginning or end has to wait: behind messages that wait for room. Calls keep their order. */

import { describe, expect, it } from "vitest";
import type { Channel } from "./channel.ts";
import { bytes, errorOf, failure, settled, stateOf, withChannel } from "./testing/fixture.ts";
import { type Recovering, recoveringChannel } from "./testing/recovering.ts";

const message = (body: string) => ({ exchange: "", routingKey: "q", body: bytes(body) });

const ends = ["txCommit", "txRollback"] as const;
const methodOf = { txCommit: "tx.commit", txRollback: "tx.rollback" } as const;

interface Blocked extends Recovering {
  readonly channel: Channel;
  /** What was sent since the connection was blocked. */
  since(): string[];
  unblock(): Promise<void>;
}

/** A channel with three deliveries, on a connection that is then blocked. */
async function blocked(...modes: readonly "tx"[]): Promise<Blocked> {
  const fixture = await recoveringChannel();
  const { io, channel, server } = fixture;
  if (modes.length > 0) await settled(io, channel.txSelect());
  await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
  server().deliver(1, "c", ["a", "b", "c"]);
  await io.settle();
  server().method(0, "connection.blocked", { reason: "memory" });
  await io.settle();
  const before = server().log.length;
  return {
    ...fixture,
    since: () => server().log.slice(before),
    unblock: async () => {
      server().method(0, "connection.unblocked", {});
      await io.settle();
    },
  };
}

describe.each(ends)("an end that waits for messages before it: %s", (end) => {
  it("has nothing in it of what is settled after the call", async () => {
    const { io, channel, since, unblock } = await blocked("tx");
    channel.basicAck({ deliveryTag: 1 });
    const calls = [channel.basicPublish(message("before")), channel[end]()];
    channel.basicAck({ deliveryTag: 3 });
    channel.basicNack({ deliveryTag: 2 });
    await io.settle();
    expect(since()).toEqual(["1 basic.ack 1"]);
    await unblock();
    await settled(io, Promise.all(calls));
    const then = ["1 basic.publish", `1 ${methodOf[end]}`, "1 basic.ack 3", "1 basic.nack 2 requeue"];
    expect(since()).toEqual(["1 basic.ack 1", ...then]);
  });

  it("keeps apart what is settled between it and the next one", async () => {
    const { io, channel, since, unblock } = await blocked("tx");
    const calls = [channel.basicPublish(message("m")), channel[end]()];
    channel.basicReject({ deliveryTag: 1 });
    calls.push(channel[end]());
    channel.basicAck({ deliveryTag: 3, multiple: true });
    await io.settle();
    expect(since()).toEqual([]);
    await unblock();
    await settled(io, Promise.all(calls));
    const name = `1 ${methodOf[end]}`;
    expect(since()).toEqual(["1 basic.publish", name, "1 basic.reject 1 requeue", name, "1 basic.ack 3 multiple"]);
  });

  it("leaves the order as it is when its caller gives up", async () => {
    const { io, channel, since, unblock } = await blocked("tx");
    const publish = channel.basicPublish(message("m"));
    const [first, second] = [new AbortController(), new AbortController()];
    const given = [failure(io, channel[end]({ signal: first.signal }))];
    channel.basicAck({ deliveryTag: 1 });
    given.push(failure(io, channel[end]({ signal: second.signal })));
    channel.basicAck({ deliveryTag: 2 });
    first.abort();
    second.abort();
    for (const error of await Promise.all(given)) expect(error).toMatchObject({ code: "ABORTED", outcome: "not-sent" });
    // An acknowledgement of all up to this one may not come before those.
    channel.basicAck({ deliveryTag: 3, multiple: true });
    await unblock();
    await settled(io, publish);
    await settled(io, channel[end]());
    const acks = ["1 basic.ack 1", "1 basic.ack 2", "1 basic.ack 3"];
    expect(since()).toEqual(["1 basic.publish", ...acks, `1 ${methodOf[end]}`]);
  });

  it("holds nothing back any more when nothing waits", async () => {
    const { io, channel, since } = await blocked("tx");
    const [first, second] = [new AbortController(), new AbortController()];
    const publish = failure(io, channel.basicPublish({ ...message("m"), signal: first.signal }));
    const given = failure(io, channel[end]({ signal: second.signal }));
    channel.basicAck({ deliveryTag: 1 });
    await io.settle();
    expect(since()).toEqual([]);
    second.abort();
    first.abort();
    await Promise.all([publish, given]);
    channel.basicAck({ deliveryTag: 2 });
    await io.settle();
    expect(since()).toEqual(["1 basic.ack 1", "1 basic.ack 2"]);
  });

  it("does not answer for what was settled after its call, when that is lost", async () => {
    const { io, channel, server, cut, comeBack, unblock } = await blocked("tx");
    server().on(methodOf[end]);
    const calls = [channel.basicPublish(message("m")), channel[end]()];
    channel.basicAck({ deliveryTag: 1 });
    await unblock();
    server().method(1, `${methodOf[end]}-ok`, {});
    await settled(io, Promise.all(calls));
    await cut();
    await comeBack();
    expect(await failure(io, channel.txCommit())).toMatchObject({ code: "TRANSACTION_ABORTED" });
  });

  it("is followed by what is settled on a recovered channel while it waits still", async () => {
    const { io, channel, server, cut, comeBack, unblock } = await blocked("tx");
    const calls = [channel.basicPublish(message("m")), channel[end]()];
    await cut();
    await comeBack();
    expect(server().log).toContain("1 basic.publish");
    server().method(0, "connection.blocked", { reason: "memory" });
    await settled(io, Promise.all(calls));
    const again = [channel.basicPublish(message("n")), channel[end]()];
    server().deliver(1, "c", ["d"]);
    await io.settle();
    channel.basicAck({ deliveryTag: 4 });
    await io.settle();
    await unblock();
    await settled(io, Promise.all(again));
    expect(server().log.slice(-3)).toEqual(["1 basic.publish", `1 ${methodOf[end]}`, "1 basic.ack 1"]);
  });

  it("lets what was settled after it go with the channel, when that is closed", async () => {
    const { io, channel, since, unblock } = await blocked("tx");
    const calls = [errorOf(channel.basicPublish(message("m"))), errorOf(channel[end]())];
    channel.basicAck({ deliveryTag: 1 });
    await settled(io, channel.close());
    await Promise.all(calls);
    await unblock();
    expect(since()).toEqual(["1 channel.close"]);
  });

  it.each([
    ["basic.recover", (channel: Channel) => channel.basicRecover()],
    ["basic.recover-async", (channel: Channel) => channel.basicRecoverAsync()],
  ])("is not overtaken by %s, which takes back what is settled behind it", async (name, recover) => {
    const { io, channel, since, unblock } = await blocked("tx");
    const calls = [channel.basicPublish(message("m")), channel[end]()];
    channel.basicAck({ deliveryTag: 1 });
    calls.push(recover(channel));
    // The server has it back when it would be told of this.
    channel.basicAck({ deliveryTag: 2 });
    await unblock();
    await settled(io, Promise.all(calls));
    expect(since()).toEqual(["1 basic.publish", `1 ${methodOf[end]}`, "1 basic.ack 1", `1 ${name}`]);
    expect(() => channel.basicAck({ deliveryTag: 3 })).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
  });
});

describe("tx.select", () => {
  it("does not overtake messages that wait: they are part of no transaction", async () => {
    const { io, channel, since, unblock } = await blocked();
    const calls = [channel.basicPublish(message("plain")), channel.txSelect()];
    channel.basicAck({ deliveryTag: 1 });
    calls.push(channel.basicPublish(message("first")), channel.txCommit());
    channel.basicAck({ deliveryTag: 2 });
    await io.settle();
    expect(since()).toEqual([]);
    expect(channel.mode).toBe("plain");
    await unblock();
    await settled(io, Promise.all(calls));
    const first = ["1 basic.publish", "1 basic.ack 1", "1 tx.commit"];
    expect(since()).toEqual(["1 basic.publish", "1 tx.select", ...first, "1 basic.ack 2"]);
    expect(channel.mode).toBe("tx");
  });

  it("is not sent when its caller gives up before, and what was settled since is part of no transaction", async () => {
    const { io, channel, since, unblock, cut, comeBack, server } = await blocked();
    const publish = channel.basicPublish(message("plain"));
    const controller = new AbortController();
    const selecting = failure(io, channel.txSelect({ signal: controller.signal }));
    channel.basicAck({ deliveryTag: 1 });
    controller.abort();
    expect(await selecting).toMatchObject({ code: "ABORTED", outcome: "not-sent" });
    await unblock();
    await publish;
    expect(since()).toEqual(["1 basic.ack 1", "1 basic.publish"]);
    await cut();
    await comeBack();
    await settled(io, channel.basicPublish(message("m")));
    expect(server().log.slice(-1)).toEqual(["1 basic.publish"]);
    expect(server().sentOf("tx.select")).toEqual([]);
  });

  it("makes a loss of what was settled behind it be missed, and not of the messages before it", async () => {
    const { io, channel, cut, comeBack, server } = await blocked();
    const calls = [channel.basicPublish(message("plain")), channel.txSelect()];
    channel.basicAck({ deliveryTag: 1 });
    calls.push(channel.basicPublish(message("first")));
    await cut();
    await comeBack();
    await settled(io, Promise.all(calls));
    expect(await failure(io, channel.txCommit())).toMatchObject({ code: "TRANSACTION_ABORTED" });
    expect(await failure(io, channel.basicPublish(message("m")))).toMatchObject({ code: "TRANSACTION_ABORTED" });
    // The server has the first message of it.
    await settled(io, channel.txRollback());
    await settled(io, channel.txCommit());
    const since = server().log.slice(server().log.indexOf("1 basic.publish"));
    expect(since).toEqual(["1 basic.publish", "1 tx.select", "1 basic.publish", "1 tx.rollback", "1 tx.commit"]);
  });

  it("is refused at once on a channel with confirms, whatever is unconfirmed", async () => {
    const { io, channel, server } = await withChannel({}, (prepared) => {
      prepared.on("tx.select", ({ channel: number }) =>
        prepared.closeChannel(number, 406, "cannot switch from confirm"),
      );
    });
    await settled(io, channel.confirmSelect());
    const publish = errorOf(channel.basicPublish(message("m")));
    expect(await failure(io, channel.txSelect())).toMatchObject({ replyCode: 406 });
    expect(await stateOf(publish)).toBe("resolved");
    expect(server.log).toContain("1 tx.select");
  });
});
