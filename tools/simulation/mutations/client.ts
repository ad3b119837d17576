/** Bugs of the promise client. */

import { bugsIn, type Mutation } from "./mutation.ts";

const client = bugsIn("core/src/client", "client");

export const clientMutations: readonly Mutation[] = [
  client(
    "a run of acknowledgements takes along what is outstanding",
    "settlement.ts",
    "      if (state === outstanding) break;\n",
    "",
  ),
  client(
    "acknowledgements of a turn are forgotten",
    "settlement.ts",
    "    if (count === 0) return;\n    this.#ack(last, count > 1);\n",
    "    if (count === 0) return;\n",
  ),
  client(
    "what was refused can be refused again",
    "settlement.ts",
    "    if (!this.#stragglers.delete(tag)) this.#settle(tag);\n",
    "",
  ),
  client(
    "a refusal overtakes the acknowledgements before it",
    "settlement.ts",
    "    this.flush();\n    const last = this.#highestOutstanding",
    "    const last = this.#highestOutstanding",
  ),
  client(
    "what is outstanding on a closing channel is refused all the same",
    "settlement.ts",
    'return !this.#ended && this.#engine.state !== "open";',
    "return false;",
  ),
  client(
    "a handler that fails drops its message",
    "handler-runner.ts",
    "      delivery.nack({ requeue });\n",
    "      delivery.nack({ requeue: false });\n",
  ),
  client("a handler that fails keeps its message", "handler-runner.ts", "      delivery.nack({ requeue });\n", ""),
  client(
    "one handler too many runs",
    "handler-runner.ts",
    "return this.#running < this.#options.concurrency;",
    "return this.#running <= this.#options.concurrency;",
  ),
  client(
    "a handler's end does not make room for the next message",
    "handler-runner.ts",
    "    this.#options.freed();\n",
    "",
  ),
  client(
    "what a cancelled consumer had in its buffer does not go back",
    "subscription.ts",
    'if (end.type === "cancelled") for (const delivery of deliveries) giveBack(delivery);',
    "void end;",
  ),
  client(
    "messages are handed out while their consumer is paused",
    "subscription.ts",
    "if (this.#paused || this.#holdsBack()) return undefined;",
    "if (this.#holdsBack()) return undefined;",
  ),
  client(
    "the publisher's window is one too large",
    "publishing.ts",
    "this.#unconfirmed.count < this.#window.messages &&",
    "this.#unconfirmed.count <= this.#window.messages &&",
  ),
  client(
    "a publish that waited for room is not sent when there is some",
    "publishing.ts",
    "    while (this.#waiting.size > 0 && this.#flows) this.#sendFirstWaiting();\n",
    "",
  ),
  client(
    "a publish that was given up while it waited is sent",
    "publishing.ts",
    "if (!next.over) this.#sendNow(next);",
    "this.#sendNow(next);",
  ),
  client(
    "a flush ends one confirm too early",
    "publishing.ts",
    "this.#flushes[0].upTo < this.#unconfirmed.lowest",
    "this.#flushes[0].upTo <= this.#unconfirmed.lowest",
  ),
  client(
    "a message that came back counts as confirmed",
    "unconfirmed.ts",
    "      else if (returned !== undefined) fail(waiter, (known) => new UnroutableError(returned, known));\n      else if (typeof waiter",
    "      else if (typeof waiter",
  ),
  client(
    "a nack counts as a confirm",
    "unconfirmed.ts",
    '      if (outcome === "nack") fail(waiter, nacked);\n      else if',
    "      if",
  ),
  client(
    "what is unconfirmed at the end of a channel counts as not sent",
    "unconfirmed.ts",
    'sequence === refused ? "refused" : "unknown"',
    '"not-sent"',
  ),
  client(
    "the calls of a channel that ended are forgotten",
    "channel-core.ts",
    "    if (requests.length > 0) this.host.replies.end(requests, makeEnd());\n",
    "",
  ),
  client(
    "a call that was aborted leaves its message behind",
    "channel.ts",
    "if (message !== undefined) giveBack(message);",
    "void message;",
  ),
  client(
    "the consumers of a channel that ended are not told",
    "channel-core.ts",
    '    this.subscriptions.end(reason === undefined ? { type: "closed" } : { type: "lost", error: reason });\n',
    "",
  ),
  client(
    "after one deadline there is no other",
    "deadlines.ts",
    "      expiring.expire();\n    }\n    this.#arm();\n",
    "      expiring.expire();\n    }\n",
  ),
  client(
    "an unbinding forgets its routing key",
    "channel-topology.ts",
    '"queue.unbind", { ...options, routingKey }',
    '"queue.unbind", { ...options, routingKey: "" }',
  ),
];
