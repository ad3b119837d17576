/** A cursor over the payload of a frame. Reading past the end is the peer's fault. */

import { copyOf, readLong, readLonglong, readShort } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { decodeText } from "./text.ts";
import type { ShortStrings } from "./short-strings.ts";

/** Reads AMQP's elementary types, one after the other. What it returns is a copy, so the bytes may be borrowed. */
export class Input {
  readonly bytes: Uint8Array;
  /** The next byte to read. */
  position: number;
  /** Where reading has to stop. */
  end: number;
  /** What is being read, for error messages. */
  readonly #what: string;
  readonly #fault: "FRAME_ERROR" | "SYNTAX_ERROR";

  constructor(
    bytes: Uint8Array,
    start: number,
    end: number,
    what: string,
    fault: "FRAME_ERROR" | "SYNTAX_ERROR" = "FRAME_ERROR",
  ) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.#what = what;
    this.#fault = fault;
  }

  octet(): number {
    return this.bytes[this.#advance(1)]!;
  }

  short(): number {
    return readShort(this.bytes, this.#advance(2));
  }

  long(): number {
    return readLong(this.bytes, this.#advance(4));
  }

  /** An unsigned 64-bit integer; not exact beyond 2^53, but beyond 2^53 then. */
  longlong(): number {
    return readLonglong(this.bytes, this.#advance(8));
  }

  float(): number {
    return this.#view(4).getFloat32(0);
  }

  double(): number {
    return this.#view(8).getFloat64(0);
  }

  shortstr(strings?: ShortStrings): string {
    const length = this.octet();
    const start = this.#advance(length);
    return strings === undefined
      ? decodeText(this.bytes, start, start + length)
      : strings.decode(this.bytes, start, length);
  }

  longstr(): Uint8Array {
    const length = this.long();
    const start = this.#advance(length);
    return copyOf(this.bytes, start, start + length);
  }

  /** Skips `count` bytes and returns where they start. */
  skip(count: number): number {
    return this.#advance(count);
  }

  /** Everything has to have been read by now. */
  finish(): void {
    if (this.position !== this.end) {
      throw new ProtocolError(this.#fault, `${this.#what} has ${this.end - this.position} bytes too many`);
    }
  }

  #view(count: number): DataView {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.#advance(count), count);
  }

  #advance(count: number): number {
    const start = this.position;
    if (count > this.end - start) throw new ProtocolError(this.#fault, `${this.#what} ends in the middle of a value`);
    this.position = start + count;
    return start;
  }
}
