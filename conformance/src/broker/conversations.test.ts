import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ProfileName } from "./profile.ts";
import { hold } from "./testing/conversation.ts";
import { conversations } from "./testing/conversations/index.ts";
import { EmbeddedPeer } from "./testing/peer.ts";
import { comparable, parseTranscripts } from "./testing/transcripts.ts";

// The transcripts were taken from real brokers by testing/record.ts: RabbitMQ 3.10.8 and 4.0.5.
const recorded: readonly ProfileName[] = ["3.10", "4.0"];

describe.each(recorded)("conversations, as with RabbitMQ %s", (profile) => {
  const text = readFileSync(new URL(`./testing/transcripts/rabbitmq-${profile}.txt`, import.meta.url), "utf8");
  const transcripts = parseTranscripts(text);

  it.each(conversations.map((conversation) => [conversation.name, conversation] as const))(
    "%s",
    async (name, conversation) => {
      const heard = await hold(conversation, new EmbeddedPeer({ profile }));
      expect(comparable(heard)).toEqual(comparable(transcripts.get(name) ?? []));
    },
  );

  it("has no transcript without a conversation", () => {
    const names = new Set(conversations.map(({ name }) => name));
    expect([...transcripts.keys()].filter((name) => !names.has(name))).toEqual([]);
  });
});

describe("conversations, however they are cut", () => {
  it.each(conversations.map((conversation) => [conversation.name, conversation] as const))(
    "%s",
    async (_name, conversation) => {
      const whole = await hold(conversation, new EmbeddedPeer());
      const cut = await hold(conversation, new EmbeddedPeer({}, { chunkSize: 1 }));
      expect(cut).toEqual(whole);
    },
  );
});
