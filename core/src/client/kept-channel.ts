/** Channels that are opened again after the server has closed them. */

import type { Millis } from "../engine/config.ts";
import { UsageError } from "../wire/errors.ts";
import { type Channel, coreOf } from "./channel.ts";
import { aFunction, type Checks, checkOptions, integer } from "./option-checks.ts";

/** When a channel is opened again that the server has closed. */
export interface KeepOpenOptions {
  /**
   * Whether it is opened again after this reply code, such as 404 or 406; `undefined` for a request that was not answered
   * in `requestTimeout`. Must return at once. Default: always.
   */
  readonly codes?: ((replyCode: number | undefined) => boolean) | undefined;
  /** How often in any minute: with the next error it stays closed. Default 5. */
  readonly maxPerMinute?: number | undefined;
}

const minute: Millis = 60_000;
const defaultMaxPerMinute = 5;

const checks: Checks<KeepOpenOptions> = { codes: aFunction, maxPerMinute: integer(1, 60_000) };

/**
 * Has a channel opened again, with the backoff of recovery, when the server closes it because of an error: in its mode,
 * with its consumers. The call that the server refused fails, and what was unanswered; calls behind them wait.
 *
 * Without it such a channel is dead, since one that comes back in silence hides bugs.
 *
 * @throws UsageError NOT_SUPPORTED for a channel of a connection that does not recover; INVALID_ARGUMENT.
 */
export function keepOpen(channel: Channel, options: KeepOpenOptions = {}): void {
  const core = coreOf(channel);
  checkOptions<KeepOpenOptions>(options, checks, "what keepOpen() takes");
  if (core.recorder === undefined) {
    throw new UsageError("NOT_SUPPORTED", "keepOpen is for channels of a connection that recovers");
  }
  const { codes, maxPerMinute = defaultMaxPerMinute } = options;
  let times: Millis[] = [];
  core.reopensAfter = ({ replyCode }) => {
    const { now } = core.deadlines;
    times = times.filter((time) => now - time < minute);
    if (times.length >= maxPerMinute || codes?.(replyCode) === false) return false;
    times.push(now);
    return true;
  };
}
