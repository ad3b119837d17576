/** What a peer says when it closes a connection or a channel. */

import type { Fields } from "../wire/method-types.ts";
import type { CloseReason } from "./errors.ts";
import { methodNames } from "./method-names.ts";

/** The fields of a close method, with the method that failed by its name. Class and method 0 stand for none. */
export function closeReason(fields: Fields<"connection.close" | "channel.close">): CloseReason {
  const { replyCode, replyText, classId, methodId } = fields;
  return { replyCode, replyText, method: methodNames.get((classId << 16) | methodId) };
}
