import { expect, it } from "vitest";
import { bytes } from "../testing/fixture.ts";
import { CodecError } from "./codec-error.ts";
import { type Codec, decodeMessage, type EncodedMessage, encodeMessage } from "./codec.ts";
import { gzipCodec, oneOfCodecs, textCodec } from "./codecs.ts";

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

it("a content encoding counts by its name in RFC 9110, whatever the case: identity is none, and x-gzip is gzip", async () => {
  const message = (contentEncoding: string | undefined, body: Uint8Array): EncodedMessage => ({
    body,
    properties: { contentType: "text/plain", contentEncoding },
  });
  const plain = textCodec();
  for (const encoding of [undefined, "", "identity", " Identity "]) {
    expect(decodeMessage(plain, message(encoding, bytes("a")))).toBe("a");
  }
  const packed = gzipCodec(plain);
  const { body } = await encodeMessage(packed, "a");
  for (const encoding of ["gzip", "x-gzip", "GZIP"]) {
    expect(await decodeMessage(packed, message(encoding, body))).toBe("a");
    expect(() => decodeMessage(plain, message(encoding, body))).toThrow(CodecError);
  }
  for (const encoding of [undefined, "identity", "deflate"]) {
    expect(() => decodeMessage(packed, message(encoding, body))).toThrow(CodecError);
  }
});
