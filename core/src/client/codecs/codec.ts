/** What turns values into messages, and messages into values; and how it is found out whether a message fits. */

import { isBytes } from "../../wire/bytes.ts";
import { UsageError } from "../../wire/errors.ts";
import type { BasicProperties } from "../../wire/properties.ts";
import { isThenable } from "../futures.ts";
import { CodecError } from "./codec-error.ts";

/** A value, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Turns values of one type into bodies, and back. What it throws is the `cause` of a {@link CodecError}.
 *
 * A codec is a plain object: an application writes its own for any content type, with whatever library it likes.
 */
export interface Codec<T> {
  /** The media type of its bodies, such as `"application/json"`: messages get it, and only messages that have it are decoded. */
  readonly contentType: string;
  /** How bodies are packed, such as `"gzip"`. Default: not at all. */
  readonly contentEncoding?: string | undefined;
  /** Makes a body of a value. What it throws is the cause of the error that the caller gets. */
  encode(value: T): MaybePromise<Uint8Array>;
  /** Makes a value of a body. What it throws is the cause of the error that the caller gets. */
  decode(body: Uint8Array): MaybePromise<T>;
  /** Other codecs that decode messages which do not fit this one; `oneOfCodecs` makes such a codec. */
  readonly alternatives?: readonly Codec<T>[] | undefined;
}

/** The type of the values of a codec. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** What of a message decoding looks at: a delivery, a message that was got or returned, a reply. */
export interface EncodedMessage {
  readonly body: Uint8Array;
  readonly properties: BasicProperties;
}

/**
 * The body and the properties of a message for a value. The codec's content type and encoding win over those in
 * `properties`, which say something else of the same bytes.
 *
 * @throws CodecError ENCODE_FAILED, at once or by the promise, as the codec works.
 */
export function encodeMessage<T>(
  codec: Codec<T>,
  value: T,
  properties: BasicProperties = {},
): MaybePromise<EncodedMessage> {
  const { contentType, contentEncoding } = codec;
  const described = { ...properties, contentType, contentEncoding };
  const finish = (body: Uint8Array): EncodedMessage => {
    if (!isBytes(body)) throw new CodecError("ENCODE_FAILED", "The codec did not return a Uint8Array", codec);
    return { body, properties: described };
  };
  const failed = (cause: unknown): never => {
    throw cause instanceof CodecError ? cause : new CodecError("ENCODE_FAILED", "Encoding failed", codec, { cause });
  };
  try {
    const body = codec.encode(value);
    return isThenable(body) ? Promise.resolve(body).then(finish).catch(failed) : finish(body);
  } catch (error) {
    return failed(error);
  }
}

/**
 * The value of a message.
 *
 * @throws CodecError CONTENT_MISMATCH when the message says that it is something else, or does not say what it is, and
 * DECODE_FAILED when the codec fails; at once or by the promise, as the codec works.
 */
export function decodeMessage<T>(codec: Codec<T>, message: EncodedMessage): MaybePromise<T> {
  const failed = (cause: unknown): never => {
    throw cause instanceof CodecError ? cause : new CodecError("DECODE_FAILED", "Decoding failed", codec, { cause });
  };
  try {
    // Properties that do not parse throw here.
    const { properties, body } = message;
    const fitting = fits(codec, properties) ? codec : codec.alternatives?.find((other) => fits(other, properties));
    if (fitting === undefined) throw CodecError.mismatch(codec, properties);
    const value = fitting.decode(body);
    return isThenable(value) ? Promise.resolve(value).catch(failed) : value;
  } catch (error) {
    return failed(error);
  }
}

/** Whether a message says that it is what the codec decodes. */
function fits(codec: Codec<unknown>, { contentType, contentEncoding }: BasicProperties): boolean {
  return (
    isMediaType(codec.contentType, contentType ?? "") && packing(codec.contentEncoding) === packing(contentEncoding)
  );
}

/** @throws UsageError INVALID_ARGUMENT for what is not a codec. */
export function checkCodec(codec: unknown, name: string): void {
  const { contentType, encode, decode } = (codec ?? {}) as Partial<Codec<never>>;
  if (typeof contentType === "string" && typeof encode === "function" && typeof decode === "function") return;
  throw new UsageError("INVALID_ARGUMENT", `${name} is a codec: an object with contentType, encode and decode`);
}

/** Names are compared without case and without parameters, but for the character set, of which there is one. */
function isMediaType(expected: string, given: string): boolean {
  const [type = "", ...parameters] = given.split(";").map((part) => part.trim().toLowerCase());
  const foreign = parameters.some((one) => one.startsWith("charset=") && !/^charset="?(utf-?8|us-ascii)"?$/.test(one));
  return type === (expected.split(";")[0] as string).trim().toLowerCase() && !foreign;
}

function packing(contentEncoding: string | undefined): string {
  const name = (contentEncoding ?? "").trim().toLowerCase();
  // RFC 9110, 8.4.1: no encoding, by its name, and gzip by its old one.
  return name === "identity" ? "" : name === "x-gzip" ? "gzip" : name;
}
