/** What the relay says of itself: one JSON object a line, without secrets and without anything of what it carries. */

import { pino } from "pino";

/** Where the relay's messages go. A pino logger is one. */
export interface RelayLog {
  /** For whoever looks for a fault. */
  debug(fields: LogFields, message: string): void;
  /** What happens. */
  info(fields: LogFields, message: string): void;
  /** What should be looked at. */
  warn(fields: LogFields, message: string): void;
  /** What failed. */
  error(fields: LogFields, message: string): void;
}

/** Facts that go with a message. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** How much is logged: a level, and everything above it. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** A log that is not written. */
export const silentLog: RelayLog = { debug() {}, info() {}, warn() {}, error() {} };

/** Writes to standard output. */
export function jsonLog(level: LogLevel): RelayLog {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
}

/** What may be said of an error: its code, or the kind of it. A message may quote what it is about. */
export function errorName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code: unknown = "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : error.name;
}
