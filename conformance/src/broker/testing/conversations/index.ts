/** Every conversation. */

import type { Conversation } from "../conversation.ts";
import { channelConversations } from "./channels.ts";
import { consumeConversations, qosConversations } from "./consuming.ts";
import { exchangeConversations } from "./exchanges.ts";
import { contentConversations, frameConversations } from "./frames.ts";
import { handshakeConversations } from "./handshake.ts";
import { lifetimeConversations } from "./lifetimes.ts";
import { confirmConversations, publishConversations, transactionConversations } from "./messages.ts";
import { queueTypeConversations } from "./queue-types.ts";
import { queueConversations } from "./queues.ts";
import { replyConversations } from "./replies.ts";
import { routingConversations } from "./routing.ts";
import { settleConversations } from "./settling.ts";

/** Those that leave nothing at the broker: they may be held with it at the same time. */
export const tracelessConversations: readonly Conversation[] = [
  ...handshakeConversations,
  ...channelConversations,
  ...frameConversations,
];

export const conversations: readonly Conversation[] = [
  ...tracelessConversations,
  ...contentConversations,
  ...exchangeConversations,
  ...queueConversations,
  ...routingConversations,
  ...publishConversations,
  ...confirmConversations,
  ...transactionConversations,
  ...consumeConversations,
  ...qosConversations,
  ...settleConversations,
  ...replyConversations,
  ...queueTypeConversations,
  ...lifetimeConversations,
];
