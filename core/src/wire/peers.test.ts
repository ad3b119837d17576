/** Our bytes against those of other clients' encoders. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writeContent, writeMethod } from "./encode.ts";
import type { Arguments, MethodName } from "./method-types.ts";
import { Output } from "./output.ts";
import { type BasicProperties, decodeProperties, encodeProperties } from "./properties.ts";
import { definitions, fieldsOf, methodNames, properties } from "./testing/arbitraries.ts";
import { taken, toHex } from "./testing/bytes.ts";
import { encodeText } from "./text.ts";
import {
  amqplibCanSend,
  amqplibHeader,
  amqplibMethod,
  cloudamqpProperties,
  rabbitmqClientHeader,
  rabbitmqClientMethod,
  rabbitmqClientMethods,
  readByCloudamqp,
} from "./testing/peers.ts";

const channel = fc.nat(0xffff);

function ourMethod(name: MethodName, onChannel: number, fields: Record<string, unknown>): string {
  const out = new Output();
  writeMethod(out, onChannel, name, fields as Arguments<MethodName>, 0);
  return toHex(taken(out));
}

/** The content header frame. The body is behind it and left out. */
function ourHeader(onChannel: number, bodySize: number, sent: BasicProperties): string {
  const out = new Output();
  writeContent(out, onChannel, sent, new Uint8Array(bodySize), 0);
  const bodyFrameSize = bodySize === 0 ? 0 : bodySize + 8;
  const frames = taken(out);
  return toHex(frames.subarray(0, frames.length - bodyFrameSize));
}

describe("amqplib", () => {
  it.each(methodNames)("encodes %s as we do", (method) => {
    fc.assert(
      fc.property(fieldsOf(method).filter(amqplibCanSend), channel, (fields, onChannel) => {
        expect(ourMethod(method, onChannel, fields)).toBe(toHex(amqplibMethod(method, onChannel, fields)));
      }),
      { numRuns: 40 },
    );
  });

  it("encodes content headers as we do", () => {
    fc.assert(
      fc.property(properties.filter(amqplibCanSend), channel, fc.nat(1000), (sent, onChannel, size) => {
        expect(ourHeader(onChannel, size, sent)).toBe(toHex(amqplibHeader(onChannel, size, sent)));
      }),
      { numRuns: 300 },
    );
  });
});

/** What these encoders send as we do: they choose other types for some numbers, and cannot send all of ours. */
const name = fc.string({ maxLength: 20 }).filter((candidate) => candidate !== "__proto__");
const options = { maxKeys: 5, noNullPrototype: true };
const plainTable = fc.dictionary(
  name,
  fc.oneof(
    fc.string(),
    fc.boolean(),
    fc.array(fc.string(), { maxLength: 3 }),
    fc.dictionary(name, fc.boolean(), options),
  ),
  options,
);

describe("rabbitmq-client", () => {
  it("knows most methods", () => {
    expect(rabbitmqClientMethods.length).toBeGreaterThan(50);
  });

  it.each(rabbitmqClientMethods)("encodes %s as we do", (method) => {
    const types = Object.entries(definitions[method].fields);
    fc.assert(
      fc.property(fieldsOf(method), plainTable, fc.string(), channel, (generated, table, longText, onChannel) => {
        const fields = { ...generated };
        for (const [field, type] of types) {
          if (type === "table") fields[field] = table;
          if (type === "longstr") fields[field] = encodeText(longText);
          // It takes these for signed.
          if (type === "long") fields[field] = (generated[field] as number) & 0x7fff_ffff;
        }
        expect(ourMethod(method, onChannel, fields)).toBe(toHex(rabbitmqClientMethod(method, onChannel, fields)));
      }),
      { numRuns: 25 },
    );
  });

  it("encodes content headers as we do", () => {
    fc.assert(
      fc.property(properties, plainTable, channel, fc.nat(1000), (generated, headers, onChannel, size) => {
        const sent = generated.headers === undefined ? generated : { ...generated, headers };
        expect(ourHeader(onChannel, size, sent)).toBe(toHex(rabbitmqClientHeader(onChannel, size, sent)));
      }),
    );
  });
});

describe("@cloudamqp/amqp-client", () => {
  // It leaves out what is empty or 0, and does not know clusterId.
  const sendable = fc.tuple(properties, plainTable).map(([generated, headers]) => {
    const { clusterId: _, ...known } = generated;
    const entries = Object.entries(known).filter(([, value]) => value !== "" && value !== 0);
    return { ...(Object.fromEntries(entries) as BasicProperties), headers };
  });

  it("encodes properties as we do, and each reads the other's", () => {
    fc.assert(
      fc.property(sendable, (sent) => {
        const bytes = cloudamqpProperties(sent);
        expect(toHex(encodeProperties(sent).bytes)).toBe(toHex(bytes));
        expect(decodeProperties(bytes)).toStrictEqual(sent);
        expect(readByCloudamqp(bytes)).toStrictEqual(sent);
      }),
    );
  });
});
