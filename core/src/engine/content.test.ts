import { describe, expect, it } from "vitest";
import { ProtocolError } from "../wire/errors.ts";
import { encodeProperties } from "../wire/properties.ts";
import { Content } from "./content.ts";

const body = new Uint8Array([1, 2, 3]);

describe("Content", () => {
  it("decodes its properties once, when somebody looks", () => {
    const content = new Content(body, encodeProperties({ type: "order", priority: 3 }).bytes);
    expect(content.properties).toEqual({ type: "order", priority: 3 });
    expect(content.properties).toBe(content.properties);
  });

  it("has no properties where there were none", () => {
    expect(new Content(body, undefined).properties).toEqual({});
  });

  it("throws at every look when the properties do not parse, and still has its body", () => {
    const content = new Content(body, new Uint8Array([0x80, 0, 200]));
    expect(() => content.properties).toThrow(ProtocolError);
    expect(() => content.properties).toThrow(expect.objectContaining({ code: "SYNTAX_ERROR" }));
    expect(content.body).toBe(body);
  });

  it("shows its properties as they were received, wherever they are kept", () => {
    const encoded = encodeProperties({ type: "order" }).bytes;
    const memory = new Uint8Array(100).fill(7);
    memory.set(encoded, 10);
    expect(new Content(body, memory, 10, 10 + encoded.length).encodedProperties).toEqual(encoded);
    expect(new Content(body, encoded).encodedProperties).toEqual(encoded);
    expect(new Content(body).encodedProperties).toEqual(new Uint8Array(2));
  });
});
