/** Checks of what a caller gives us, before it is written. Messages name the field and never show its value. */

import { putLong } from "./bytes.ts";
import { maxShortStringSize } from "./constants.ts";
import { UsageError } from "./errors.ts";
import type { Output } from "./output.ts";
import { maxBytesPerUnit, notWellFormed, writeText } from "./text.ts";

/** The error for a bad value: what it is, and what is wrong with it. */
export function invalid(where: string, problem: string): UsageError {
  return new UsageError("INVALID_ARGUMENT", `${where} ${problem}`);
}

/** Whether `value` is an integer from `least` to `greatest`. */
export function isInteger(value: unknown, least: number, greatest: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= greatest;
}

/** `value`, when it is an integer from 0 to `greatest`. */
export function checkInteger(value: unknown, greatest: number, where: string): number {
  if (!isInteger(value, 0, greatest)) throw invalid(where, `is not an integer from 0 to ${greatest}`);
  return value;
}

/** Writes a short string: its length in one octet, and its UTF-8. */
export function writeShortText(out: Output, text: string, where: string): void {
  const buffer = out.reserve(1 + maxShortTextSize(text, where));
  out.position = putShortText(buffer, out.position, text, where);
}

/** The bytes that the UTF-8 of `text` needs at most; an error when it cannot be a short string. */
export function maxShortTextSize(text: string, where: string): number {
  if (typeof text !== "string") throw invalid(where, "is not a string");
  if (text.length > maxShortStringSize) throw tooLong(where);
  return text.length * maxBytesPerUnit;
}

/** Writes a short string where there is room for it, and returns the position behind it. */
export function putShortText(buffer: Uint8Array, position: number, text: string, where: string): number {
  const start = position + 1;
  const end = writeText(buffer, start, text);
  if (end === notWellFormed) throw hasLoneSurrogate(where);
  const size = end - start;
  if (size > maxShortStringSize) throw tooLong(where);
  buffer[position] = size;
  return end;
}

/** Writes the UTF-8 of `text` as a long string. */
export function writeLongText(out: Output, text: string, where: string, name: string): void {
  const buffer = out.reserve(4 + text.length * maxBytesPerUnit);
  const at = out.position;
  const end = writeText(buffer, at + 4, text);
  if (end === notWellFormed) throw hasLoneSurrogate(`${where}: ${JSON.stringify(name)}`);
  putLong(buffer, at, end - at - 4);
  out.position = end;
}

function tooLong(where: string): UsageError {
  return invalid(where, `is longer than ${maxShortStringSize} bytes of UTF-8`);
}

function hasLoneSurrogate(where: string): UsageError {
  return invalid(where, "has a lone surrogate, which UTF-8 cannot encode");
}

/** Whether `value` is a Date, of any realm. */
export function isDate(value: unknown): value is Date {
  return value instanceof Date || Object.prototype.toString.call(value) === "[object Date]";
}

/** A time in whole seconds since 1970; `undefined` when it is invalid or earlier. */
export function secondsOf(date: Date): number | undefined {
  const seconds = Math.floor(date.getTime() / 1000);
  return seconds >= 0 ? seconds : undefined;
}
