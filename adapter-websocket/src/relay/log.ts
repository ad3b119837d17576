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

/**
 * Writes to standard output. What does not take it holds nobody up: lines that find a megabyte waiting are dropped, and
 * counted in a line of their own later.
 */
export function jsonLog(level: LogLevel): RelayLog {
  return openLog(level, standardOutput).log;
}

const standardOutput = 1;
/** Bytes that wait to be written. Each refused request makes a line, so anybody could make any number. */
const longestBacklog = 1024 * 1024;

/** A log that can be ended. */
export interface OpenLog {
  readonly log: RelayLog;
  /** Resolves when everything is written. */
  close(): Promise<void>;
}

/** As {@link jsonLog}, to any file that is open. */
export function openLog(level: LogLevel, file: number): OpenLog {
  const destination = pino.destination({ dest: file, sync: false, maxLength: longestBacklog });
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  let dropped = 0;
  destination.on("drop", () => {
    dropped += 1;
  });
  destination.on("drain", () => {
    if (dropped === 0) return;
    log.warn({ lines: dropped }, "lines of the log were dropped");
    dropped = 0;
  });
  // A relay without a log is better than none.
  const broken = new Promise<void>((resolve) => {
    destination.on("error", (error: unknown) => {
      process.emitWarning(`the relay's log cannot be written: ${errorName(error)}`);
      resolve();
    });
  });
  const closed = new Promise<void>((resolve) => void destination.once("close", resolve));
  return {
    log,
    close() {
      destination.end();
      return Promise.race([closed, broken]);
    },
  };
}

/** What may be said of an error: its code, or the kind of it. A message may quote what it is about. */
export function errorName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code: unknown = "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : error.name;
}
