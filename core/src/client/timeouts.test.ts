/** Timeouts that make no sense are refused at the call, and change nothing: one of them would stop all others. */

import { expect, it } from "vitest";
import { openRpcClient } from "./rpc/rpc-client.ts";
import { bytes, failure, settled, withChannel } from "./testing/fixture.ts";

const bad = [Number.NaN, "5", null] as unknown as readonly number[];
const refused = { code: "INVALID_ARGUMENT", outcome: "not-sent" };

it.each(bad)("a timeout of %s is refused wherever one can be given", async (timeout) => {
  const { io, connection, channel, server } = await withChannel();
  const publisher = await settled(io, connection.openPublisher());
  const consumer = await settled(io, channel.basicConsume({ queue: "q", consumerTag: "c" }));
  const client = await settled(io, openRpcClient(connection));
  const before = server.sent.length;
  const message = { exchange: "", routingKey: "q", body: bytes("m"), timeout };
  for (const call of [
    () => channel.basicPublish(message),
    () => publisher.publish(bytes("m"), { timeout }),
    () => publisher.flush({ timeout }),
    () => consumer.take({ timeout }),
    () => consumer.close({ drain: timeout }),
    () => client.close({ drain: timeout }),
    () => connection.close({ timeout }),
  ]) {
    expect(await failure(io, call())).toMatchObject(refused);
  }
  expect(server.sent).toHaveLength(before);

  // Nothing has come of them.
  const waiting = failure(io, publisher.publish(bytes("m"), { timeout: 100 }));
  const taken = consumer.take({ timeout: 100 });
  await io.advance(200);
  expect(await waiting).toMatchObject({ code: "TIMEOUT" });
  expect(await taken).toBeUndefined();
  const next = consumer.take();
  server.deliver(1, "c", ["m"]);
  expect((await settled(io, next))?.body).toEqual(bytes("m"));
  await settled(io, consumer.close());
  await settled(io, client.close());
  await settled(io, connection.close());
});

it.each([Number.POSITIVE_INFINITY, -1])("a timeout of %s is one", async (timeout) => {
  const { io, connection } = await withChannel();
  const publisher = await settled(io, connection.openPublisher());
  const outcome = publisher.publish(bytes("m"), { timeout }).catch((error: unknown) => error);
  await io.advance(1000);
  const pending = Symbol("pending");
  expect(await Promise.race([outcome, Promise.resolve(pending)])).toEqual(
    timeout < 0 ? expect.objectContaining({ code: "TIMEOUT" }) : pending,
  );
});
