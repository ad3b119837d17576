/** rabbitmq-c (https://github.com/alanxz/rabbitmq-c), by the programs of Debian's amqp-tools, on the embedded broker. */

import { equal, match } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { brokerUrl, runSteps, type Step } from "./program.ts";

const url = brokerUrl();

interface Result {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs one of the programs. Each of them makes a connection of its own. */
async function tool(name: string, args: readonly string[], input?: string): Promise<Result> {
  const child = spawn(`amqp-${name}`, [`--url=${url}`, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  // A program that is not given anything may be gone before it could be given nothing.
  if (input === undefined) child.stdin.destroy();
  else child.stdin.end(input);
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number]>,
  ]);
  return { code, output, errors };
}

/** Runs one that has to succeed, and returns what it printed. */
async function run(name: string, args: readonly string[], input?: string): Promise<string> {
  const { code, output, errors } = await tool(name, args, input);
  equal(code, 0, `amqp-${name}: ${errors}`);
  return output.trimEnd();
}

const queue = "foreign.c";

const steps: readonly Step[] = [
  ["a queue is declared", async () => equal(await run("declare-queue", ["--queue", queue, "--durable"]), queue)],
  [
    "a queue without a name gets one",
    async () => {
      const name = await run("declare-queue", ["--queue", "", "--durable"]);
      match(name, /^amq\.gen-[\w-]{22}$/);
      equal(await run("delete-queue", ["--queue", name]), "0");
    },
  ],
  [
    "messages of standard input are consumed in order",
    async () => {
      const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`);
      await run("publish", ["--routing-key", queue, "--persistent", "--line-buffered"], `${lines.join("\n")}\n`);
      const output = await run("consume", ["--queue", queue, "--count", "50", "--prefetch-count", "10", "cat"]);
      equal(output, lines.join("\n"));
    },
  ],
  [
    "a body of many frames arrives whole",
    async () => {
      const body = "0123456789".repeat(30_000);
      await run("publish", ["--routing-key", queue, "--content-type", "text/plain", "--header", "a: b"], body);
      equal(await run("get", ["--queue", queue]), body);
    },
  ],
  ["an empty queue has nothing to get", async () => equal((await tool("get", ["--queue", queue])).code, 2)],
  [
    "a topic exchange routes to a queue of the consumer's own",
    async () => {
      const bound = [
        "--exchange",
        "amq.topic",
        "--routing-key",
        "foreign.*",
        "--exclusive",
        "--queue",
        "foreign.c.own",
      ];
      const consumed = run("consume", [...bound, "--count", "1", "cat"]);
      const isDone = consumed.then(
        () => true,
        () => true,
      );
      // Nobody tells when it has bound its queue: what is published before is dropped, as it should be.
      const publish = () =>
        run("publish", ["--exchange", "amq.topic", "--routing-key", "foreign.c", "--body", "hello"]);
      for (let over = false; !over; over = await Promise.race([isDone, publish().then(() => false)]));
      match(await consumed, /^hello/);
    },
  ],
  [
    "an error of the server is told in its words",
    async () => {
      const { code, errors } = await tool("get", ["--queue", "foreign.missing"]);
      equal(code, 1);
      match(errors, /NOT_FOUND - no queue 'foreign\.missing' in vhost '\/'/);
    },
  ],
  [
    "a wrong password is refused",
    async () => {
      const { code, errors } = await tool("get", [
        "--queue",
        queue,
        "--url",
        url.replace("guest:guest", "guest:wrong"),
      ]);
      equal(code, 1);
      match(errors, /ACCESS_REFUSED/);
    },
  ],
  [
    "a queue is deleted",
    async () => {
      await run("publish", ["--routing-key", queue, "--body", "x"]);
      equal(await run("delete-queue", ["--queue", queue]), "1");
    },
  ],
];

await runSteps(steps);
