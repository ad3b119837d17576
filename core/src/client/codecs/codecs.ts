/** The codecs that are ready to use. */

import { isBytes, joined } from "../../wire/bytes.ts";
import { UsageError } from "../../wire/errors.ts";
import { decodeStrictText, encodeText } from "../../wire/text.ts";
import { illegal } from "../option-checks.ts";
import { type Codec, checkCodec } from "./codec.ts";
import { CodecError } from "./codec-error.ts";

/** Bytes that a gzip codec unpacks from one message, unless it is told. */
const defaultMaxUnpackedSize: number = 64 * 1024 * 1024;

/**
 * Values as JSON, in UTF-8.
 *
 * What JSON cannot say is lost or refused as `JSON.stringify` does it: a `Date` becomes a text, a `bigint` is refused, and
 * so is `undefined`.
 *
 * @param options - `parse` turns what was parsed into the value, or throws: mostly the `parse` of a schema library, which
 * gives the codec its type. Without it the type is taken on trust. `contentType`: default `"application/json"`.
 */
export function jsonCodec<T = unknown>({
  parse,
  contentType = "application/json",
}: {
  readonly parse?: ((value: unknown) => T) | undefined;
  readonly contentType?: string | undefined;
} = {}): Codec<T> {
  return {
    contentType,
    encode: (value) => {
      const text: string | undefined = JSON.stringify(value);
      if (text === undefined) throw new UsageError("INVALID_ARGUMENT", `JSON has no word for ${typeof value}`);
      return encodeText(text);
    },
    decode: (body) => {
      const value = parseJson(textOf(body, contentType), contentType);
      return parse === undefined ? (value as T) : parse(value);
    },
  };
}

/** Texts, in UTF-8. Bodies that are not UTF-8 are refused, and so are texts with lone surrogates. */
export function textCodec(contentType = "text/plain"): Codec<string> {
  return {
    contentType,
    encode: (value) => {
      if (typeof value !== "string") throw illegal("the value", "a string", value);
      return encodeText(value);
    },
    decode: (body) => textOf(body, contentType),
  };
}

/** Bytes as they are, with a content type that says what they are. */
export function bytesCodec(contentType = "application/octet-stream"): Codec<Uint8Array> {
  return {
    contentType,
    encode: (value) => {
      if (!isBytes(value)) throw illegal("the value", "a Uint8Array", value);
      return value;
    },
    decode: (body) => body,
  };
}

/** How a gzip codec works. */
export interface GzipOptions {
  /** Bytes that one message may unpack to; a few bytes can claim gigabytes. Default 64 MiB. */
  readonly maxSize?: number | undefined;
}

/**
 * The bodies of another codec, packed with gzip by the runtime's Compression Streams.
 *
 * @throws UsageError NOT_SUPPORTED where the runtime has none.
 */
export function gzipCodec<T>(codec: Codec<T>, { maxSize = defaultMaxUnpackedSize }: GzipOptions = {}): Codec<T> {
  checkCodec(codec, "codec");
  if (!(maxSize > 0)) throw illegal("maxSize", "a positive number of bytes", maxSize);
  if (codec.contentEncoding !== undefined) {
    throw new UsageError("INVALID_ARGUMENT", `The codec packs its bodies already, with ${codec.contentEncoding}`);
  }
  if (typeof CompressionStream === "undefined" || typeof DecompressionStream === "undefined") {
    throw new UsageError("NOT_SUPPORTED", "This runtime has no Compression Streams");
  }
  const { contentType } = codec;
  const packed = { contentType, contentEncoding: "gzip" };
  return {
    ...packed,
    encode: async (value) => through(new CompressionStream("gzip"), await codec.encode(value), Infinity),
    decode: async (body) => {
      const unpacked = await through(new DecompressionStream("gzip"), body, maxSize).catch((cause: unknown) => {
        throw new CodecError("DECODE_FAILED", "The body cannot be unpacked", packed, { cause });
      });
      return codec.decode(unpacked);
    },
  };
}

/**
 * Decodes with whichever of the codecs a message fits, and encodes with the first: for a queue whose messages change from
 * one form to another.
 */
export function oneOfCodecs<T>(first: Codec<T>, ...others: readonly Codec<T>[]): Codec<T> {
  for (const codec of [first, ...others]) checkCodec(codec, "each of the codecs");
  const { contentType, contentEncoding } = first;
  return {
    contentType,
    contentEncoding,
    // A codec may be an object of a class, and its functions may need it.
    encode: (value) => first.encode(value),
    decode: (body) => first.decode(body),
    alternatives: [...(first.alternatives ?? []), ...others.flatMap(withAlternatives)],
  };
}

function withAlternatives<T>(codec: Codec<T>): readonly Codec<T>[] {
  return [codec, ...(codec.alternatives ?? [])];
}

function textOf(body: Uint8Array, contentType: string): string {
  const text = decodeStrictText(body, 0, body.length);
  if (text === undefined) throw new CodecError("DECODE_FAILED", "The body is not UTF-8", { contentType });
  return text;
}

function parseJson(text: string, contentType: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What the engine says of it quotes the body.
    throw new CodecError("DECODE_FAILED", "The body is not JSON", { contentType });
  }
}

/** What comes out of a transformation, in one piece. */
async function through(
  transform: CompressionStream | DecompressionStream,
  body: Uint8Array,
  maxSize: number,
): Promise<Uint8Array> {
  const writer = transform.writable.getWriter();
  // A stream that fails tells its reader, too.
  writer.write(body as Uint8Array<ArrayBuffer>).catch(() => {});
  writer.close().catch(() => {});
  const reader = transform.readable.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done || value === undefined) break;
    size += value.length;
    if (size > maxSize) {
      await reader.cancel();
      throw new UsageError("LIMIT_REACHED", `The body unpacks to more than ${maxSize} bytes`);
    }
    chunks.push(value);
  }
  return joined(chunks);
}
