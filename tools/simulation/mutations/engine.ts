/** Bugs of the wire and the engine. */

import { bugsIn, type Mutation } from "./mutation.ts";

const engine = bugsIn("core/src/engine", "engine");
const wire = bugsIn("core/src/wire", "engine");

export const engineMutations: readonly Mutation[] = [
  // Confirms
  engine(
    "a range of confirms ends one too early",
    "confirms.ts",
    "this.#next - 1 : deliveryTag, outcome",
    "this.#next - 1 : Math.max(1, deliveryTag - 1), outcome",
  ),
  engine(
    "a range of confirms begins one too late",
    "confirms.ts",
    "let first = this.#settledUpTo + 1;",
    "let first = this.#settledUpTo + 2;",
  ),
  engine(
    "what was confirmed early is confirmed again by a range",
    "confirms.ts",
    "if (this.#passedOver.delete(number)) continue;",
    "if (this.#passedOver.delete(number) || true) continue;",
  ),
  engine(
    "what a confirm passes over is never confirmed",
    "confirms.ts",
    "this.#passedOver.set(this.#highest, true);",
    "{}",
  ),
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
    'case "tx.commit":\n        return this.#beginHold();',
    'case "tx.commit":\n        return;',
  ),
  engine(
    "what was held for a commit is lost",
    "channel.ts",
    'case "tx.commit-ok":\n        this.#held?.release();',
    'case "tx.commit-ok":\n        this.#held?.discard();',
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
    "    while (this.#taken[this.#lowestCandidate] !== undefined) this.#lowestCandidate += 1;\n",
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
    "the properties of a long message get lost",
    "content-assembler.ts",
    "this.#encodedProperties = isBare(bytes, propertiesStart, end)",
    "this.#encodedProperties = true || isBare(bytes, propertiesStart, end)",
  ),
  engine(
    "the properties of a short message get lost",
    "content-assembler.ts",
    "return new Content(body, run, propertiesStart - runStart, headerEnd - runStart);",
    "return new Content(body);",
  ),
  engine("copies share their memory", "slab.ts", "    this.#used += size;\n", "    this.#used = at;\n"),
  engine(
    "borrowed memory is kept",
    "slab.ts",
    "    if (size > largestShared) return copyOf(bytes, start, end);\n",
    "    if (size > 0) return bytes.subarray(start, end);\n",
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
    "what was copied of a chunk is taken for a part of the next one",
    "frame-reader.ts",
    "    this.run = nothing;\n    this.runStart = 0;\n",
    "",
  ),
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
];
