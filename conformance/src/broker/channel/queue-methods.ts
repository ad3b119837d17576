/** The class queue. */

import { lookup, textValue } from "../codec/fields.ts";
import { describe, Refusal } from "../failures.ts";
import type { Queue } from "../queues/queue.ts";
import { checkNotDefaultExchange, checkNotReserved, checkServerNamed, declareQueue } from "../topology/declarations.ts";
import type { Channel } from "./channel.ts";
import { isReplyName, replyQueue } from "./direct-reply.ts";
import { checkBinding } from "./exchange-methods.ts";
import { type Handlers, stripLineEnds } from "./methods.ts";

export const queueMethods: Handlers = {
  "queue.declare": (channel, fields, table) => {
    const { user, virtualHost } = channel.owner;
    const name = stripLineEnds(fields.queue);
    if (isReplyName(name)) {
      declareReplyName(channel, name, fields.noWait);
      return;
    }
    let queue: Queue;
    if (fields.passive) {
      if (virtualHost.profile.passiveNeedsPermission) checkAnyRight(channel, name);
      queue = virtualHost.queue(name);
      queue.checkAccess(channel.owner);
    } else {
      if (name === "") checkServerNamed(table);
      else checkNotReserved("queue", name);
      const actualName = name === "" ? channel.owner.services.uniqueName("amq.gen-") : name;
      user.check("configure", "queue", actualName, virtualHost.name);
      const { durable, exclusive, autoDelete } = fields;
      const wish = { name: actualName, durable, exclusive, autoDelete, arguments: table };
      queue = declareQueue(virtualHost, wish, channel.owner, () => {
        user.check("read", "queue", actualName, virtualHost.name);
        user.check("write", "exchange", textValue(lookup(table, "x-dead-letter-exchange")) ?? "", virtualHost.name);
      });
    }
    channel.lastQueue = queue.name;
    if (fields.noWait) return;
    const { messageCount, consumerCount } = queue;
    channel.send("queue.declare-ok", { queue: queue.name, messageCount, consumerCount });
  },

  "queue.bind": (channel, fields, table) => {
    const { virtualHost } = channel.owner;
    const { queue: name, routingKey } = bindingOf(channel, fields);
    const exchangeName = stripLineEnds(fields.exchange);
    checkMayBind(channel, name, exchangeName);
    const exchange = virtualHost.exchange(exchangeName);
    const queue = virtualHost.queue(name);
    queue.checkAccess(channel.owner);
    checkBinding(exchange, routingKey, table, channel);
    virtualHost.bind(exchange, queue, routingKey, table);
    if (!fields.noWait) channel.send("queue.bind-ok", {});
  },

  "queue.unbind": (channel, fields, table) => {
    const { virtualHost } = channel.owner;
    const { queue: name, routingKey } = bindingOf(channel, fields);
    const exchangeName = stripLineEnds(fields.exchange);
    checkMayBind(channel, name, exchangeName);
    const exchange = virtualHost.exchanges.get(exchangeName);
    const queue = virtualHost.queues.get(name);
    if (exchange !== undefined && queue !== undefined && virtualHost.isBound(exchange, queue, routingKey, table)) {
      queue.checkAccess(channel.owner);
      virtualHost.unbind(exchange, queue, routingKey, table);
    }
    channel.send("queue.unbind-ok", {});
  },

  "queue.purge": (channel, fields) => {
    const { user, virtualHost } = channel.owner;
    const name = queueNameOf(channel, fields.queue);
    user.check("read", "queue", name, virtualHost.name);
    const queue = virtualHost.queue(name);
    queue.checkAccess(channel.owner);
    if (queue.type === "stream") {
      throw new Refusal("NOT_IMPLEMENTED", `queue.purge not supported by stream queues ${describeQueue(queue)}`);
    }
    const messageCount = queue.purge();
    if (!fields.noWait) channel.send("queue.purge-ok", { messageCount });
  },

  "queue.delete": (channel, fields) => {
    const { user, virtualHost } = channel.owner;
    const name = queueNameOf(channel, fields.queue);
    let messageCount = 0;
    if (!isReplyName(name)) {
      user.check("configure", "queue", name, virtualHost.name);
      const queue = virtualHost.queues.get(name);
      if (queue !== undefined) messageCount = deleteQueue(channel, queue, fields.ifUnused, fields.ifEmpty);
    }
    if (!fields.noWait) channel.send("queue.delete-ok", { messageCount });
  },
};

/**
 * The name that a field stands for: the queue that was declared last on this channel where it is empty.
 *
 * @throws Refusal NOT_FOUND when there is none.
 */
export function queueNameOf(channel: Channel, field: string): string {
  const name = stripLineEnds(field);
  if (name !== "") return name;
  if (channel.lastQueue === undefined) throw new Refusal("NOT_FOUND", "no previously declared queue");
  return channel.lastQueue;
}

/** `queue 'q' in vhost '/'` */
export function describeQueue(queue: Queue): string {
  return describe("queue", queue.name, queue.virtualHost);
}

function deleteQueue(channel: Channel, queue: Queue, ifUnused: boolean, ifEmpty: boolean): number {
  queue.checkAccess(channel.owner);
  if (queue.type === "quorum" && (ifUnused || ifEmpty)) {
    const flag = ifUnused ? "if-unused" : "if-empty";
    const why = `queue.delete operations with ${flag} flag set are not supported by quorum queues`;
    throw new Refusal("NOT_IMPLEMENTED", `cannot delete ${describeQueue(queue)}. ${why}`);
  }
  if (ifUnused && queue.consumerCount > 0) {
    throw new Refusal("PRECONDITION_FAILED", `${describeQueue(queue)} in use`);
  }
  if (ifEmpty && queue.messageCount > 0) {
    throw new Refusal("PRECONDITION_FAILED", `${describeQueue(queue)} not empty`);
  }
  return channel.owner.virtualHost.deleteQueue(queue);
}

/** The name of a direct reply "queue" can be declared, to ask whether somebody waits there. */
function declareReplyName(channel: Channel, name: string, noWait: boolean): void {
  const { services, virtualHost } = channel.owner;
  const waits = services.replies.has(name);
  if (name !== replyQueue && !waits) {
    throw new Refusal("NOT_FOUND", `no ${describe("queue", name, virtualHost.name)}`);
  }
  if (!noWait) channel.send("queue.declare-ok", { queue: name, messageCount: 0, consumerCount: 1 });
}

/** An empty routing key of an empty queue name stands for the name too. */
function bindingOf(
  channel: Channel,
  fields: { readonly queue: string; readonly routingKey: string },
): { readonly queue: string; readonly routingKey: string } {
  const queue = queueNameOf(channel, fields.queue);
  return { queue, routingKey: fields.queue === "" && fields.routingKey === "" ? queue : fields.routingKey };
}

function checkMayBind(channel: Channel, queue: string, exchange: string): void {
  const { user, virtualHost } = channel.owner;
  user.check("write", "queue", queue, virtualHost.name);
  user.check("read", "exchange", exchange, virtualHost.name);
  checkNotDefaultExchange(exchange);
  if (isReplyName(queue) && !virtualHost.profile.bindsReplyTo) {
    const what = describe("queue", queue, virtualHost.name);
    throw new Refusal("ACCESS_REFUSED", `cannot bind to ${what}`);
  }
}

function checkAnyRight(channel: Channel, name: string): void {
  const { user, virtualHost } = channel.owner;
  const hasOne = (["read", "write"] as const).some((right) => user.may(right, name, virtualHost.name));
  if (!hasOne) user.check("configure", "queue", name, virtualHost.name);
}
