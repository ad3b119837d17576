/** Real traffic: every frame is understood, and comes out of our encoder as it went in. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { joined } from "./bytes.ts";
import { frameType, protocolHeader } from "./constants.ts";
import { decodeContentHeader, decodeMethod } from "./decode.ts";
import { writeContent, writeHeartbeat, writeMethod } from "./encode.ts";
import { Decimal } from "./field-values.ts";
import { FrameReader } from "./frame-reader.ts";
import type { Arguments, Method, MethodName } from "./method-types.ts";
import { Output } from "./output.ts";
import { type BasicProperties, decodeProperties, EncodedProperties, encodeProperties } from "./properties.ts";
import { ShortStrings } from "./short-strings.ts";
import { methodNames } from "./testing/arbitraries.ts";
import { fromHex, taken, toHex } from "./testing/bytes.ts";

/** Everything one side of one connection sent. */
interface Side {
  readonly label: string;
  readonly frames: readonly Uint8Array[];
}

function readSides(file: string): Side[] {
  const frames = new Map<string, Uint8Array[]>();
  for (const line of readFileSync(new URL(file, import.meta.url), "utf8")
    .trim()
    .split("\n")) {
    const [connection, peer, hex] = line.split(" ") as [string, string, string];
    const label = `${connection} ${peer}`;
    frames.set(label, [...(frames.get(label) ?? []), fromHex(hex)]);
  }
  return [...frames].map(([label, list]) => ({ label, frames: list }));
}

const sides = readSides("./golden/rabbitmq-3.10.8.txt");

/** What a stream of frames says. */
interface Transcript {
  readonly methods: Method[];
  readonly properties: BasicProperties[];
  readonly bodies: string[];
}

/** Reads a stream, and writes every method and content that was understood again. */
function readAndWrite(stream: Uint8Array): { transcript: Transcript; written: Uint8Array } {
  const transcript: Transcript = { methods: [], properties: [], bodies: [] };
  const out = new Output();
  const strings = new ShortStrings();
  const reader = new FrameReader(4096);
  let content: { properties: EncodedProperties; size: number; body: Uint8Array } | undefined;
  reader.append(stream);
  while (reader.next()) {
    const { type, channel, bytes, start, end } = reader;
    if (type === frameType.method) {
      const method = decodeMethod(bytes, start, end, strings);
      transcript.methods.push(method);
      writeMethod(out, channel, method.name, method.fields as Arguments<MethodName>, 4096);
    } else if (type === frameType.header) {
      const { bodySize, propertiesStart } = decodeContentHeader(bytes, start, end);
      transcript.properties.push(decodeProperties(bytes, propertiesStart, end, strings));
      const properties = new EncodedProperties(bytes.slice(propertiesStart, end));
      content = { properties, size: bodySize, body: new Uint8Array(0) };
    } else if (type === frameType.body && content !== undefined) {
      content.body = joined([content.body, bytes.subarray(start, end)]);
    } else {
      writeHeartbeat(out);
    }
    if (content !== undefined && content.body.length === content.size) {
      transcript.bodies.push(new TextDecoder().decode(content.body));
      writeContent(out, channel, content.properties, content.body, 4096);
      content = undefined;
    }
  }
  return { transcript, written: taken(out) };
}

function transcriptOf(label: string): Transcript {
  const side = sides.find((candidate) => candidate.label === label)!;
  return readAndWrite(joined(side.frames.slice(label.endsWith("C") ? 1 : 0))).transcript;
}

const everything: BasicProperties = {
  contentType: "text/plain; charset=utf-8",
  contentEncoding: "identity",
  headers: {
    text: "grüße",
    yes: true,
    no: false,
    i8: -5,
    u8: 200,
    i16: -300,
    u16: 60_000,
    i32: -70_000,
    u32: 4_000_000_000,
    i64: 5_000_000_000,
    big: 2n ** 63n - 1n,
    f: 0.5,
    d: 0.1,
    dec: new Decimal(2, 12_345),
    when: new Date(1_700_000_000_000),
    bytes: Uint8Array.of(0, 255),
    list: ["a", 1, [null]],
    table: { inner: { deep: "x" } },
    nothing: null,
  },
  deliveryMode: 2,
  priority: 3,
  correlationId: "0f8fad5b-d9cb-469f-a165-70867728950e",
  replyTo: "golden.dead",
  expiration: "60000",
  messageId: "m-1",
  timestamp: new Date(1_700_000_000_000),
  type: "golden",
  userId: "guest",
  appId: "capture",
  clusterId: "c",
};

describe("captured traffic of RabbitMQ 3.10.8", () => {
  it.each(sides)("comes out of $label as it went in", ({ label, frames }) => {
    const stream = label.endsWith("C") ? frames.slice(1) : frames;
    if (label.endsWith("C")) expect(frames[0]).toEqual(protocolHeader);
    expect(toHex(readAndWrite(joined(stream)).written)).toBe(toHex(joined(stream)));
  });

  it("holds nearly every method", () => {
    const seen = new Set(sides.flatMap(({ label }) => transcriptOf(label).methods.map(({ name }) => name)));
    expect(methodNames.filter((name) => !seen.has(name))).toEqual(["connection.secure", "connection.secure-ok"]);
  });

  it("begins with the broker's properties", () => {
    const [start] = transcriptOf("a S").methods as [Method<"connection.start">];
    expect(start.fields).toMatchObject({ versionMajor: 0, versionMinor: 9 });
    expect(new TextDecoder().decode(start.fields.mechanisms)).toBe("PLAIN AMQPLAIN");
    expect(start.fields.serverProperties).toMatchObject({
      product: "RabbitMQ",
      version: "3.10.8",
      capabilities: { "basic.nack": true, publisher_confirms: true },
    });
  });

  it("has every property and every field type", () => {
    expect(transcriptOf("a C").properties[0]).toStrictEqual(everything);
    expect(transcriptOf("a S").properties).toContainEqual(everything);
  });

  it("has the headers that the broker adds", () => {
    const dead = transcriptOf("a S").properties.find(({ headers }) => headers?.["x-death"] !== undefined);
    const headers = dead?.headers ?? {};
    expect(headers).toMatchObject({
      "x-first-death-reason": "rejected",
      "x-first-death-queue": "golden.q",
      "x-death": [
        { count: 1, reason: "rejected", queue: "golden.q", exchange: "golden", "routing-keys": ["orders.created"] },
      ],
    });
    const [death] = headers["x-death"] as unknown as [{ time: unknown }];
    expect(death.time).toBeInstanceOf(Date);
  });

  it("has headers whose values survive being sent again", () => {
    for (const { label } of sides) {
      for (const sent of transcriptOf(label).properties) {
        expect(decodeProperties(encodeProperties(sent).bytes)).toStrictEqual(sent);
      }
    }
  });

  it("has bodies of no frame, of one, and of three", () => {
    const { bodies } = transcriptOf("a S");
    expect(bodies).toContain("");
    expect(bodies).toContain("hello");
    expect(bodies).toContain("b".repeat(9000));
  });

  it("ends each connection with its reason", () => {
    const reason = (label: string): unknown =>
      transcriptOf(label).methods.find(({ name }) => name === "connection.close")?.fields;
    expect(reason("a C")).toMatchObject({ replyCode: 200, replyText: "bye" });
    expect(reason("b S")).toMatchObject({ replyCode: 320, replyText: "CONNECTION_FORCED - golden" });
    expect(reason("c S")).toMatchObject({ replyCode: 505, classId: 60, methodId: 40 });
  });
});
