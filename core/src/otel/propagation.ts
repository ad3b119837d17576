/** The context of a trace in the headers of a message. */

import type { TextMapGetter, TextMapPropagator, TextMapSetter } from "@opentelemetry/api";
import { decodeText, type FieldTable, type FieldValue } from "../client/index.ts";

/** Headers that are about to be published. */
export type OutgoingHeaders = Record<string, FieldValue | undefined>;

export const setter: TextMapSetter<OutgoingHeaders> = {
  set: (headers, key, value) => {
    headers[key] = value;
  },
};

/** Clients of other languages send texts as bytes, too. */
export const getter: TextMapGetter<FieldTable> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, key) => {
    const value = headers[key];
    if (value instanceof Uint8Array) return decodeText(value, 0, value.length);
    return typeof value === "string" ? value : undefined;
  },
};

/** Whether the application, or whoever it passes a message on for, has put a context into the headers. */
export function hasContext(propagator: Pick<TextMapPropagator, "fields">, headers: FieldTable): boolean {
  return propagator.fields().some((field) => field !== "baggage" && headers[field] !== undefined);
}
