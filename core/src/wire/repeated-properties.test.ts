import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writePublish } from "./encode.ts";
import { type FieldTable, TypedValue } from "./field-values.ts";
import { Output } from "./output.ts";
import { type BasicProperties, EncodedProperties, encodeProperties } from "./properties.ts";
import { RepeatedProperties } from "./repeated-properties.ts";
import { properties as anyProperties } from "./testing/arbitraries.ts";
import { taken, toHex } from "./testing/bytes.ts";

const rich = (): BasicProperties => ({
  contentType: "text/plain",
  headers: { tenant: "acme", attempt: 3, traced: true, sampled: true, nothing: null, count: 5n },
  deliveryMode: 2,
  correlationId: "c",
  timestamp: new Date(1_700_000_000_000),
});

/** What a publish with these properties comes to: its bytes, or its error. */
function published(properties: unknown, repeated?: RepeatedProperties): string {
  const out = new Output();
  const publication = { exchange: "e", routingKey: "k", properties: properties as BasicProperties };
  try {
    writePublish(out, 1, { ...publication, body: new Uint8Array(1) }, 4096, repeated);
  } catch (error) {
    expect(out.size).toBe(0);
    return String(error);
  }
  return toHex(taken(out));
}

/** Whether `second` is known after `first` was sent. */
function isKnown(first: BasicProperties, second: BasicProperties): boolean {
  const repeated = new RepeatedProperties();
  repeated.find(first);
  return repeated.find(second) instanceof EncodedProperties;
}

describe("properties that repeat", () => {
  it("are encoded once, for the second time", () => {
    const repeated = new RepeatedProperties();
    const first = rich();
    expect(repeated.find(first)).toBe(first);
    const encoded = repeated.find(rich());
    expect(encoded).toEqual(encodeProperties(rich()));
    expect(repeated.find(first)).toBe(encoded);
  });

  it("are found again soon where nothing repeated for long", () => {
    const repeated = new RepeatedProperties();
    for (let i = 0; i < 1000; i += 1) repeated.find({ messageId: String(i) });
    const found = Array.from({ length: 130 }, () => repeated.find(rich()) instanceof EncodedProperties);
    expect(found.at(-1)).toBe(true);
  });

  it("are not forgotten for one message that differs", () => {
    const repeated = new RepeatedProperties();
    for (let i = 0; i < 3; i += 1) repeated.find(rich());
    repeated.find({ messageId: "x" });
    expect(repeated.find(rich())).toBeInstanceOf(EncodedProperties);
  });

  it("are none, or encoded already", () => {
    const repeated = new RepeatedProperties();
    const encoded = encodeProperties(rich());
    for (const same of [undefined, encoded]) {
      expect(repeated.find(same)).toBe(same);
      expect(repeated.find(same)).toBe(same);
    }
  });

  it("may differ in what is not encoded", () => {
    expect(isKnown(rich(), { ...rich(), timestamp: new Date(1_700_000_000_999) })).toBe(true);
    expect(isKnown({ deliveryMode: 1 }, { deliveryMode: 1, headers: undefined })).toBe(true);
    expect(isKnown({ deliveryMode: 0 }, { deliveryMode: -0 })).toBe(true);
  });

  it.each<[string, (properties: BasicProperties) => BasicProperties]>([
    ["a value", (all) => ({ ...all, correlationId: "d" })],
    ["one more", (all) => ({ ...all, appId: "" })],
    ["one less", (all) => ({ ...all, contentType: undefined })],
    ["the second", (all) => ({ ...all, timestamp: new Date(1_700_000_001_000) })],
    ["a time that is none", (all) => ({ ...all, timestamp: new Date(NaN) })],
    ["a header", (all) => ({ ...all, headers: { ...all.headers, attempt: 4 } })],
    ["the type of a header", (all) => ({ ...all, headers: { ...all.headers, count: 5 } })],
    ["one more header", (all) => ({ ...all, headers: { ...all.headers, more: 1 } })],
    ["one header less", (all) => ({ ...all, headers: { ...all.headers, tenant: undefined } })],
    [
      "the order of headers",
      (all) => ({ ...all, headers: { tenant: "acme", attempt: 3, sampled: true, ...all.headers } }),
    ],
    ["empty headers", (all) => ({ ...all, headers: {} })],
    ["no headers", (all) => ({ ...all, headers: undefined })],
    ["headers that are inherited", (all) => ({ ...all, headers: Object.create(all.headers ?? null) as FieldTable })],
    [
      "headers of a class",
      (all) => ({ ...all, headers: Object.assign(new (class Headers {})(), all.headers) as never }),
    ],
    ["headers that are a map", (all) => ({ ...all, headers: new Map() as never })],
  ])("differ by %s", (_, change) => {
    const repeated = new RepeatedProperties();
    const all = rich();
    published(all, repeated);
    published(all, repeated);
    expect(published(change(all), repeated)).toBe(published(change(all)));
    expect(published(all, repeated)).toBe(published(all));
  });

  it("tell no headers from empty ones", () => {
    expect(isKnown({ headers: {} }, {})).toBe(false);
    expect(isKnown({}, { headers: {} })).toBe(false);
    expect(isKnown({ headers: {} }, { headers: {} })).toBe(true);
  });

  it.each<[string, FieldTable]>([
    ["a table", { a: { b: 1 } }],
    ["an array", { a: [1] }],
    ["bytes", { a: Uint8Array.of(1) }],
    ["a time", { a: new Date(0) }],
    ["a typed value", { a: new TypedValue("int8", 1) }],
  ])("are not looked for where a header is %s", (_, headers) => {
    expect(isKnown({ headers }, { headers })).toBe(false);
  });

  it("are encoded each time where they are large", () => {
    const headers = { large: "x".repeat(3000) };
    expect(isKnown({ headers }, { headers })).toBe(false);
  });

  it.each([
    ["properties", "text"],
    ["properties", null],
    ["a value", { priority: 256 }],
    ["a value", { contentType: {} }],
    ["headers", { headers: "text" }],
    ["a header", { headers: { a: NaN } }],
    ["a header", { headers: { a: () => {} } }],
    ["a time", { timestamp: "now" }],
    ["the size of a header", { headers: { a: "x".repeat(5000) } }],
    ["the size of headers", { headers: Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`name${i}`, i])) }],
  ])("are refused each time for %s", (_, properties) => {
    const repeated = new RepeatedProperties();
    const refusal = published(properties);
    expect(refusal).toMatch("UsageError");
    for (let i = 0; i < 4; i += 1) expect(published(properties, repeated)).toBe(refusal);
  });

  it("are what a getter says at that moment", () => {
    let reads = 0;
    const properties: BasicProperties = {
      get messageId() {
        reads += 1;
        return reads % 3 === 0 ? "b" : "a";
      },
    };
    const repeated = new RepeatedProperties();
    const legal = ["a", "b"].map((messageId) => published({ messageId }));
    for (let i = 0; i < 20; i += 1) {
      expect(legal).toContain(published(properties, repeated));
      for (const messageId of ["a", "b"]) expect(published({ messageId }, repeated)).toBe(published({ messageId }));
    }
  });

  it("come to the bytes that the encoder makes of them, however objects change between the messages", () => {
    const some = fc.constantFrom("a", "b", undefined);
    const header = fc.constantFrom<FieldTable[string]>("a", 1, 0, -0, 1n, true, null, undefined, 0.5, [1]);
    const name = fc.constantFrom("x", "y", "__proto__");
    const time = fc.constantFrom(0, 1, 999, 1000, NaN);
    const which = fc.nat(2);
    type Sender = { properties: Record<string, unknown>; headers: Record<string, unknown>; timestamp: Date };
    const define = (object: object, key: string, value: unknown): void =>
      void Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constant(() => {}) },
      {
        weight: 1,
        arbitrary: some.map(
          (value) =>
            ({ properties }: Sender) =>
              define(properties, "messageId", value),
        ),
      },
      {
        weight: 1,
        arbitrary: some.map(
          (value) =>
            ({ properties }: Sender) =>
              define(properties, "type", value),
        ),
      },
      { weight: 1, arbitrary: fc.constant(({ properties }: Sender) => void delete properties["messageId"]) },
      {
        weight: 2,
        arbitrary: fc.tuple(name, header).map(
          ([key, value]) =>
            ({ headers }: Sender) =>
              define(headers, key, value),
        ),
      },
      {
        weight: 1,
        arbitrary: name.map(
          (key) =>
            ({ headers }: Sender) =>
              void Reflect.deleteProperty(headers, key),
        ),
      },
      {
        weight: 1,
        arbitrary: time.map(
          (value) =>
            ({ timestamp }: Sender) =>
              void timestamp.setTime(value),
        ),
      },
      {
        weight: 1,
        arbitrary: anyProperties.map(
          (value) =>
            ({ properties }: Sender) =>
              void Object.assign(properties, value),
        ),
      },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(which, step), { maxLength: 60 }), (steps) => {
        const senders = Array.from({ length: 3 }, (): Sender => {
          const headers = {};
          const timestamp = new Date(0);
          return { properties: { headers, timestamp }, headers, timestamp };
        });
        const repeated = new RepeatedProperties();
        for (const [index, change] of steps) {
          const sender = senders[index]!;
          change(sender);
          expect(published(sender.properties, repeated)).toBe(published(sender.properties));
        }
      }),
    );
  });
});
