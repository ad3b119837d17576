import { expect, it } from "vitest";
import { UsageError } from "../wire/errors.ts";
import { type ConsumerInterruption, keepConsuming, type KeepOptions } from "./kept-consumer.ts";
import { failure, settled } from "./testing/fixture.ts";
import { firstDelay, recovering, type Recovering } from "./testing/recovering.ts";
import type { FakeServer } from "./testing/fake-server.ts";

async function kept(options: Partial<KeepOptions> = {}, prepare?: (server: FakeServer, number: number) => void) {
  const fixture: Recovering = await recovering({}, prepare);
  const interruptions: ConsumerInterruption[] = [];
  const got: string[] = [];
  const all = { queue: "q", onInterruption: (one: ConsumerInterruption) => interruptions.push(one), ...options };
  const consumer = await settled(
    fixture.io,
    keepConsuming(fixture.connection, all, ({ body }) => void got.push(new TextDecoder().decode(body))),
  );
  const cancel = async (): Promise<void> => {
    fixture.server().method(1, "basic.cancel", { consumerTag: consumer.consumer.consumerTag, noWait: true });
    await fixture.io.settle();
  };
  return { ...fixture, consumer, interruptions, got, cancel };
}

it("refuses a drain that is no number, and can be closed afterwards", async () => {
  const { io, consumer, connection } = await kept();
  expect(await failure(io, consumer.close({ drain: Number.NaN }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(consumer.state).toBe("consuming");
  await settled(io, consumer.close());
  expect([consumer.state, connection.channelCount]).toEqual(["ended", 0]);
});

it("starts a consumer again that the server cancelled, on a channel of its own", async () => {
  const { io, consumer, interruptions, got, cancel, server, connection } = await kept();
  const first = consumer.consumer;
  await cancel();
  expect(consumer.state).toBe("waiting");
  expect(interruptions).toMatchObject([{ cause: { code: "CONSUMER_CANCELLED" }, attempt: 1, delay: firstDelay }]);
  await io.advance(firstDelay);
  expect(consumer.state).toBe("consuming");
  expect(consumer.consumer).not.toBe(first);
  expect(connection.channelCount).toBe(1);
  server().deliver(1, consumer.consumer.consumerTag, ["m"]);
  await io.settle();
  expect(got).toEqual(["m"]);
  await settled(io, consumer.close());
  expect(await consumer.ended).toEqual({ type: "cancelled" });
  expect([consumer.state, connection.channelCount]).toEqual(["ended", 0]);
});

it("prepares each start, and tries again with longer and longer waits where that fails", async () => {
  let refusals = 3;
  const prepared: number[] = [];
  const { io, consumer, interruptions, cancel } = await kept({
    prepare: async (channel) => {
      prepared.push(channel.number);
      if (prepared.length > 1 && refusals > 0) {
        refusals -= 1;
        throw new Error("not yet");
      }
    },
  });
  await cancel();
  await io.advance(30_000);
  expect(consumer.state).toBe("consuming");
  expect(prepared).toHaveLength(5);
  expect(interruptions.map(({ attempt, delay }) => [attempt, delay])).toEqual([
    [1, 750],
    [2, 1_500],
    [3, 3_000],
    [4, 6_000],
  ]);
  expect(interruptions[1]?.cause).toEqual(new Error("not yet"));
});

it("waits for room where a limit is reached, and reports what makes no sense and so is not tried again", async () => {
  const problems = [undefined, "LIMIT_REACHED", undefined, "INVALID_ARGUMENT"] as const;
  let starts = 0;
  const { io, consumer, cancel, connection } = await kept({
    prepare: () => {
      const code = problems[starts];
      starts += 1;
      if (code !== undefined) throw new UsageError(code, "no");
    },
  });
  const reported: unknown[] = [];
  connection.on("callback-error", ({ error }) => reported.push(error));
  await cancel();
  await io.advance(10_000);
  expect([starts, consumer.state]).toEqual([3, "consuming"]);
  expect(reported).toEqual([]);
  await cancel();
  await io.advance(10_000);
  expect([starts, consumer.state]).toEqual([4, "ended"]);
  expect(reported).toMatchObject([{ code: "INVALID_ARGUMENT" }]);
});

it("starts a consumer again that could not be recovered", async () => {
  const { io, consumer, interruptions, cut, server } = await kept({}, (prepared, number) => {
    let refusals = number === 1 ? 1 : 0;
    prepared.on("basic.consume", ({ channel, fields }) => {
      refusals -= 1;
      if (refusals >= 0) prepared.closeChannel(channel, 404, "NOT_FOUND");
      else prepared.method(channel, "basic.consume-ok", { consumerTag: fields["consumerTag"] as string });
    });
  });
  await cut();
  await io.advance(10_000);
  expect(interruptions).toMatchObject([{ cause: { code: "CONSUMER_NOT_RECOVERED" } }]);
  expect(consumer.state).toBe("consuming");
  expect(server().sentOf("basic.consume")).toHaveLength(2);
});

it("gives up when it is told to, and says why the consumer ended", async () => {
  const { io, consumer, cancel } = await kept({ backoff: { maxAttempts: 1 }, prepare: failsLater() });
  await cancel();
  await io.advance(60_000);
  expect(await consumer.ended).toEqual({ type: "cancelled-by-server" });
});

function failsLater(): () => void {
  let starts = 0;
  return () => {
    starts += 1;
    if (starts > 1) throw new Error("gone");
  };
}

it("ends with the connection, also while it waits, and leaves no timer", async () => {
  const { io, connection, consumer, cancel } = await kept();
  await cancel();
  await settled(io, connection.close());
  expect([await consumer.ended, consumer.state]).toEqual([{ type: "closed" }, "ended"]);
  expect(io.timers).toBe(0);
});

it("ends when it is closed while it waits", async () => {
  const { io, consumer, cancel, connection } = await kept();
  await cancel();
  await settled(io, consumer.close());
  expect([await consumer.ended, connection.channelCount]).toEqual([{ type: "cancelled" }, 0]);
});

it("fails at once where the first start does, and for what makes no sense", async () => {
  const { io, connection } = await recovering({}, (server) => {
    server.on("basic.consume", ({ channel }) => server.closeChannel(channel, 404, "NOT_FOUND"));
  });
  const start = (options: object) =>
    failure(
      io,
      keepConsuming(connection, { queue: "q", ...options }, () => {}),
    );
  expect(await start({})).toMatchObject({ replyCode: 404 });
  const refused = { code: "INVALID_ARGUMENT" };
  for (const options of [{ prepare: 1 }, { onInterruption: "x" }, { backoff: { base: 0 } }])
    expect(await start(options)).toMatchObject(refused);
});
