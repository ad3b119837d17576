/** The publishers through which a consumer's handlers speak: replies, and copies of what failed. */

import { TimeoutError } from "./errors.ts";
import type { Publisher } from "./publisher.ts";

/**
 * Closes the publisher of a consumer that was closed before. What is not confirmed by now is that of handlers whose time
 * was up: their messages went back, so nobody waits for it.
 */
export async function closeAfterHandlers(publisher: Publisher): Promise<void> {
  try {
    await publisher.close({ timeout: 0 });
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
  }
}
