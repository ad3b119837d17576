/** Properties that do not parse: whoever looks at them hears of it, and nobody else. */

import { expect, it } from "vitest";
import { EncodedProperties } from "../wire/properties.ts";
import { instrument } from "./instrumentation/observer.ts";
import { bytes, connected, settled, stateOf, withChannel } from "./testing/fixture.ts";
import { recoveringChannel } from "./testing/recovering.ts";

/** The flag of headers, and no headers. */
const unreadable = new EncodedProperties(Uint8Array.of(0x20, 0));

it("a message with such that is forwarded and comes back is known by its body", async () => {
  const { io, connection, channel, server } = await withChannel();
  await settled(io, channel.confirmSelect());
  // The fake server could not read them either.
  server.stream.written = () => {};
  const message = { exchange: "", routingKey: "q", mandatory: true, properties: unreadable };
  const failed: unknown[] = [];
  const [back, taken] = ["back", "taken"].map((text) => channel.basicPublish({ ...message, body: bytes(text) }));
  back?.catch((error: unknown) => failed.push(error));
  const header = [2, 0, 1, 0, 0, 0, 14, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0x20, 0, 0xce];
  const body = [3, 0, 1, 0, 0, 0, 4, ...bytes("back"), 0xce];
  const noRoute = { replyCode: 312, replyText: "NO_ROUTE", exchange: "", routingKey: "q" };
  server.together((answer) => answer.method(1, "basic.return", noRoute).raw(...header, ...body));
  server.confirm(1, 1);
  server.confirm(1, 2);
  await io.settle();
  expect(connection.state).toBe("open");
  expect(failed).toMatchObject([{ code: "UNROUTABLE" }]);
  expect(await stateOf(taken as Promise<void>)).toBe("resolved");
});

it("a message with such is forwarded with hooks as without them", async () => {
  const { io, connection, server } = await connected({ instrumentation: instrument({ publish: () => undefined }) });
  const channel = await settled(io, connection.openChannel());
  server.stream.written = () => {};
  const { writes } = server.stream;
  await channel.basicPublish({ exchange: "", routingKey: "q", properties: unreadable, body: bytes("m") });
  await io.settle();
  expect(server.stream.writes).toBe(writes + 1);
});

it("the last message of a stream with such is no place to go on from", async () => {
  const { io, channel, cut, comeBack, server } = await recoveringChannel();
  const options = { queue: "s", consumerTag: "c", arguments: { "x-stream-offset": "first" } } as const;
  await settled(
    io,
    channel.basicConsume(options, () => {}),
  );
  const header = [2, 0, 1, 0, 0, 0, 14, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 0, 0xce];
  const fields = { consumerTag: "c", deliveryTag: 1, redelivered: false, exchange: "", routingKey: "s" };
  server().together((answer) =>
    answer.method(1, "basic.deliver", fields).raw(...header, 3, 0, 1, 0, 0, 0, 1, 0x6d, 0xce),
  );
  await io.settle();
  await cut();
  await comeBack();
  expect(server().sentOf("basic.consume")[0]?.fields["arguments"]).toEqual({ "x-stream-offset": "first" });
});
