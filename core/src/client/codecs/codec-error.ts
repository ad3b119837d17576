/** What went wrong between a value and the body of a message. Neither is in the error: both are the application's. */

import { AmqpError, type AmqpErrorOptions } from "../../wire/errors.ts";
import type { BasicProperties } from "../../wire/properties.ts";

/** What a {@link CodecError} can be about. */
export type CodecErrorCode =
  /** The value cannot be encoded. Nothing was sent. */
  | "ENCODE_FAILED"
  /** The body is not what its properties say. */
  | "DECODE_FAILED"
  /** The message has another content type or encoding than the codec, or none. */
  | "CONTENT_MISMATCH";

/** What of a codec an error names. */
interface NamedCodec {
  readonly contentType: string;
  readonly contentEncoding?: string | undefined;
}

/** A value could not be encoded, or a message could not be decoded. */
export class CodecError extends AmqpError {
  override name = "CodecError";
  declare readonly code: CodecErrorCode;
  /** The content type of the codec. */
  readonly contentType: string;

  constructor(code: CodecErrorCode, message: string, codec: NamedCodec, options?: AmqpErrorOptions) {
    super(code, `${message} (${nameOf(codec)})`, {
      ...(code === "ENCODE_FAILED" && { outcome: "not-sent" }),
      ...options,
    });
    this.contentType = codec.contentType;
  }

  /** The error about a message that says it is something else. */
  static mismatch(codec: NamedCodec, { contentType, contentEncoding }: BasicProperties): CodecError {
    const given = nameOf({ contentType: contentType ?? "without a content type", contentEncoding });
    return new CodecError("CONTENT_MISMATCH", `The message is ${given}, and not what the codec decodes`, codec);
  }
}

function nameOf({ contentType, contentEncoding }: NamedCodec): string {
  return contentEncoding === undefined ? contentType : `${contentType}, ${contentEncoding}`;
}
