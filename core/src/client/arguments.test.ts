import { describe, expect, it } from "vitest";
import { TypedValue } from "../wire/field-values.ts";
import {
  checkBindingArguments,
  checkConsumerArguments,
  checkExchangeArguments,
  checkQueueArguments,
} from "./arguments.ts";
import { failure, withChannel } from "./testing/fixture.ts";

const refused = { name: "UsageError", code: "INVALID_ARGUMENT", outcome: "not-sent" };

type Table = Readonly<Record<string, unknown>>;
type Checked = readonly [check: (table: never) => void, good: Readonly<Record<string, unknown[]>>, bad: Table[]];

const checks: Readonly<Record<string, Checked>> = {
  queues: [
    checkQueueArguments,
    {
      "x-queue-type": ["classic", "quorum", "a plugin's"],
      "x-message-ttl": [0, 1, 315_360_000_000, 5n, new TypedValue("int64", 5), undefined],
      "x-expires": [1, 315_360_000_000],
      "x-max-length": [0, 2 ** 40],
      "x-overflow": ["drop-head", "reject-publish", "reject-publish-dlx"],
      "x-delivery-limit": [-1, 0, 20],
      "x-max-priority": [0, 255],
      "x-single-active-consumer": [true, false],
      "x-max-age": ["7D", "30m"],
      "x-queue-version": [1, 2],
      "x-unknown": [null, [1], { a: new Date(0) }],
    },
    [
      { "x-queue-type": 1 },
      { "x-message-ttl": -1 },
      { "x-message-ttl": "1000" },
      { "x-message-ttl": 1.5 },
      { "x-message-ttl": 315_360_000_001 },
      { "x-message-ttl": null },
      { "x-message-ttl": new TypedValue("int64", -5) },
      { "x-expires": 0 },
      { "x-max-length": -1 },
      { "x-max-length-bytes": -1n },
      { "x-overflow": "drop-tail" },
      { "x-dead-letter-exchange": null },
      { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": 7 },
      { "x-dead-letter-routing-key": "dead" },
      { "x-dead-letter-strategy": "exactly-once" },
      { "x-delivery-limit": -2 },
      { "x-max-priority": 256 },
      { "x-single-active-consumer": "true" },
      { "x-max-age": "7 days" },
      { "x-stream-filter-size-bytes": 8 },
      { "x-queue-version": 3 },
    ],
  ],
  exchanges: [
    checkExchangeArguments,
    { "alternate-exchange": ["other"], "x-delayed-type": ["topic"], "hash-header": ["key"], mine: [1] },
    [{ "alternate-exchange": 5 }, { "x-delayed-type": true }],
  ],
  bindings: [
    checkBindingArguments,
    { "x-match": ["all", "any", "all-with-x", "any-with-x"], kind: ["order", 5, null] },
    [{ "x-match": "some" }, { "x-match": 1 }],
  ],
  consumers: [
    checkConsumerArguments,
    {
      "x-priority": [0, -5, 2 ** 31 - 1],
      "x-stream-offset": ["first", "last", "next", 0, 2 ** 40, 5n, new Date(0), "1h"],
      "x-stream-filter": ["emea", ["emea", "apac"]],
      "x-stream-match-unfiltered": [true],
      mine: ["x"],
    },
    [
      { "x-priority": "high" },
      { "x-priority": 2 ** 31 },
      { "x-stream-offset": "latest" },
      { "x-stream-offset": -1 },
      { "x-stream-offset": 1.5 },
      { "x-stream-offset": new Date(Number.NaN) },
      { "x-stream-offset": true },
      { "x-stream-filter": [1] },
      { "x-stream-match-unfiltered": 1 },
    ],
  ],
};

it("says all that a place in a stream may be, of a number too", () => {
  expect(() => checkConsumerArguments({ "x-stream-offset": -1 })).toThrow(/"first".*an offset.*, not -1$/);
});

describe.each(Object.entries(checks))("arguments of %s", (_, [check, good, bad]) => {
  it.each(Object.entries(good))("%s may be", (name, values) => {
    for (const value of values) expect(() => check({ [name]: value } as never)).not.toThrow();
  });

  it.each(bad)("%o is refused, by its name", (table) => {
    const name = Object.keys(table).at(-1) as string;
    expect(() => check(table as never)).toThrow(expect.objectContaining(refused));
    expect(() => check(table as never)).toThrow(name);
  });

  it("are an object, or absent", () => {
    expect(() => check(undefined as never)).not.toThrow();
    for (const wrong of [null, "x", 5, [], new Uint8Array(1)]) {
      expect(() => check(wrong as never)).toThrow(expect.objectContaining(refused));
    }
  });
});

describe("a channel", () => {
  it("sends nothing of what is refused, and lives on", async () => {
    const { io, server, channel } = await withChannel();
    const calls = [
      () => channel.queueDeclare({ arguments: { "x-max-priority": 300 } }),
      () => channel.queueDeclare({ arguments: { "x-max-priority": 300 }, noWait: true }),
      () => channel.exchangeDeclare({ exchange: "x", arguments: { "alternate-exchange": 1 as never } }),
      () => channel.queueBind({ queue: "q", exchange: "x", arguments: { "x-match": "none" as never } }),
      () => channel.exchangeBind({ destination: "d", source: "s", arguments: { "x-match": "none" as never } }),
      () => channel.basicConsume({ queue: "q", arguments: { "x-stream-offset": "latest" } }),
      () => channel.basicConsume({ queue: "q", arguments: { "x-stream-offset": "last" }, prefetch: 0 }, () => {}),
    ];
    for (const call of calls) expect(await failure(io, call())).toMatchObject(refused);
    const unacknowledged = channel.basicConsume({ queue: "q", arguments: { "x-stream-offset": "last" }, noAck: true });
    expect(await failure(io, unacknowledged)).toMatchObject({ code: "NOT_SUPPORTED" });
    expect(server.sent).toEqual([]);
    expect(channel.state).toBe("open");
  });
});
