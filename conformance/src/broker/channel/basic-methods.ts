/** The class basic, but for publishing: consuming, fetching, settling. */

import { type Field, integerValue, lookup, textValue } from "../codec/fields.ts";
import type { Fields as TypedFields } from "../codec/fields.ts";
import { Refusal } from "../failures.ts";
import type { Profile } from "../profile.ts";
import type { Queue } from "../queues/queue.ts";
import { parseStreamFilter, parseStreamStart, StreamQueue } from "../queues/stream-queue.ts";
import { checkConsumerArguments } from "../topology/queue-arguments.ts";
import type { Channel, Settlement } from "./channel.ts";
import { Consumer } from "./consumer.ts";
import { replyQueue } from "./direct-reply.ts";
import type { Handlers } from "./methods.ts";
import { describeQueue, queueNameOf } from "./queue-methods.ts";

export const basicMethods: Handlers = {
  "basic.qos": (channel, { prefetchSize, prefetchCount, global }) => {
    if (prefetchSize !== 0) throw new Refusal("NOT_IMPLEMENTED", `prefetch_size!=0 (${prefetchSize})`);
    const mayShare = channel.owner.virtualHost.profile.globalQos === "channel";
    if (!global || !mayShare) channel.prefetch = prefetchCount;
    // A limit for each consumer lifts the one that they share.
    if (mayShare) channel.sharedPrefetch = global ? prefetchCount : 0;
    channel.send("basic.qos-ok", {});
  },

  "basic.consume": (channel, fields, table) => {
    if (channel.consumers.has(fields.consumerTag) || channel.replyConsumer?.tag === fields.consumerTag) {
      throw new Refusal("NOT_ALLOWED", `attempt to reuse consumer tag '${fields.consumerTag}'`);
    }
    const name = queueNameOf(channel, fields.queue);
    const tag = fields.consumerTag === "" ? channel.owner.services.uniqueName("amq.ctag-") : fields.consumerTag;
    if (name === replyQueue) {
      consumeReplies(channel, tag, fields.noAck);
      if (!fields.noWait) channel.send("basic.consume-ok", { consumerTag: tag });
      return;
    }
    const { user, virtualHost } = channel.owner;
    user.check("read", "queue", name, virtualHost.name);
    const queue = virtualHost.queue(name);
    queue.checkAccess(channel.owner);
    const consumer = createConsumer(channel, queue, tag, fields, table);
    queue.addConsumer(consumer);
    channel.consumers.set(tag, consumer);
    if (!fields.noWait) channel.send("basic.consume-ok", { consumerTag: tag });
  },

  "basic.cancel": (channel, { consumerTag, noWait }) => {
    const consumer = channel.consumers.get(consumerTag);
    if (consumer !== undefined) {
      channel.consumers.delete(consumerTag);
      consumer.queue.removeConsumer(consumer);
    } else if (channel.replyConsumer?.tag === consumerTag) {
      channel.owner.services.replies.remove(channel.replyConsumer.key);
      channel.replyConsumer = undefined;
    }
    if (!noWait) channel.send("basic.cancel-ok", { consumerTag });
  },

  "basic.get": (channel, { queue: field, noAck }) => {
    const { user, virtualHost } = channel.owner;
    const name = queueNameOf(channel, field);
    user.check("read", "queue", name, virtualHost.name);
    const queue = virtualHost.queue(name);
    queue.checkAccess(channel.owner);
    checkFetchable(queue);
    const entry = queue.get();
    if (entry === undefined) channel.send("basic.get-empty", {});
    else channel.deliverFetched(queue, entry, noAck);
  },

  "basic.ack": (channel, { deliveryTag, multiple }) => settle(channel, deliveryTag, multiple, "ack"),
  "basic.nack": (channel, { deliveryTag, multiple, requeue }) =>
    settle(channel, deliveryTag, multiple, requeue ? "returned" : "discard"),
  "basic.reject": (channel, { deliveryTag, requeue }) =>
    settle(channel, deliveryTag, false, requeue ? "rejected" : "discard"),

  "basic.recover": (channel, { requeue }) => {
    checkRequeue(requeue);
    channel.send("basic.recover-ok", {});
    channel.settle(channel.unsettled.takeAll(), "returned");
  },

  "basic.recover-async": (channel, { requeue }) => {
    checkRequeue(requeue);
    channel.settle(channel.unsettled.takeAll(), "returned");
  },
};

function settle(channel: Channel, tag: number, multiple: boolean, settlement: Settlement): void {
  const deliveries = channel.unsettled.take(tag, multiple);
  if (settlement !== "ack" && !channel.owner.virtualHost.profile.streamNack) {
    const stream = deliveries.find(({ queue }) => queue.type === "stream");
    if (stream !== undefined) {
      throw new Refusal("NOT_IMPLEMENTED", `basic.nack not supported by stream queues ${describeQueue(stream.queue)}`);
    }
  }
  if (channel.mode.kind === "transaction") channel.mode.transaction.settle(deliveries, settlement);
  else channel.settle(deliveries, settlement);
}

function checkRequeue(requeue: boolean): void {
  if (!requeue) throw new Refusal("NOT_IMPLEMENTED", "requeue=false");
}

function consumeReplies(channel: Channel, tag: string, noAck: boolean): void {
  if (!noAck) throw new Refusal("PRECONDITION_FAILED", "reply consumer cannot acknowledge");
  if (channel.replyConsumer !== undefined) throw new Refusal("PRECONDITION_FAILED", "reply consumer already set");
  const { services } = channel.owner;
  const key = `${services.uniqueName("g1h")}.${services.uniqueName("")}==`;
  channel.replyConsumer = { tag, key };
  services.replies.add(key, channel);
}

interface ConsumeFields {
  readonly noAck: boolean;
  readonly exclusive: boolean;
}

function createConsumer(
  channel: Channel,
  queue: Queue,
  tag: string,
  { noAck, exclusive }: ConsumeFields,
  table: TypedFields,
): Consumer {
  checkConsumerArguments(table, queue.type, queue.name, queue.virtualHost, channel.owner.virtualHost.profile);
  const priority = lookup(table, "x-priority");
  if (queue.type !== "classic" && channel.sharedPrefetch > 0) {
    throw new Refusal("NOT_IMPLEMENTED", `${describeQueue(queue)} does not support global qos`);
  }
  const consumer = new Consumer(channel, {
    tag,
    queue,
    noAck,
    // Replicated queues do not know exclusive consumers.
    exclusive: exclusive && queue.type === "classic",
    priority: Number(integerValue(priority) ?? 0n),
    prefetch: channel.prefetch,
  });
  if (queue instanceof StreamQueue) startStream(channel, queue, consumer, table);
  return consumer;
}

function startStream(channel: Channel, stream: StreamQueue, consumer: Consumer, table: TypedFields): void {
  const { profile } = channel.owner.virtualHost;
  const name = describeQueue(stream);
  const field = lookup(table, "x-stream-offset");
  const start = parseStreamStart(field, channel.owner.services.now());
  const isText = field?.type === "longstr";
  if (start === undefined && (isText || profile.badStreamOffset === "PRECONDITION_FAILED"))
    throw badOffset(field, stream, profile);
  if (consumer.prefetch === 0) {
    const what = profile.namesStreams ? `stream ${name}` : `'${name}'`;
    throw new Refusal("PRECONDITION_FAILED", `consumer prefetch count is not set for ${what}`);
  }
  if (consumer.noAck) {
    const what = profile.namesStreams ? `stream ${name}` : `stream queues ${name}`;
    throw new Refusal("NOT_IMPLEMENTED", `automatic acknowledgement not supported by ${what}`);
  }
  if (start === undefined) throw badOffset(field, stream, profile);
  stream.position(consumer, start, profile.filtersStreams ? parseStreamFilter(table) : undefined);
}

/** Only what looks like a time can be wrong in a way that does not crash the channel of a RabbitMQ before 4.3. */
function badOffset(field: Field | undefined, stream: StreamQueue, { badStreamOffset }: Profile): Refusal {
  const value = textValue(field) ?? "";
  const isCrash = badStreamOffset === "INTERNAL_ERROR";
  if (isCrash && !/^\d/.test(value)) return new Refusal("INTERNAL_ERROR", "", { blames: "none" });
  const received = isCrash ? `{longstr,<<"${value}">>}` : field?.type;
  const reason = `{invalid_stream_offset_arg,${received}}`;
  return new Refusal("PRECONDITION_FAILED", `invalid arg 'x-stream-offset' for ${describeQueue(stream)}: ${reason}`);
}

function checkFetchable(queue: Queue): void {
  if (queue.type === "stream") {
    throw new Refusal("NOT_IMPLEMENTED", `basic.get not supported by stream queues ${describeQueue(queue)}`);
  }
  if (queue.type === "quorum" && queue.settings.singleActiveConsumer) {
    throw new Refusal(
      "RESOURCE_LOCKED",
      `cannot obtain access to locked ${describeQueue(queue)}. basic.get operations are not supported by quorum ` +
        "queues with single active consumer",
    );
  }
}
