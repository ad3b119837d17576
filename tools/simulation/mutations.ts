/** Deliberate bugs, to see that the simulation finds them. Each changes one place of one file, which must be there exactly once. */

/** What a bug is looked for with. */
export type TierName = "engine" | "client" | "recovery";

export interface Mutation {
  /** What the bug is. */
  readonly name: string;
  /** The tier of the simulation that has to find it. */
  readonly tier: TierName;
  /** The file, from the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const engine = (name: string, file: string, find: string, replace: string): Mutation => ({
  name,
  tier: "engine",
  file: `core/src/engine/${file}`,
  find,
  replace,
});
const wire = (name: string, file: string, find: string, replace: string): Mutation => ({
  name,
  tier: "engine",
  file: `core/src/wire/${file}`,
  find,
  replace,
});
const broker = (name: string, file: string, find: string, replace: string): Mutation => ({
  name,
  tier: "engine",
  file: `conformance/src/broker/${file}`,
  find,
  replace,
});

const client = (name: string, file: string, find: string, replace: string): Mutation => ({
  name,
  tier: "client",
  file: `core/src/client/${file}`,
  find,
  replace,
});
const recovery = (name: string, file: string, find: string, replace: string): Mutation => ({
  name,
  tier: "recovery",
  file: `core/src/${file}`,
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
  engine("early confirms are forgotten", "confirms.ts", "      this.#settledEarly.set(deliveryTag, true);\n", ""),
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
    "    while (this.#taken.has(this.#lowestCandidate)) this.#lowestCandidate += 1;\n",
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
    "return new Content(body, memory, start, start + headerEnd - propertiesStart);",
    "return new Content(body);",
  ),
  engine("copies share their memory", "slab.ts", "    this.#used = at + size;\n", "    this.#used = at;\n"),
  engine(
    "borrowed memory is kept",
    "slab.ts",
    "    const memory = this.put(bytes, start, end);\n",
    "    if (end > start) return bytes.subarray(start, end);\n    const memory = this.put(bytes, start, end);\n",
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
    "    this.#ready.push(entry);\n    this.#dropExcess();",
    "    if (this.settings.maxLength === undefined || this.#ready.length < this.settings.maxLength) this.#ready.push(entry);\n    this.#dropExcess();",
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

  // The promise client
  client(
    "a run of acknowledgements takes along what is outstanding",
    "settlement.ts",
    "      if (state === outstanding) break;\n",
    "",
  ),
  client(
    "acknowledgements of a turn are forgotten",
    "settlement.ts",
    "    if (count === 0) return;\n    this.#engine.ack(last, count > 1);\n",
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
    "if (this.#paused || this.#holdsBack) return undefined;",
    "if (this.#holdsBack) return undefined;",
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
    "    if (publish.over) {\n      this.#cancelled -= 1;\n      return;\n    }\n    if (publish.waits) this",
    "    if (publish.waits) this",
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
    "      else if (returned !== undefined) fail(waiter, () => new UnroutableError(returned));\n      else if (typeof waiter",
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
    "publishing.ts",
    '    this.stop(makeEnd);\n    this.#unconfirmed.end(() => endedWith(makeEnd(), "unknown"));',
    '    this.stop(makeEnd);\n    this.#unconfirmed.end(() => endedWith(makeEnd(), "not-sent"));',
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
    "topology.ts",
    '"queue.unbind", { ...options, routingKey }',
    '"queue.unbind", { ...options, routingKey: "" }',
  ),

  // Recovery
  recovery(
    "delivery tags begin anew on a recovered channel",
    "client/channel-core.ts",
    "this.#offset = this.settlement.offset + this.settlement.highest;",
    "this.#offset = 0;",
  ),
  recovery(
    "delivery tags of two lives overlap",
    "client/channel-core.ts",
    "this.#offset = this.settlement.offset + this.settlement.highest;",
    "this.#offset = this.settlement.highest;",
  ),
  recovery(
    "a recovered channel confirms no more",
    "recovery/replay.ts",
    '  if (mode === "confirm") steps.push({ type: "confirm.select" });\n',
    "",
  ),
  recovery(
    "a recovered channel has no transactions any more",
    "recovery/replay.ts",
    '  if (mode === "tx") steps.push({ type: "tx.select" });\n',
    "",
  ),
  recovery(
    "consumers are not started again",
    "recovery/replay.ts",
    '    steps.push({ type: "basic.consume", consumer });\n',
    "",
  ),
  recovery(
    "a consumer whose queue was being deleted is forgotten in silence",
    "client/restoring.ts",
    "      endOthers(core, consumerSteps);\n",
    "",
  ),
  recovery(
    "consumers come back without their prefetch",
    "recovery/replay.ts",
    "    if (!consumer.noAck) setPrefetch(consumer.prefetch);\n",
    "",
  ),
  recovery(
    "lost work counts as committed",
    "client/transaction.ts",
    "    if (this.#done > this.#finished) this.#cause = cause;\n",
    "    void cause;\n",
  ),
  recovery(
    "an acknowledgement at a handler's end that belongs to a lost transaction is thrown",
    "client/handler-runner.ts",
    "      // The transaction that it would belong to was lost.\n      this.#options.report(error);\n",
    "      throw error;\n",
  ),
  recovery(
    "a commit that waited for the connection commits another transaction",
    "client/channel-core.ts",
    "{ signal, errorOf, again, value: () => transaction",
    "{ signal, errorOf, value: () => transaction",
  ),
  recovery(
    "what was unconfirmed at a loss counts as confirmed",
    "client/unconfirmed.ts",
    "    for (const waiter of failed) fail(waiter, makeError);\n",
    '    for (const waiter of failed) if (typeof waiter === "function") waiter();\n    void makeError;\n',
  ),
  recovery(
    "what was in the buffer of a consumer is handed out after a loss",
    "client/subscription.ts",
    "    if (!this.info.noAck) this.#buffer.drain();\n",
    "",
  ),
  recovery(
    "calls that wait for the connection are never made",
    "client/gate.ts",
    "      caller.forget();\n      caller.run();\n",
    "      caller.forget();\n",
  ),
  recovery(
    "a call that was sent is made again",
    "client/replies.ts",
    "const mayRepeat = !request.sent ||",
    "const mayRepeat = request.sent ||",
  ),
  recovery(
    "a consumer whose caller gave up stays",
    "client/subscriptions.ts",
    "if (error instanceof AbortError) void subscription.cancel();\n      else this",
    "if (!(error instanceof AbortError)) this",
  ),
  recovery(
    "a prefetch that was under way at a loss is taken for set",
    "client/subscriptions.ts",
    "    this.#toldPrefetch = this.#agreedPrefetch;\n",
    "",
  ),
  recovery(
    "the number of a channel that is to be reopened is given away",
    "client/channel-registry.ts",
    "    if (this.find(number) !== undefined) {\n",
    "    if (this.find(number)?.live === true) {\n",
  ),
  recovery(
    "a channel that the server closed is not reopened",
    "client/recovery.ts",
    'if (this.#state === "open" && !this.#isRestoring(core)) this.#reopenSoon(core);',
    "void core;",
  ),
  recovery(
    "reconnecting goes on after the end",
    "client/reconnecting.ts",
    "    this.#stopped = true;\n    this.#waiting?.cancel();\n",
    "    this.#stopped = true;\n",
  ),
];
