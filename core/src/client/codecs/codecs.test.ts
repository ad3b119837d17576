import { expect, it } from "vitest";
import { bytes } from "../testing/fixture.ts";
import { type Codec, decodeMessage, encodeMessage } from "./codec.ts";
import { oneOfCodecs, textCodec } from "./codecs.ts";

/** A codec whose functions are not its own properties, and need it. */
class Shouting implements Codec<string> {
  readonly contentType = "text/loud";
  readonly #text = textCodec();

  encode(value: string): Uint8Array {
    return this.#text.encode(value.toUpperCase()) as Uint8Array;
  }

  decode(body: Uint8Array): string {
    return this.#text.decode(body) as string;
  }
}

it("oneOfCodecs takes codecs that are objects of a class, first or not", () => {
  const [loud, quiet] = [new Shouting(), textCodec()];
  const first = oneOfCodecs(loud, quiet);
  expect(encodeMessage(first, "a")).toEqual({ body: bytes("A"), properties: { contentType: "text/loud" } });
  expect(decodeMessage(first, { body: bytes("A"), properties: { contentType: "text/loud" } })).toBe("A");
  expect(decodeMessage(first, { body: bytes("a"), properties: { contentType: "text/plain" } })).toBe("a");
  const last = oneOfCodecs(quiet, loud);
  expect(decodeMessage(last, { body: bytes("A"), properties: { contentType: "text/loud" } })).toBe("A");
});
