/** What frames are made of, and what is checked for every frame that is written. */

import { putLong, putShort } from "./bytes.ts";
import { frameOverhead, maxChannelNumber, maxFramePayload } from "./constants.ts";
import type { UsageError } from "./errors.ts";
import { invalid, isInteger } from "./values.ts";

/** In front of the fields of a method: class and method. */
export const methodIdSize = 4;

/** In front of the properties in a content header: class, weight, body size. */
export const contentHeaderSize = 12;

/** The only class whose methods carry a content. */
export const basicClass = 60;

/** Writes what is in front of a payload of `size` bytes. */
export function putFrameHeader(buffer: Uint8Array, at: number, type: number, channel: number, size: number): void {
  buffer[at] = type;
  putShort(buffer, at + 1, channel);
  putLong(buffer, at + 3, size);
}

/** The largest payload that we send under a frame size. Where there is no limit, our own applies. */
export function payloadMax(frameMax: number): number {
  if (frameMax === 0) return maxFramePayload;
  if (frameMax <= frameOverhead) throw invalid("frameMax", `is not 0 or more than ${frameOverhead}`);
  return frameMax - frameOverhead;
}

export function checkChannel(channel: number): void {
  if (!isInteger(channel, 0, maxChannelNumber))
    throw invalid("channel", `is not an integer from 0 to ${maxChannelNumber}`);
}

export function tooLarge(what: string, frameMax: number): UsageError {
  return invalid(what, `does not fit into one frame (frameMax is ${frameMax})`);
}
