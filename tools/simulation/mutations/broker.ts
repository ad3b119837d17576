/** Bugs of the embedded broker: they must be found as well. */

import { bugsIn, type Mutation } from "./mutation.ts";

const broker = bugsIn("conformance/src/broker", "engine");

export const brokerMutations: readonly Mutation[] = [
  broker("a requeued message is lost", "queues/message-queue.ts", "    else this.#ready.putBack(entry);\n", ""),
  broker(
    "a requeued message goes to the end of the queue",
    "queues/ready-messages.ts",
    "    this.#returned.push(entry);\n  }\n\n  peek(): QueueEntry | undefined {\n    const returned",
    "    this.#fresh.push(entry);\n  }\n\n  peek(): QueueEntry | undefined {\n    const returned",
  ),
  broker(
    "a requeued message is not marked as redelivered",
    "queues/message-queue.ts",
    "    entry.redelivered = true;\n",
    "",
  ),
  broker(
    "a multiple ack takes one too many",
    "channel/unsettled.ts",
    "if (candidate.tag > tag) break;",
    "if (candidate.tag > tag + 1) break;",
  ),
  broker(
    "the end of a channel loses what was not settled",
    "channel/unsettled.ts",
    "const taken = [...this.#deliveries.values()];",
    "const taken = [...this.#deliveries.values()].slice(1);",
  ),
  broker(
    "a restart loses persistent messages",
    "queues/message-queue.ts",
    "for (const entry of kept) this.#ready.push(entry);",
    "for (const entry of kept.slice(1)) this.#ready.push(entry);",
  ),
  broker(
    "confirms of a turn name too much",
    "channel/confirms.ts",
    "const last = together.at(-1);",
    "const last = sorted.at(-1);",
  ),
  broker("a dead letter is lost", "queues/message-queue.ts", "    this.host.bury(this, entry.message, reason);\n", ""),
  broker(
    "a message that expires is said to be rejected",
    "queues/message-queue.ts",
    'this.#bury(entry, "expired");',
    'this.#bury(entry, "rejected");',
  ),
  broker(
    "what exceeds a queue's length is not given up",
    "queues/message-queue.ts",
    "    this.#ready.push(entry);\n    this.#isFull",
    "    if (this.settings.maxLength === undefined || this.#ready.length < this.settings.maxLength) this.#ready.push(entry);\n    this.#isFull",
  ),
  broker(
    "an alternate exchange is asked for what has a queue",
    "topology/route.ts",
    "if (!matched && current.alternate",
    "if (matched && current.alternate",
  ),
  broker(
    "a # stands for one word",
    "routing/topic.ts",
    "        if (node.isHash) reach(node, next);\n",
    "        if (node.isHash && next.size > 0) reach(node, next);\n",
  ),
  broker("x-match any is content with nothing", "routing/headers.ts", "  return !wantsAny;\n", "  return true;\n"),
  broker(
    "an unbinding is answered and not done",
    "topology/virtual-host.ts",
    "    if (binding !== undefined) this.#removeBinding(binding);\n",
    "    void binding;\n",
  ),
  broker("the bindings of a queue outlive it", "topology/virtual-host.ts", "    this.#unbindAll(queue);\n", ""),
];
