/** Deliberate bugs, to see that the simulation finds them. Each changes one place of one file, which must be there exactly once. */

export interface Mutation {
  /** What the bug is. */
  readonly name: string;
  /** The file, from the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const engine = (name: string, file: string, find: string, replace: string): Mutation => ({
  name,
  file: `core/src/engine/${file}`,
  find,
  replace,
});
const wire = (name: string, file: string, find: string, replace: string): Mutation => ({
  name,
  file: `core/src/wire/${file}`,
  find,
  replace,
});
const broker = (name: string, file: string, find: string, replace: string): Mutation => ({
  name,
  file: `conformance/src/broker/${file}`,
  find,
  replace,
});

export const mutations: readonly Mutation[] = [
  // Confirms
  engine(
    "a range of confirms ends one too early",
    "confirms.ts",
    "this.#next - 1 : deliveryTag, outcome",
    "this.#next - 1 : Math.max(1, deliveryTag - 1), outcome",
  ),
  engine(
    "a range of confirms begins one too early",
    "confirms.ts",
    "let first = this.#settledUpTo + 1;",
    "let first = Math.max(1, this.#settledUpTo);",
  ),
  engine(
    "what was confirmed early is confirmed again by a range",
    "confirms.ts",
    "if (!this.#settledEarly.delete(number)) continue;",
    "continue;",
  ),
  engine("early confirms are forgotten", "confirms.ts", "      this.#settledEarly.add(deliveryTag);\n", ""),
  engine("the sequence begins at 0", "confirms.ts", "#next = 1;", "#next = 0;"),
  engine(
    "a nack is taken for an ack",
    "channel.ts",
    'return this.#settled(method.fields, "nack");',
    'return this.#settled(method.fields, "ack");',
  ),

  // Channels and requests
  engine(
    "channel.close is not answered",
    "channel.ts",
    '    this.#host.writer.method(this.number, "channel.close-ok", {});\n',
    "",
  ),
  engine(
    "a channel's end does not name its requests",
    "channel.ts",
    'method !== "channel.open" && method !== "channel.close");',
    "false && method);",
  ),
  engine(
    "a closing channel is closed at once",
    "channel.ts",
    'return phase === "closing" ? undefined : this.#closed();',
    "return this.#closed();",
  ),
  engine(
    "a channel number is free before the close is answered",
    "channel.ts",
    'case "channel.close":\n        this.#phase = "closing";',
    'case "channel.close":\n        this.#host.numberFreed(this.number);\n        this.#phase = "closing";',
  ),
  engine(
    "nothing is held while a commit is in flight",
    "channel.ts",
    'if (method === "tx.commit" || (method',
    "if (false || (method",
  ),
  engine(
    "what was held for a commit is lost",
    "channel.ts",
    'case "tx.commit-ok":\n        this.#output.release();',
    'case "tx.commit-ok":\n        this.#output.discard();',
  ),
  engine(
    "a redelivery looks like a first delivery",
    "channel.ts",
    "consumerTag, deliveryTag, redelivered, exchange, routingKey, content }",
    "consumerTag, deliveryTag, redelivered: false && redelivered, exchange, routingKey, content }",
  ),
  engine(
    "two requests are in flight",
    "request-queue.ts",
    "if (this.#inFlight === undefined || (request.noWait",
    "if (this.#inFlight !== request || (request.noWait",
  ),
  engine("the next request does not leave with a reply", "request-queue.ts", "    this.#startNext();\n", ""),
  engine(
    "an answered request is listed among the unanswered",
    "request-queue.ts",
    "    this.#inFlight = undefined;\n    request.ended = true;",
    "    request.ended = true;",
  ),
  engine(
    "a freed channel number is never found again",
    "channel-numbers.ts",
    "    this.#lowestCandidate = Math.min(this.#lowestCandidate, number);\n",
    "",
  ),
  engine(
    "a channel number is given out twice",
    "channel-numbers.ts",
    "    this.#taken.add(this.#lowestCandidate);\n",
    "",
  ),

  // Contents
  engine(
    "pieces of a body overwrite one another",
    "content-assembler.ts",
    "bytes.subarray(start, end), this.#received);",
    "bytes.subarray(start, end), 0);",
  ),
  engine(
    "a body is taken for whole before its frame ends",
    "content-assembler.ts",
    "return frameEnds && total",
    "return total",
  ),
  engine(
    "properties get lost",
    "content-assembler.ts",
    "bare ? undefined : this.#slab.copy(bytes, propertiesStart, end)",
    "bare ? undefined : undefined",
  ),
  engine("copies share their memory", "slab.ts", "    this.#used = at + size;\n", "    this.#used = at;\n"),
  engine(
    "borrowed memory is kept",
    "slab.ts",
    "    const size = end - start;\n",
    "    const size = end - start;\n    if (size > 0) return bytes.subarray(start, end);\n",
  ),

  // Time and tuning
  engine("heartbeats are not sent", "heartbeat.ts", 'return "send";', "return undefined;"),
  engine(
    "silence is death after less than an interval",
    "heartbeat.ts",
    "this.#heardAt + 2 * this.#interval",
    "this.#heardAt + 0.3 * this.#interval",
  ),
  engine(
    "a heartbeat that was sent stays due",
    "heartbeat.ts",
    '    this.#sentAt = now;\n    return "send";',
    '    return "send";',
  ),
  engine(
    "no limit of ours is no limit at all",
    "tuning.ts",
    "if (ours === 0) return theirs;",
    "if (ours === 0) return 0;",
  ),

  // The wire
  wire(
    "body frames are a little too large",
    "encode-content.ts",
    "const pieceMax = payloadMax(frameMax);",
    "const pieceMax = payloadMax(frameMax) + 8;",
  ),
  wire(
    "a piece of a body frame ends the frame",
    "frame-reader.ts",
    "this.last = end < this.#chunk.length;",
    "this.last = true;",
  ),
  wire(
    "the reader forgets where a header was cut",
    "frame-reader.ts",
    "    this.#filled += count;\n",
    "    this.#filled = count;\n",
  ),
  wire(
    "bits of a method are numbered from the wrong end",
    "encode.ts",
    "bits |= 1 << bitCount;",
    "bits |= 128 >> bitCount;",
  ),
  wire("a nack with requeue goes out without it", "encode-settlements.ts", "(requeue ? 2 : 0)", "(requeue ? 0 : 2)"),

  // The broker: its bugs must be found as well
  broker("a requeued message is lost", "queues/message-queue.ts", "    this.#ready.putBack(entry);\n", ""),
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
];
