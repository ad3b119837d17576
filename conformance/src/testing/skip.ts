/** Skipping a test for a reason, which the table at the end of `npm test` shows. */

import type { TestContext } from "vitest";

/** Ends the test as skipped when there is a reason. */
export function skip(context: TestContext, reason: string | undefined): void {
  if (reason === undefined) return;
  context.task.meta.skipReason = reason;
  context.skip(reason);
}

declare module "vitest" {
  export interface TaskMeta {
    skipReason?: string;
  }
}
