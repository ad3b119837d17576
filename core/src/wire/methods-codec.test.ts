/** Methods from end to end: what the encoder writes, the frame reader and the decoder give back. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameEnd, frameType } from "./constants.ts";
import { decodeAck, decodeDeliver, decodeGetOk, decodeMethod, decodeNack, decodePublish, methodId } from "./decode.ts";
import { writeAck, writeContent, writeDeliver, writeMethod, writeNack, writePublish, writeReject } from "./encode.ts";
import { ProtocolError, UsageError } from "./errors.ts";
import type { Arguments, MethodName } from "./method-types.ts";
import { Output } from "./output.ts";
import { encodeProperties } from "./properties.ts";
import { ShortStrings } from "./short-strings.ts";
import {
  definitions,
  fieldsOf,
  fitsFrame,
  method,
  methodNames,
  properties,
  receivedFields,
} from "./testing/arbitraries.ts";
import { fromHex, taken, toHex } from "./testing/bytes.ts";

const noLimit = 0;
const channel = fc.nat(0xffff);

/** Writes any method; the types of its fields are checked when it is written. */
function write(
  out: Output,
  onChannel: number,
  name: MethodName,
  fields: Record<string, unknown>,
  frameMax = noLimit,
): void {
  writeMethod(out, onChannel, name, fields as Arguments<MethodName>, frameMax);
}

function frameOf(name: MethodName, fields: Record<string, unknown>): Uint8Array {
  const out = new Output();
  write(out, 1, name, fields);
  return taken(out);
}

function payloadOf(name: MethodName, fields: Record<string, unknown>): Uint8Array {
  return frameOf(name, fields).slice(7, -1);
}

describe("any method", () => {
  it("is one frame, and arrives as it was sent", () => {
    fc.assert(
      fc.property(method, channel, ({ name, fields }, onChannel) => {
        const out = new Output();
        write(out, onChannel, name, fields);
        const frame = Buffer.from(taken(out));
        expect(frame[0]).toBe(frameType.method);
        expect(frame.readUInt16BE(1)).toBe(onChannel);
        expect(frame.readUInt32BE(3)).toBe(frame.length - 8);
        expect(frame.at(-1)).toBe(frameEnd);
        expect(methodId(frame, 7)).toBe(definitions[name].id);
        const expected = { name, fields: receivedFields(name, fields) };
        expect(decodeMethod(frame, 7, frame.length - 1)).toStrictEqual(expected);
        expect(decodeMethod(frame, 7, frame.length - 1, new ShortStrings())).toStrictEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps nothing of the chunk it was decoded from", () => {
    fc.assert(
      fc.property(method, ({ name, fields }) => {
        const payload = payloadOf(name, fields);
        const decoded = decodeMethod(payload, 0, payload.length);
        payload.fill(0x7a);
        expect(decoded).toStrictEqual({ name, fields: receivedFields(name, fields) });
      }),
    );
  });

  it.each(methodNames)("%s is refused when a byte is missing or one too many", (name) => {
    fc.assert(
      fc.property(fieldsOf(name), fc.nat(), (fields, cut) => {
        const payload = payloadOf(name, fields);
        expect(() => decodeMethod(payload, 0, cut % payload.length)).toThrow(
          expect.objectContaining({ name: "ProtocolError", code: "FRAME_ERROR" }) as Error,
        );
        const longer = Uint8Array.from([...payload, 0]);
        expect(() => decodeMethod(longer, 0, longer.length)).toThrow(/1 bytes too many/);
      }),
      { numRuns: 15 },
    );
  });

  it.each(methodNames)("%s is refused without a field that has no default, and the error says which", (name) => {
    fc.assert(
      fc.property(fieldsOf(name), (fields) => {
        for (const [field, type] of Object.entries(definitions[name].fields)) {
          if (type.startsWith("reserved")) continue;
          const { [field]: _, ...others } = fields;
          const optional = type === "table" || (type === "bit" && field !== "requeue" && field !== "active");
          if (optional) {
            const byDefault = { ...fields, [field]: type === "bit" ? false : {} };
            expect(toHex(frameOf(name, others))).toBe(toHex(frameOf(name, byDefault)));
          } else {
            const out = new Output();
            expect(() => write(out, 1, name, others)).toThrow(UsageError);
            expect(() => write(out, 1, name, others)).toThrow(new RegExp(`^${name} ${field} `));
            expect(out.size).toBe(0);
          }
        }
      }),
      { numRuns: 5 },
    );
  });

  it("throws nothing but a ProtocolError for any bytes", () => {
    const ids = methodNames.map((name) => definitions[name].id);
    const strings = new ShortStrings();
    fc.assert(
      fc.property(fc.constantFrom(...ids), fc.uint8Array({ maxLength: 60 }), (id, rest) => {
        const payload = Buffer.concat([Buffer.alloc(4), rest]);
        payload.writeUInt32BE(id);
        for (const decode of [decodeMethod, decodeDeliver, decodeGetOk, decodePublish, decodeAck, decodeNack]) {
          try {
            decode(payload, 0, payload.length, strings);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each(["", "00", "000a00", "0000000a", "000a000c", "003c00c8", "ffffffff"])("is not %j", (hex) => {
    const payload = fromHex(hex);
    const code = payload.length < 4 ? "FRAME_ERROR" : "COMMAND_INVALID";
    expect(() => decodeMethod(payload, 0, payload.length)).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe("fields", () => {
  it("share octets where they are bits, the first one lowest", () => {
    const bits = (name: MethodName, fields: Record<string, unknown>): string => toHex(payloadOf(name, fields).slice(4));
    expect(bits("basic.nack", { deliveryTag: 1, multiple: false, requeue: true })).toBe("000000000000000102");
    expect(bits("queue.declare", { queue: "q", durable: true, noWait: true })).toBe(
      "0000" + "0171" + "12" + "00000000",
    );
    expect(bits("access.request", { realm: "", passive: true, active: true, write: true, read: true })).toBe("001e");
  });

  it("that are reserved are zero or empty, and whatever they hold is skipped", () => {
    expect(toHex(frameOf("connection.open", { virtualHost: "/" }))).toBe("0100010000000" + "8000a0028012f0000ce");
    const openOk = fromHex("0014000b 00000003 616263");
    expect(decodeMethod(openOk, 0, openOk.length)).toStrictEqual({ name: "channel.open-ok", fields: {} });
    const open = fromHex("000a0028 012f 03616263 01");
    expect(decodeMethod(open, 0, open.length)).toStrictEqual({ name: "connection.open", fields: { virtualHost: "/" } });
    const getEmpty = fromHex("003c0048 0161");
    expect(decodeMethod(getEmpty, 0, getEmpty.length)).toStrictEqual({ name: "basic.get-empty", fields: {} });
  });

  it("with bits that nobody defined are read", () => {
    const payload = fromHex("003c0050 0000000000000001 ff");
    expect(decodeMethod(payload, 0, payload.length).fields).toStrictEqual({ deliveryTag: 1, multiple: true });
    expect(decodeAck(payload, 0, payload.length)).toStrictEqual({ deliveryTag: 1, multiple: true });
  });

  it("with a delivery tag beyond 2^53 are refused by every decoder", () => {
    const strings = new ShortStrings();
    const tag = "0020000000000000";
    const payloads = [
      ["003c0050", `${tag}00`, decodeAck],
      ["003c0078", `${tag}00`, decodeNack],
      ["003c003c", `0161${tag}000000`, decodeDeliver],
      ["003c0047", `${tag}000000${"00000000"}`, decodeGetOk],
    ] as const;
    for (const [id, fields, decode] of payloads) {
      const payload = fromHex(id + fields);
      const syntaxError = expect.objectContaining({ code: "SYNTAX_ERROR" }) as Error;
      expect(() => decodeMethod(payload, 0, payload.length)).toThrow(syntaxError);
      expect(() => decode(payload, 0, payload.length, strings)).toThrow(syntaxError);
      const last = fromHex(id + fields.replace(tag, "001fffffffffffff"));
      expect(decodeMethod(last, 0, last.length).fields).toMatchObject({ deliveryTag: Number.MAX_SAFE_INTEGER });
    }
  });

  it("with a bad table are a syntax error", () => {
    const payload = fromHex("000a000b 00000003 016155 00 00000000 00");
    expect(() => decodeMethod(payload, 0, payload.length)).toThrow(
      expect.objectContaining({ code: "SYNTAX_ERROR" }) as Error,
    );
  });

  const refused: readonly (readonly [MethodName, string, unknown])[] = [
    ["connection.start", "versionMajor", 256],
    ["connection.tune", "channelMax", 65_536],
    ["connection.tune", "channelMax", -1],
    ["connection.tune", "heartbeat", 1.5],
    ["connection.tune", "frameMax", 2 ** 32],
    ["connection.tune", "frameMax", "131072"],
    ["basic.ack", "deliveryTag", 2 ** 53],
    ["basic.ack", "deliveryTag", 1n],
    ["basic.ack", "multiple", 1],
    ["basic.ack", "multiple", null],
    ["queue.declare", "queue", "q".repeat(256)],
    ["queue.declare", "queue", "é".repeat(128)],
    ["queue.declare", "queue", "\udc00"],
    ["queue.declare", "queue", null],
    ["queue.declare", "arguments", null],
    ["queue.declare", "arguments", [1]],
    ["queue.declare", "arguments", { "x-max-length": () => 1 }],
    ["connection.secure", "challenge", "text"],
  ];

  it.each(refused)("of %s are refused with %s of %o; nothing is written, no value shown", (name, field, value) => {
    fc.assert(
      fc.property(fieldsOf(name), (fields) => {
        const out = new Output();
        out.octet(7);
        const attempt = (): void => write(out, 1, name, { ...fields, [field]: value });
        expect(attempt).toThrow(UsageError);
        expect(attempt).toThrow(new RegExp(`^${name} ${field}`));
        expect(toHex(taken(out))).toBe("07");
      }),
      { numRuns: 3 },
    );
  });

  it("do not show a secret", () => {
    const secret = "hunter2";
    const out = new Output();
    const response = new TextEncoder().encode(secret).subarray(0, 7);
    const attempts: readonly (() => void)[] = [
      () =>
        write(out, 0, "connection.start-ok", {
          clientProperties: {},
          mechanism: "PLAIN",
          response: secret,
          locale: "",
        }),
      () => write(out, 0, "connection.start-ok", { clientProperties: { p: Symbol(secret) }, response }),
      () => write(out, 0, "connection.update-secret", { newSecret: secret, reason: "" }),
      () => write(out, 0, "connection.update-secret", { newSecret: response, reason: `${secret}\ud800` }),
      () => write(out, 0, "connection.open", { virtualHost: secret.repeat(60) }),
    ];
    for (const attempt of attempts) {
      expect(attempt).toThrow(UsageError);
      expect(attempt).toThrow(/^((?!hunter2).)*$/);
    }
  });
});

describe("a method to write", () => {
  it("has to fit into a frame", () => {
    const out = new Output();
    const fields = { queue: "q", arguments: { a: "x".repeat(4096 - 8 - 4 - 2 - 2 - 1 - 4 - 2 - 5) } };
    write(out, 1, "queue.declare", fields, 4096);
    expect(out.size).toBe(4096);
    expect(() => write(out, 1, "queue.declare", { ...fields, queue: "qq" }, 4096)).toThrow(
      /^queue.declare does not fit/,
    );
    expect(() => write(out, 1, "queue.declare", { ...fields, arguments: { a: "x".repeat(5000) } }, 4096)).toThrow(
      UsageError,
    );
    const challenge = new Uint8Array(5000);
    expect(() => write(out, 1, "connection.secure", { challenge }, 4096)).toThrow(
      /^connection.secure challenge is larger/,
    );
    expect(out.size).toBe(4096);
    write(out, 1, "connection.secure", { challenge }, noLimit);
    expect(out.size).toBe(4096 + 8 + 4 + 4 + 5000);
  });

  it.each([-1, 65_536, 1.5, Number.NaN, "1"])("is refused on channel %o", (onChannel) => {
    const out = new Output();
    const number = onChannel as number;
    expect(() => write(out, number, "channel.open", {})).toThrow(/^channel /);
    expect(() => writeAck(out, number, 1, false)).toThrow(UsageError);
    expect(() => writeContent(out, number, {}, new Uint8Array(0), noLimit)).toThrow(UsageError);
    expect(() => writePublish(out, number, { exchange: "", routingKey: "", body: new Uint8Array(0) }, noLimit)).toThrow(
      UsageError,
    );
    expect(out.size).toBe(0);
  });

  it("is refused when it is unknown, or has no fields at all", () => {
    const out = new Output();
    expect(() => write(out, 1, "basic.nonsense" as MethodName, {})).toThrow(UsageError);
    expect(() => write(out, 1, "constructor" as MethodName, {})).toThrow(UsageError);
    expect(() => writeMethod(out, 1, "channel.open", null as unknown as object, noLimit)).toThrow(UsageError);
    expect(() => write(out, 1, "channel.open", {}, 8)).toThrow(/^frameMax /);
  });
});

describe("the straight-line twins", () => {
  const body = fc.uint8Array({ maxLength: 100 });
  const content = fc
    .tuple(fc.option(properties, { nil: undefined }), body, fc.constantFrom(noLimit, 4096, 131_072), channel)
    .filter(([sent, , frameMax]) => fitsFrame(sent, frameMax));
  const twins = new ShortStrings();

  function both(first: (out: Output) => void, second: (out: Output) => void): void {
    const written = [first, second].map((write) => {
      const out = new Output();
      write(out);
      return toHex(taken(out));
    });
    expect(written[0]).toBe(written[1]);
  }

  it("write what the table says: publish", () => {
    fc.assert(
      fc.property(fieldsOf("basic.publish"), content, (fields, [props, payload, frameMax, onChannel]) => {
        const { exchange, routingKey, mandatory } = fields as Arguments<"basic.publish">;
        const table = (out: Output): void => {
          write(out, onChannel, "basic.publish", { exchange, routingKey, mandatory });
          writeContent(out, onChannel, props, payload, frameMax);
        };
        const publication = { exchange, routingKey, mandatory, properties: props, body: payload };
        both((out) => writePublish(out, onChannel, publication, frameMax), table);
        if (props === undefined) return;
        const encoded = { ...publication, properties: encodeProperties(props) };
        both((out) => writePublish(out, onChannel, encoded, frameMax), table);
      }),
    );
  });

  it("write what the table says: deliver", () => {
    fc.assert(
      fc.property(fieldsOf("basic.deliver"), content, (fields, [props, payload, frameMax, onChannel]) => {
        const deliver = fields as unknown as Arguments<"basic.deliver"> & { redelivered: boolean };
        both(
          (out) => writeDeliver(out, onChannel, { ...deliver, properties: props, body: payload }, frameMax),
          (out) => {
            write(out, onChannel, "basic.deliver", fields);
            writeContent(out, onChannel, props, payload, frameMax);
          },
        );
      }),
    );
  });

  it("write what the table says: ack, nack, reject", () => {
    fc.assert(
      fc.property(channel, fc.maxSafeNat(), fc.boolean(), fc.boolean(), (onChannel, deliveryTag, multiple, requeue) => {
        both(
          (out) => writeAck(out, onChannel, deliveryTag, multiple),
          (out) => write(out, onChannel, "basic.ack", { deliveryTag, multiple }),
        );
        both(
          (out) => writeNack(out, onChannel, deliveryTag, multiple, requeue),
          (out) => write(out, onChannel, "basic.nack", { deliveryTag, multiple, requeue }),
        );
        both(
          (out) => writeReject(out, onChannel, deliveryTag, requeue),
          (out) => write(out, onChannel, "basic.reject", { deliveryTag, requeue }),
        );
      }),
    );
  });

  const decoders = [
    ["basic.deliver", decodeDeliver],
    ["basic.get-ok", decodeGetOk],
    ["basic.publish", decodePublish],
    ["basic.ack", decodeAck],
    ["basic.nack", decodeNack],
  ] as const;

  it.each(decoders)("read what the table says, good or bad: %s", (name, decode) => {
    const outcome = (read: () => object): unknown => {
      try {
        return read();
      } catch (error) {
        // Of several things that are wrong, each decoder finds another one first.
        expect(error).toBeInstanceOf(ProtocolError);
        return "refused";
      }
    };
    fc.assert(
      fc.property(fieldsOf(name), fc.nat(), fc.nat(255), fc.nat(3), (fields, position, octet, change) => {
        let payload = payloadOf(name, fields);
        const at = 4 + (position % (payload.length - 4));
        if (change === 1) payload[at] = octet;
        if (change === 2) payload = payload.slice(0, at);
        if (change === 3) payload = Uint8Array.from([...payload, octet]);
        const placed = Uint8Array.from([1, 2, 3, ...payload, 4, 5]);
        const end = placed.length - 2;
        const byTable = outcome(() => decodeMethod(placed, 3, end).fields);
        const byTwin = outcome(() => decode(placed, 3, end, twins));
        expect(byTwin).toStrictEqual(byTable);
      }),
      { numRuns: 1000 },
    );
  });
});
