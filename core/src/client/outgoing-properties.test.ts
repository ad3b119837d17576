import { describe, expect, it } from "vitest";
import { TypedValue } from "../wire/field-values.ts";
import { encodeProperties, type OutgoingProperties } from "./outgoing-properties.ts";
import { bytes, connected, errorOf, failure, settled, withChannel } from "./testing/fixture.ts";

const refused = { name: "UsageError", code: "INVALID_ARGUMENT", outcome: "not-sent" };

const bad: readonly [properties: unknown, message: string][] = [
  [{ headers: { CC: "audit" } }, 'the header CC is an array of strings, not "audit"'],
  [{ headers: { CC: null } }, "the header CC is an array of strings, not null"],
  [{ headers: { CC: ["audit", 5] } }, "the header CC is an array of strings, not an array"],
  [{ headers: { BCC: { 0: "audit" } } }, "the header BCC is an array of strings, not an object"],
  ...["", "5s", "1.5", "-1", " 5", "0x10", "315360000001", "later"].map((expiration): [unknown, string] => [
    { expiration },
    `expiration is milliseconds in decimal digits, at most 315360000000, not ${JSON.stringify(expiration)}`,
  ]),
];

const good: readonly OutgoingProperties[] = [
  {},
  { headers: {} },
  { headers: { CC: ["a", "b"], BCC: [], mine: "CC" } },
  { headers: { CC: undefined } },
  { headers: { CC: [new Uint8Array([0xff]), new TypedValue("longstr", "a")] as never } },
  { expiration: "0" },
  { expiration: "315360000000" },
];

describe("properties that RabbitMQ would close the channel for", () => {
  it.each(bad)("are refused at the call: %j", async (given, message) => {
    const properties = given as OutgoingProperties;
    const { io, server, channel, connection } = await withChannel();
    const publish = channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("1"), properties });
    expect(await errorOf(publish)).toMatchObject({ ...refused, message });
    const publisher = await settled(io, connection.openPublisher({ routingKey: "q" }));
    expect(await errorOf(publisher.publish(bytes("1"), { properties }))).toMatchObject({ ...refused, message });
    expect(() => publisher.send(bytes("1"), { properties })).toThrow(message);
    expect(() => encodeProperties(properties)).toThrow(message);
    await io.settle();
    expect(server.sentOf("basic.publish")).toEqual([]);
    expect(channel.state).toBe("open");
  });

  it("are refused where they are to be those of all messages", async () => {
    const { io, connection } = await connected();
    const opening = connection.openPublisher({ properties: { expiration: "soon" } });
    expect(await failure(io, opening)).toMatchObject(refused);
    expect(connection.channelCount).toBe(0);
  });

  it.each(good)("are no others: %j", async (properties) => {
    const { io, server, channel } = await withChannel();
    await channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("1"), properties });
    encodeProperties(properties);
    await io.settle();
    expect(server.sentOf("basic.publish")).toHaveLength(1);
  });
});
