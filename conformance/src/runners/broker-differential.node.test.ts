/** The embedded broker against a real one: the same conversations, held with both. */

import { describe, expect, inject, it } from "vitest";
import type { ProfileName } from "@leveret/conformance/broker";
import { attachRabbitMQ } from "../../../tools/rabbitmq/index.ts";
import { hold } from "../broker/testing/conversation.ts";
import { conversations } from "../broker/testing/conversations/index.ts";
import { EmbeddedPeer, TcpPeer } from "../broker/testing/peer.ts";
import { comparable } from "../broker/testing/transcripts.ts";

/** Each is tried with more patience than the one before: a slow machine is no difference between brokers. */
const quietTimes = [12, 60, 250];

const profileOf: Readonly<Record<string, ProfileName>> = { "3.10": "3.10", "4.0": "4.0", "4.3": "4.3" };

const node = attachRabbitMQ(inject("rabbitmq"));
const profile = profileOf[node.version.split(".", 2).join(".")];

describe.skipIf(profile === undefined)(`conversations with RabbitMQ ${node.version} and the embedded broker`, () => {
  it.each(conversations.map((conversation) => [conversation.name, conversation] as const))(
    "%s",
    async (_name, conversation) => {
      const ours = comparable(await hold(conversation, new EmbeddedPeer({ profile })));
      let theirs: readonly string[] = [];
      for (const quiet of quietTimes) {
        theirs = comparable(await hold(conversation, new TcpPeer(node.port, quiet)));
        if (JSON.stringify(theirs) === JSON.stringify(ours)) break;
      }
      expect(ours).toEqual(theirs);
    },
  );
});
