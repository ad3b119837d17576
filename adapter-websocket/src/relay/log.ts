/** What the relay says of itself: one JSON object a line, without secrets and without anything of what it carries. */

import { pino } from "pino";
import { type Millis, systemClock } from "./clock.ts";

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
/** How long the end waits for what takes the lines. */
const lastWordsTimeout: Millis = 5_000;

/** A log that can be ended. */
export interface OpenLog {
  readonly log: RelayLog;
  /** Resolves when everything is written; also when the rest cannot be, or is not taken within five seconds. */
  close(): Promise<void>;
}

/** As {@link jsonLog}, to any file that is open. */
export function openLog(level: LogLevel, file: number, closeTimeout: Millis = lastWordsTimeout): OpenLog {
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
  // A relay without a log is better than none. Every line may fail; it is said once, until it could be written again.
  let isBroken = false;
  let closed: Promise<void> | undefined;
  destination.on("error", (error: unknown) => {
    if (!isBroken) process.emitWarning(`the relay's log cannot be written: ${errorName(error)}`);
    isBroken = true;
    // pino gives up what nobody reads any more, and says nothing more of it.
    if (errorName(error) === "EPIPE") closed ??= Promise.resolve();
  });
  destination.on("write", () => {
    isBroken = false;
  });
  return {
    log,
    close() {
      closed ??= new Promise<void>((resolve) => {
        const cancel = systemClock.setTimer(closeTimeout, resolve);
        const over = (): void => {
          cancel();
          resolve();
        };
        destination.once("close", over).once("error", over).end();
      });
      return closed;
    },
  };
}

/** Characters of what a client says that are logged. */
const maxShown = 200;

/** What a client says, so that it fits a line and does nothing to a terminal, which JSON leaves some characters to do. */
export function shown(said: string | undefined): string | undefined {
  return said?.slice(0, maxShown).replace(/[^ -~]/g, "?");
}

/** What may be said of an error: its code, or the kind of it. A message may quote what it is about. */
export function errorName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code: unknown = "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : error.name;
}
