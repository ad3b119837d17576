import { describe, expect, it } from "vitest";
import { Decimal, type FieldTable, type FieldValue, TypedValue } from "../wire/field-values.ts";
import {
  acquiredCountOf,
  ccOf,
  deathCountOf,
  deathsOf,
  deliveryCountOf,
  firstDeathOf,
  lastDeathOf,
  streamOffsetOf,
} from "./message-headers.ts";

const message = (headers?: FieldTable) => ({ properties: headers === undefined ? {} : { headers } });

// As RabbitMQ 3.10 writes it, for a message that expired twice in `retry` and was rejected three times from `work`.
const rejected = {
  count: 3,
  exchange: "",
  queue: "work",
  reason: "rejected",
  "routing-keys": ["work", "audit"],
  time: new Date(1_700_000_000_000),
};
const expired = { ...rejected, count: 2n, queue: "retry", reason: "expired", "original-expiration": "500" };
const dead = message({
  "x-death": [rejected, expired],
  "x-first-death-exchange": "orders",
  "x-first-death-queue": "work",
  "x-first-death-reason": "rejected",
});

describe("deaths", () => {
  it("are read in their order, the latest first", () => {
    expect(deathsOf(dead)).toEqual([
      {
        queue: "work",
        reason: "rejected",
        count: 3,
        exchange: "",
        routingKeys: ["work", "audit"],
        time: new Date(1_700_000_000_000),
        originalExpiration: undefined,
      },
      {
        queue: "retry",
        reason: "expired",
        count: 2,
        exchange: "",
        routingKeys: ["work", "audit"],
        time: new Date(1_700_000_000_000),
        originalExpiration: "500",
      },
    ]);
  });

  it("are counted by queue and by reason", () => {
    expect(deathCountOf(dead)).toBe(5);
    expect(deathCountOf(dead, { queue: "work" })).toBe(3);
    expect(deathCountOf(dead, { reason: "expired" })).toBe(2);
    expect(deathCountOf(dead, { queue: "work", reason: "expired" })).toBe(0);
    expect(deathCountOf(message())).toBe(0);
  });

  it("have a first and a last place", () => {
    expect(firstDeathOf(dead)).toEqual({ queue: "work", reason: "rejected", exchange: "orders" });
    expect(lastDeathOf(dead)).toMatchObject({ queue: "work", reason: "rejected", exchange: "" });
    const newer = message({ "x-last-death-queue": "q", "x-last-death-reason": "maxlen", "x-last-death-exchange": "x" });
    expect(lastDeathOf(newer)).toEqual({ queue: "q", reason: "maxlen", exchange: "x" });
    expect(firstDeathOf(message({}))).toBeUndefined();
    expect(lastDeathOf(message())).toBeUndefined();
  });
});

describe("counts and places", () => {
  it("are read where they are", () => {
    expect(deliveryCountOf(message({ "x-delivery-count": 4 }))).toBe(4);
    expect(deliveryCountOf(message())).toBe(0);
    expect(acquiredCountOf(message({ "x-acquired-count": 2n }))).toBe(2);
    expect(streamOffsetOf(message({ "x-stream-offset": 0 }))).toBe(0);
    expect(streamOffsetOf(message({ "x-stream-offset": 2n ** 60n }))).toBe(2n ** 60n);
    expect(streamOffsetOf(message())).toBeUndefined();
    expect(ccOf(message({ CC: ["a", "b"] }))).toEqual(["a", "b"]);
    expect(ccOf(message())).toEqual([]);
  });
});

describe("headers that somebody else wrote", () => {
  const odd: FieldValue[] = [
    null,
    true,
    -1,
    1.5,
    "x",
    new Date(0),
    new Uint8Array(2),
    [],
    [null, 5, "x", [], {}, new Date(0), { queue: 5, reason: "x" }],
    {},
    { queue: "q" },
    new Decimal(1, 5),
    new TypedValue("int8", 1),
  ];

  it.each(odd.map((value) => [value]))("are passed over: %o", (value) => {
    const names = ["x-death", "x-delivery-count", "x-acquired-count", "x-stream-offset", "CC"];
    const places = ["x-first-death-queue", "x-first-death-reason", "x-last-death-reason", "x-last-death-exchange"];
    const one = message(Object.fromEntries([...names, ...places].map((name) => [name, value])));
    expect(deathsOf(one)).toEqual([]);
    expect(deathCountOf(one)).toBe(0);
    expect([deliveryCountOf(one), acquiredCountOf(one)]).toEqual([0, 0]);
    expect(streamOffsetOf(one)).toBeUndefined();
    expect(ccOf(one).every((key) => typeof key === "string")).toBe(true);
    expect(lastDeathOf(one)).toBeUndefined();
  });

  it("may lack a part of a death", () => {
    expect(deathsOf(message({ "x-death": [{ queue: "q", reason: "rejected", count: "many", time: 5 }] }))).toEqual([
      {
        queue: "q",
        reason: "rejected",
        count: 1,
        exchange: "",
        routingKeys: [],
        time: undefined,
        originalExpiration: undefined,
      },
    ]);
  });
});
