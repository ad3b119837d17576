/** What a peer says when it closes a connection or a channel. */

import type { Arguments, Fields } from "../wire/method-types.ts";
import { planOfId } from "../wire/method-plans.ts";
import type { Farewell } from "./channel-engine.ts";
import type { CloseReason } from "./errors.ts";

/** The fields of a close method, with the method that failed by its name. Class and method 0 stand for none. */
export function closeReason(fields: Fields<"connection.close" | "channel.close">): CloseReason {
  const { replyCode, replyText, classId, methodId } = fields;
  return { replyCode, replyText, method: planOfId.get((classId << 16) | methodId)?.name };
}

/** The fields of a close method of ours, which blames none. */
export function closeFields({ replyCode = 200, replyText = "Normal shutdown" }: Farewell): Arguments<"channel.close"> {
  return { replyCode, replyText, classId: 0, methodId: 0 };
}
