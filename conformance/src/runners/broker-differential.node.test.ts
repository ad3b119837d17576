/** The embedded broker against a real one: the same conversations, held with both. */

import { describe, type ExpectStatic, inject, it } from "vitest";
import type { ProfileName } from "@leveret/conformance/broker";
import { attachRabbitMQ } from "../../../tools/rabbitmq/index.ts";
import { type Conversation, hold } from "../broker/testing/conversation.ts";
import { conversations, tracelessConversations } from "../broker/testing/conversations/index.ts";
import { EmbeddedPeer, TcpPeer } from "../broker/testing/peer.ts";
import { comparable } from "../broker/testing/transcripts.ts";

/** Each is tried with more patience than the one before: a slow machine is no difference between brokers. */
const quietTimes = [12, 60, 250, 1_000];

const profileOf: Readonly<Record<string, ProfileName>> = { "3.10": "3.10", "4.0": "4.0", "4.3": "4.3" };

const node = attachRabbitMQ(inject("rabbitmq"));
const profile = profileOf[node.version.split(".", 2).join(".")];

describe.skipIf(profile === undefined)(`RabbitMQ ${node.version} and the embedded broker`, () => {
  // RabbitMQ thinks for three seconds before it ends some of these.
  describe.concurrent("conversations that leave nothing behind", () => {
    for (const one of tracelessConversations) it(one.name, { timeout: 120_000 }, ({ expect }) => compare(one, expect));
  });

  describe("conversations", () => {
    const others = conversations.filter((one) => !tracelessConversations.includes(one));
    for (const one of others) it(one.name, ({ expect }) => compare(one, expect));
  });
});

async function compare(conversation: Conversation, expect: ExpectStatic): Promise<void> {
  const ours = comparable(await hold(conversation, new EmbeddedPeer({ profile })));
  let theirs: readonly string[] = [];
  for (const quiet of quietTimes) {
    theirs = comparable(await hold(conversation, new TcpPeer(node.port, quiet)));
    if (JSON.stringify(theirs) === JSON.stringify(ours)) break;
  }
  expect(ours).toEqual(theirs);
}
