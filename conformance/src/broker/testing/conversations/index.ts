/** Every conversation. */

import type { Conversation } from "../conversation.ts";
import {
  consumeConversations,
  qosConversations,
  queueTypeConversations,
  replyConversations,
  settleConversations,
} from "./consuming.ts";
import { contentConversations, handshakeConversations } from "./handshake.ts";
import { lifetimeConversations } from "./lifetimes.ts";
import { confirmConversations, publishConversations, transactionConversations } from "./messages.ts";
import { bindingConversations, exchangeConversations, queueConversations } from "./topology.ts";

export const conversations: readonly Conversation[] = [
  ...handshakeConversations,
  ...contentConversations,
  ...exchangeConversations,
  ...queueConversations,
  ...bindingConversations,
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
