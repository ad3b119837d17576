/** Channels that are opened again after the server has closed them. */

import type { Millis } from "../engine/config.ts";
import type { ChannelError } from "../engine/errors.ts";
import { aFunction, type Checks, checkOptions, integer } from "./option-checks.ts";

/** When a channel is opened again that the server has closed. */
export interface ReopenOptions {
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

const checks: Checks<ReopenOptions> = { codes: aFunction, maxPerMinute: integer(1, 60_000) };

/**
 * Decides over each error of one channel.
 *
 * @throws UsageError INVALID_ARGUMENT
 */
export function reopensAfter(given: true | ReopenOptions, now: () => Millis): (error: ChannelError) => boolean {
  const options: ReopenOptions = given === true ? {} : given;
  checkOptions<ReopenOptions>(options, checks, "reopen", "reopen.");
  const { codes, maxPerMinute = defaultMaxPerMinute } = options;
  let times: Millis[] = [];
  return ({ replyCode }) => {
    const at = now();
    times = times.filter((time) => at - time < minute);
    if (times.length >= maxPerMinute || codes?.(replyCode) === false) return false;
    times.push(at);
    return true;
  };
}
