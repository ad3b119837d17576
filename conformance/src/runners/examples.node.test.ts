/** Runs every program under docs/examples against the broker, and holds the code in the documents to them. */

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, inject, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const exampleTimeout = 60_000;
const { url, host, tlsPort, caFile, clientCertFile, clientKeyFile } = inject("rabbitmq");
const { hostname, port } = new URL(url);
const tlsArguments = [host, tlsPort, caFile, clientCertFile, clientKeyFile];

interface Example {
  readonly arguments?: readonly string[];
  /** The broker at hand lacks what the example needs. */
  readonly skip?: boolean;
  /** What it prints when all went well. */
  readonly prints: RegExp;
}

const examples: Readonly<Record<string, Example>> = {
  "basic-get.ts": { prints: /^one, 2 left\ntwo, 1 left\nthree, 0 left\nempty$/m },
  "batches.ts": { prints: /^wrote 100 \+ 100 \+ 50 rows$/m },
  "comparing-publishing.ts": {
    prints:
      /^without confirms: 5000 .*\none by one, each confirmed: 500 .*\n(all at once|sent in).* 5000 .*\n.* 5000 /m,
  },
  "blocking.ts": {
    prints: /^unroutable: 312 NO_ROUTE\ngot one, 4 left\ntwo three, 2 went back$/m,
  },
  "blocking-consume.ts": { prints: /^handled task 1\nhandled task 2\nhandled task 3$/m },
  "blocking-several-hosts.ts": { prints: /^once is enough, at attempt 1$/m },
  "blocking-threads.ts": { prints: /^(a: 49999995000000\nb: 49999995000000|b: 49999995000000\na: 49999995000000)$/m },
  "codecs.ts": { prints: /^1: carrots\n2: clover and parsley\n3: hay\ndead letters: 1$/m },
  "confirms.ts": { prints: /^confirmed\nrefused\nunroutable \(312 NO_ROUTE\)$/m },
  "consume-with-iterator.ts": { prints: /^1 2 3 4 5 \| 6 7 8 9 10$/m },
  "embedding.ts": { arguments: [hostname, port], prints: /^10 confirmed, 10 consumed and acknowledged$/m },
  "embedded-broker.ts": {
    prints: /^in the queue: one book\nclosed: 320 CONNECTION_FORCED - maintenance\nfrom outside: 1 connection$/m,
  },
  "errors.ts": { prints: /^connected at attempt 2\nchannel: UNROUTABLE, refused$/m },
  "first-program.ts": { prints: /^Hello, world$/m },
  "game-tick.ts": { prints: /^100 moves, frame by frame$/m },
  "graceful-shutdown.ts": { prints: /^0 lost or repeated, 0 unfinished\nthe rest was left for the next start$/m },
  "heartbeat-and-blocked.ts": { prints: /^heartbeat 10 s, blocked: no$/m },
  "observability.ts": {
    prints:
      /^news, for hares\nchannel: CHANNEL_CLOSED_BY_SERVER 404 at queue\.declare, will not pass\n1 out, 1 in, 0 under way, 0 failed\nconnected, ack of the queue, open to closing, closed, closing to closed\n\d+ methods, the last: in connection\.close-ok$/m,
  },
  "publish-and-exit.ts": { prints: /^published 1, found 1$/m },
  "publish-subscribe.ts": { prints: /^started changed stopped; started changed stopped$/m },
  "publisher-and-consumer.ts": { prints: /^1000 tasks done$/m },
  "recover-by-hand.ts": {
    prints: /^done: the first one\nagain, after CONNECTION_LOST\ndone: the first one\ndone: the last one$/m,
  },
  "readable-writable-pair.ts": { prints: /^through a pair of streams$/m },
  "recovery.ts": {
    prints: /^lost: CONNECTION_LOST\nback, with 0 failures\n(again: before the outage\n)?new: after the outage$/m,
  },
  "relay.ts": { prints: /^through the relay$/m },
  "retries-and-dead-letters.ts": {
    prints: /^easy: done at attempt 1\nsecond try: done at attempt 2\nhopeless: put aside after attempt 3$/m,
  },
  "retries-by-hand.ts": {
    prints: /^easy: done at attempt 1\nsecond try: done at attempt 2\nhopeless: put aside after attempt 3$/m,
  },
  "routing.ts": { prints: /^1 alert, 4 archived$/m },
  "rpc-by-hand.ts": { prints: /^55, 6765, 832040; refused: a whole number from 0 to 70, please$/m },
  "rpc.ts": { prints: /^55, 6765, 832040\nrefused: OUT_OF_RANGE: a whole number from 0 to 70, please$/m },
  "several-hosts.ts": {
    prints: /^connected to RabbitMQ, at the second of two places\n127\.0\.0\.1:1: CONNECTION_REFUSED \(tcp\)$/m,
  },
  "streams.ts": { prints: /^a b c end \(0 to 3\) \| a b c end \(0 to 3\) \| c end \(2 to 3\)$/m },
  "tls-client-certificate.ts": {
    arguments: tlsArguments.map(String),
    skip: tlsArguments.includes(undefined),
    prints: /^logged in with EXTERNAL$/m,
  },
  "threads.ts": {
    // Longer than the two seconds after which a server that hears no heartbeat closes the connection.
    arguments: ["4000"],
    prints: /^one done, two done; connection open, heartbeat 1 s$/m,
  },
  // The worker may be ended before it acknowledges what it forwarded last.
  "threads-channel.ts": { prints: /^ONE TWO THREE\nPORT_CLOSED, [01] requeued$/m },
  "topics.ts": { prints: /^kitchen\.# got 2, \*\.temperature got 2, \*\.\*\.battery got 1$/m },
  "transactions.ts": { prints: /^1 invoice, 0 orders left$/m },
  "worker.ts": { prints: /^4 tasks done, 1 given up after a second try$/m },
};

const programs = readdirSync(path.join(root, "docs/examples")).filter((name) => name.endsWith(".ts"));

describe("every example", () => {
  it("is run by this test", () => {
    expect(programs.toSorted()).toEqual(Object.keys(examples).toSorted());
  });

  for (const [name, { arguments: args = [], skip = false, prints }] of Object.entries(examples)) {
    it.skipIf(skip)(name, { timeout: exampleTimeout }, async () => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--conditions=@leveret/source", path.join(root, "docs/examples", name), ...args],
        { env: { ...process.env, AMQP_URL: url, NODE_OPTIONS: "" }, timeout: exampleTimeout },
      );
      expect(stdout).toMatch(prints);
    });
  }
});

describe("the demo does the main job", () => {
  it.each([
    ["the broker of AMQP_URL", url],
    ["the embedded broker", ""],
  ])("on %s", { timeout: exampleTimeout }, async (broker, AMQP_URL) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--conditions=@leveret/source", path.join(root, "tools/demo.ts")],
      { env: { ...process.env, AMQP_URL, NODE_OPTIONS: "", DEMO_MESSAGES: "2000" }, timeout: exampleTimeout },
    );
    expect(stdout).toContain(`connected to ${broker}`);
    expect(stdout).toMatch(/published and confirmed +2000 of 2000\n.*out of order 0, redelivered 0\n.*\n.*all is well/);
  });
});

describe("code in the documents is an excerpt of an example", () => {
  // The programs of workers stand in a folder of their own.
  const workers = readdirSync(path.join(root, "docs/examples/workers")).map((name) => `workers/${name}`);
  const sources = [...programs, ...workers].map((name) => readFileSync(path.join(root, "docs/examples", name), "utf8"));
  const documents = [
    "README.md",
    ...readdirSync(path.join(root, "docs"))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ];

  it.each(documents)("%s", (document) => {
    const text = readFileSync(path.join(root, document), "utf8");
    for (const [, code] of text.matchAll(/^```ts\n(.*?)^```/gms)) {
      expect(
        sources.some((source) => source.includes(code as string)),
        `no example has\n${code}`,
      ).toBe(true);
    }
  });
});
