/** What a broker holds, as plain values: for tests to compare, and for people to read. */

import { type BasicProperties, decodeProperties, decodeTable, type FieldTable } from "@leveret/core/wire";
import { encodeFields, type Fields } from "./codec/fields.ts";
import { concat, lengthOctets } from "./codec/octets.ts";
import type { Channel } from "./channel/channel.ts";
import { Consumer } from "./channel/consumer.ts";
import type { BrokerConnection } from "./connection/connection.ts";
import type { ConnectionPhase } from "./connection/session.ts";
import type { QueueEntry } from "./queues/entry.ts";
import type { Queue } from "./queues/queue.ts";
import type { Exchange, ExchangeType } from "./topology/exchange.ts";
import type { QueueType } from "./topology/queue-arguments.ts";

/** A message in a queue. */
export interface MessageSnapshot {
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: BasicProperties;
  readonly body: Uint8Array;
  readonly redelivered: boolean;
  /** Its place in the queue's history, from 0; in a stream, the offset. */
  readonly position: number;
}

/** A consumer of a queue. */
export interface ConsumerSnapshot {
  readonly consumerTag: string;
  /** The id of its connection. */
  readonly connection: number;
  readonly channel: number;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  readonly prefetchCount: number;
  readonly unsettled: number;
  /** False for those that wait behind a single active consumer. */
  readonly isActive: boolean;
}

/** A queue. */
export interface QueueSnapshot {
  readonly name: string;
  readonly type: QueueType;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
  /** Messages that wait for a consumer, in the order in which they leave. */
  readonly messages: readonly MessageSnapshot[];
  readonly messageCount: number;
  /** Messages that were delivered and not settled. */
  readonly unsettledCount: number;
  readonly consumers: readonly ConsumerSnapshot[];
}

/** An exchange. */
export interface ExchangeSnapshot {
  readonly name: string;
  readonly type: ExchangeType;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: FieldTable;
}

/** A binding. */
export interface BindingSnapshot {
  readonly source: string;
  readonly destination: string;
  readonly destinationType: "queue" | "exchange";
  readonly routingKey: string;
  readonly arguments: FieldTable;
}

/** A channel. */
export interface ChannelSnapshot {
  readonly number: number;
  readonly mode: "plain" | "confirm" | "transaction";
  /** The broker has closed it, and the client has not agreed yet. */
  readonly isClosing: boolean;
  readonly prefetchCount: number;
  readonly globalPrefetchCount: number;
  readonly consumerTags: readonly string[];
  /** The deliveries that the client has not settled, oldest first. */
  readonly unsettled: readonly { readonly deliveryTag: number; readonly queue: string; readonly position: number }[];
  /** Publishes without an answer. */
  readonly unconfirmed: number;
}

/** A connection. */
export interface ConnectionSnapshot {
  readonly id: number;
  /** What the client calls itself (`connection_name`), else what the driver calls it. */
  readonly name: string;
  readonly phase: ConnectionPhase;
  /** `undefined` before login. */
  readonly user: string | undefined;
  readonly virtualHost: string | undefined;
  readonly isBlocked: boolean;
  readonly channels: readonly ChannelSnapshot[];
}

export function snapshotQueue(queue: Queue): QueueSnapshot {
  return {
    name: queue.name,
    type: queue.type,
    durable: queue.durable,
    exclusive: queue.owner !== undefined,
    autoDelete: queue.autoDelete,
    arguments: plainTable(queue.arguments),
    messages: Array.from(queue.messages(), snapshotMessage),
    messageCount: queue.messageCount,
    unsettledCount: queue.unsettledCount,
    consumers: queue.consumerList().flatMap((consumer) => {
      if (!(consumer instanceof Consumer)) return [];
      return [snapshotConsumer(consumer, !queue.settings.singleActiveConsumer || queue.activeConsumer === consumer)];
    }),
  };
}

export function snapshotExchange(exchange: Exchange): ExchangeSnapshot {
  const { name, type, durable, autoDelete, internal } = exchange;
  return { name, type, durable, autoDelete, internal, arguments: plainTable(exchange.arguments) };
}

export function snapshotBindings(exchange: Exchange): readonly BindingSnapshot[] {
  return [...exchange.outbound.values()].flatMap((bindings) =>
    [...bindings.values()].map((binding) => ({
      source: exchange.name,
      destination: binding.destination.name,
      destinationType: binding.destination.kind,
      routingKey: binding.routingKey,
      arguments: plainTable(binding.arguments),
    })),
  );
}

export function snapshotConnection(connection: BrokerConnection): ConnectionSnapshot {
  const { id, phase, peer, features, isBlocked, userName, virtualHostName } = connection;
  return {
    id,
    name: features.name ?? peer.name ?? `connection ${id}`,
    phase,
    user: userName,
    virtualHost: virtualHostName,
    isBlocked,
    channels: Array.from(connection.channels, snapshotChannel),
  };
}

function snapshotChannel(channel: Channel): ChannelSnapshot {
  return {
    number: channel.number,
    mode: channel.mode.kind,
    isClosing: channel.isClosing,
    prefetchCount: channel.prefetch,
    globalPrefetchCount: channel.sharedPrefetch,
    consumerTags: [...channel.consumers.keys()],
    unsettled: Array.from(channel.unsettled, ({ tag, queue, entry }) => ({
      deliveryTag: tag,
      queue: queue.name,
      position: entry.position,
    })),
    unconfirmed: channel.mode.kind === "confirm" ? channel.mode.confirms.outstanding : 0,
  };
}

function snapshotConsumer(consumer: Consumer, isActive: boolean): ConsumerSnapshot {
  const { tag, channel, noAck, exclusive, priority, prefetch, unsettled } = consumer;
  return {
    consumerTag: tag,
    connection: channel.owner.id,
    channel: channel.number,
    noAck,
    exclusive,
    priority,
    prefetchCount: prefetch,
    unsettled,
    isActive,
  };
}

function snapshotMessage({ message, redelivered, position }: QueueEntry): MessageSnapshot {
  return {
    exchange: message.exchange,
    routingKey: message.routingKey,
    properties: decodeProperties(message.properties.encoded.bytes),
    body: message.body,
    redelivered,
    position,
  };
}

function plainTable(fields: Fields): FieldTable {
  const octets = encodeFields(fields);
  return decodeTable(concat([lengthOctets(octets.length), octets]));
}
