import {
  type BasicProperties,
  Decimal,
  decodeProperties,
  decodeTable,
  encodeProperties,
  encodeTable,
  type FieldTable,
  frameType,
  Output,
  TypedValue,
  writeMethod,
} from "@leveret/core/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Refusal } from "../failures.ts";
import { array, long, longstr, table, timestamp } from "./field-builders.ts";
import {
  encodeFields,
  integerValue,
  lookup,
  MalformedTable,
  nestedFields,
  normalised,
  parseFields,
  printValue,
  textValue,
} from "./fields.ts";
import { checkFrame, FrameSource } from "./frames.ts";
import { ReaderCrash, receiveMethod } from "./methods.ts";
import { MalformedProperties, Properties } from "./properties.ts";

const everything: FieldTable = {
  text: "x",
  yes: true,
  small: 1,
  large: 2n ** 60n,
  float: 1.5,
  single: new TypedValue("float", 0.5),
  byte: new TypedValue("int8", -1),
  octet: new TypedValue("uint8", 200),
  short: new TypedValue("int16", -300),
  unsignedShort: new TypedValue("uint16", 60_000),
  unsigned: new TypedValue("uint32", 4_000_000_000),
  when: new Date(1_600_000_000_000),
  bytes: Uint8Array.of(1, 2),
  decimal: new Decimal(2, 314),
  none: null,
  list: [1, "a", [true, { x: 1 }]],
  nested: { deep: { deeper: "y" } },
};

describe("fields", () => {
  it("keeps every octet of a table", () => {
    const octets = encodeTable(everything).subarray(4);
    expect(encodeFields(parseFields(octets))).toEqual(octets);
  });

  it("names types and prints values as RabbitMQ does", () => {
    const parsed = parseFields(encodeTable(everything).subarray(4));
    const shown = (name: string): string => {
      const field = lookup(parsed, name);
      return field === undefined ? "missing" : `${field.type} ${printValue(field)}`;
    };
    expect(["text", "yes", "small", "large", "float", "octet", "decimal"].map(shown)).toEqual([
      "longstr x",
      "bool true",
      "signedint 1",
      "long 1152921504606846976",
      "double 1.5",
      "unsignedbyte 200",
      "decimal {2,314}",
    ]);
  });

  it("builds what the wire reads", () => {
    const built = [
      longstr("s", "ü"),
      long("l", -5),
      timestamp("t", 100),
      array("a", [longstr("", "x"), table("", [long("n", 1)])]),
    ];
    const octets = encodeFields(built);
    const whole = Uint8Array.of(0, 0, 0, octets.length, ...octets);
    expect(decodeTable(whole)).toEqual({ s: "ü", l: -5, t: new Date(100_000), a: ["x", { n: 1 }] });
  });

  it("reads nested fields on demand", () => {
    const parsed = parseFields(encodeTable(everything).subarray(4));
    const nested = lookup(parsed, "nested");
    const deep = nested === undefined ? undefined : lookup(nestedFields(nested), "deep");
    expect(deep === undefined ? undefined : textValue(lookup(nestedFields(deep), "deeper"))).toBe("y");
    expect(integerValue(lookup(parsed, "when"))).toBe(1_600_000_000n);
  });

  it("takes a table that is nested far deeper than any stack", () => {
    let octets = new Uint8Array(0);
    const levels: Uint8Array[] = [];
    for (let level = 0; level < 5000; level += 1) {
      const outer = new Uint8Array(octets.length + 7);
      outer.set([1, 0x61, 0x46]);
      new DataView(outer.buffer).setUint32(3, octets.length);
      outer.set(octets, 7);
      octets = outer;
      levels.push(octets);
    }
    expect(parseFields(octets)).toHaveLength(1);
    octets[octets.length - 5] = 0x55;
    expect(() => parseFields(octets)).toThrow(MalformedTable);
  });

  it("refuses whatever is cut off or of an unknown type", () => {
    const octets = encodeTable(everything).subarray(4);
    for (let length = 1; length < 40; length += 1) {
      const cut = octets.subarray(0, length);
      const parse = (): unknown => encodeFields(parseFields(cut));
      try {
        expect(parse()).toEqual(cut);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedTable);
      }
    }
    expect(() => parseFields(Uint8Array.of(1, 0x61, 0x55, 0, 1))).toThrow(MalformedTable);
  });

  it("normalises: sorted by name, the first of each", () => {
    const fields = [long("b", 1), longstr("a", "x"), long("b", 2)];
    expect(normalised(fields).map(({ name }) => name)).toEqual(["a", "b"]);
    expect(integerValue(lookup(normalised(fields), "b"))).toBe(1n);
  });
});

const someProperties: BasicProperties = {
  contentType: "text/plain",
  headers: everything,
  deliveryMode: 2,
  priority: 7,
  replyTo: "r",
  expiration: "5",
  timestamp: new Date(1_600_000_000_000),
  userId: "u",
  clusterId: "c",
};

describe("properties", () => {
  it("reads what the wire writes, and keeps its octets", () => {
    const { bytes } = encodeProperties(someProperties);
    const properties = new Properties(bytes);
    expect(properties.encoded.bytes).toBe(bytes);
    expect(properties).toMatchObject({ deliveryMode: 2, priority: 7, replyTo: "r", expiration: "5", userId: "u" });
    expect(properties.headers).toHaveLength(Object.keys(everything).length);
  });

  it("changes what it is told to, and nothing else", () => {
    const properties = new Properties(encodeProperties(someProperties).bytes);
    const changed = properties.with({ expiration: undefined, replyTo: "other", headers: [longstr("only", "one")] });
    const { expiration: _gone, ...kept } = someProperties;
    expect(decodeProperties(changed.encoded.bytes)).toEqual({ ...kept, replyTo: "other", headers: { only: "one" } });
  });

  it("refuses properties that are cut off, or followed by something", () => {
    const { bytes } = encodeProperties(someProperties);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => new Properties(bytes.subarray(0, length))).toThrow(MalformedProperties);
    }
    expect(() => new Properties(Uint8Array.of(...bytes, 0))).toThrow(MalformedProperties);
  });
});

function frame(type: number, channel: number, payload: Uint8Array, end = 0xce): Uint8Array {
  const octets = new Uint8Array(payload.length + 8);
  const view = new DataView(octets.buffer);
  view.setUint8(0, type);
  view.setUint16(1, channel);
  view.setUint32(3, payload.length);
  octets.set(payload, 7);
  octets[octets.length - 1] = end;
  return octets;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof Refusal ? error.message : String(error);
  }
  return "nothing";
}

describe("frames", () => {
  it("are the same however their octets are cut", () => {
    const payloads = [new Uint8Array(0), Uint8Array.of(1, 2, 3), new Uint8Array(300).fill(7)];
    const octets = Uint8Array.from(payloads.flatMap((payload, index) => [...frame(3, index + 1, payload)]));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 })), (sizes) => {
        const source = new FrameSource(4096);
        const seen: { channel: number; payload: Uint8Array }[] = [];
        let offset = 0;
        for (const size of [...sizes, octets.length]) {
          source.append(octets.slice(offset, offset + size));
          offset += size;
          for (let next = source.next(); next !== undefined; next = source.next()) {
            seen.push({ channel: next.channel, payload: next.payload.slice() });
          }
        }
        expect(seen).toEqual(payloads.map((payload, index) => ({ channel: index + 1, payload })));
        expect(source.waiting).toBe(0);
      }),
    );
  });

  it("may exceed frame-max by eight octets, and no more", () => {
    const source = new FrameSource(4096);
    source.append(frame(3, 1, new Uint8Array(4096)));
    expect(source.next()?.payload).toHaveLength(4096);
    source.append(frame(3, 1, new Uint8Array(4097)).subarray(0, 7));
    expect(codeOf(() => source.next())).toBe("FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,4097,4088}");
  });

  it("end with the end octet", () => {
    const source = new FrameSource(4096);
    source.append(frame(8, 0, new Uint8Array(0), 0xcd));
    expect(codeOf(() => source.next())).toBe("FRAME_ERROR - type 8, all octets = <<>>: {invalid_frame_end_marker,205}");
  });

  it("are of a type that may be on that channel", () => {
    const text = new TextEncoder().encode("abc");
    const check = (type: number, channel: number, payload: Uint8Array): string =>
      codeOf(() => checkFrame({ type, channel, payload }));
    expect(check(7, 1, text)).toBe('FRAME_ERROR - type 7, all octets = <<"abc">>: unknown_frame');
    expect(check(frameType.heartbeat, 0, text)).toMatch(/unknown_frame$/);
    expect(check(frameType.heartbeat, 1, new Uint8Array(0))).toMatch(/^UNEXPECTED_FRAME/);
    expect(check(frameType.body, 0, text)).toMatch(/^UNEXPECTED_FRAME/);
    expect(check(frameType.method, 0, text)).toMatch(/unknown_frame$/);
    expect(check(frameType.body, 1, text)).toBe("nothing");
  });
});

describe("methods", () => {
  function payloadOf(queueArguments: FieldTable): Uint8Array {
    const output = new Output();
    writeMethod(output, 1, "queue.declare", { queue: "q", arguments: queueArguments }, 0);
    const [piece = new Uint8Array(0)] = output.take();
    return piece.slice(7, -1);
  }

  it("come with the types of their arguments", () => {
    const { method, table: fields } = receiveMethod(payloadOf({ "x-max-length": new TypedValue("int64", 5) }));
    expect(method).toMatchObject({ name: "queue.declare", fields: { queue: "q", durable: false } });
    expect(fields).toMatchObject([{ name: "x-max-length", type: "long" }]);
  });

  it("are read to the last octet", () => {
    const payload = payloadOf({ a: 1 });
    expect(codeOf(() => receiveMethod(payload.subarray(0, -1)))).toMatch(/^FRAME_ERROR - cannot decode <</);
    expect(codeOf(() => receiveMethod(Uint8Array.of(...payload, 0)))).toMatch(/^FRAME_ERROR - cannot decode <</);
  });

  it("crash RabbitMQ's reader when they are unknown, or their table is bad", () => {
    expect(() => receiveMethod(Uint8Array.of(0, 99, 0, 1))).toThrow(ReaderCrash);
    const bad = Uint8Array.of(0, 50, 0, 10, 0, 0, 1, 0x71, 0, 0, 0, 0, 5, 1, 0x61, 0x55, 0, 1);
    expect(() => receiveMethod(bad)).toThrow(ReaderCrash);
  });

  it("may have a delivery tag that no number can hold", () => {
    const payload = Uint8Array.of(0, 60, 0, 80, 255, 255, 255, 255, 255, 255, 255, 255, 0);
    expect(codeOf(() => receiveMethod(payload))).toBe(
      "PRECONDITION_FAILED - unknown delivery tag 18446744073709551615",
    );
  });
});
