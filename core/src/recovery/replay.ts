/**
 * What to do on a new connection, in order: pure functions from records to steps. Exchanges come before queues, queues
 * before bindings (a queue may get a new name), and consumers last.
 */

import type { BindingRecord, ChannelRecord, ConsumerRecord, ExchangeRecord, QueueRecord } from "./records.ts";
import type { Topology } from "./topology.ts";

/**
 * Which topology is declared again: all of it; only what the server forgets by itself (exclusive, auto-delete and
 * non-durable things, and bindings that touch one); or none. Channels and consumers are recovered in any case.
 */
export type TopologyMode = "all" | "transient" | "none";

/**
 * Is asked about each thing just before it is brought back: false leaves it out. Another record in place of true has it
 * brought back with that one's attributes, this time; its name, and what a consumer consumes, stay.
 */
export interface TopologyFilter {
  /** Which exchanges come back; default all, as they were. */
  readonly exchange?: ((exchange: ExchangeRecord) => boolean | ExchangeRecord) | undefined;
  /** Which queues. */
  readonly queue?: ((queue: QueueRecord) => boolean | QueueRecord) | undefined;
  /** Which bindings. */
  readonly binding?: ((binding: BindingRecord) => boolean) | undefined;
  /** Which consumers; of another record `exclusive` and `arguments` count. */
  readonly consumer?: ((consumer: ConsumerRecord) => boolean | ConsumerRecord) | undefined;
}

/** What {@link exchangesToDeclare} and its siblings go by. */
export interface ReplayOptions {
  readonly mode: TopologyMode;
  readonly filter: TopologyFilter;
}

/** One thing to send on a recovered channel. */
export type ChannelStep =
  | { readonly type: "confirm.select" }
  | { readonly type: "tx.select" }
  | { readonly type: "basic.qos"; readonly prefetchCount: number; readonly global: boolean }
  | { readonly type: "basic.consume"; readonly consumer: ConsumerRecord };

/** The exchanges to declare, in the order in which they were declared first. */
export function exchangesToDeclare(topology: Topology, { mode, filter }: ReplayOptions): ExchangeRecord[] {
  const exchanges = topology.exchanges.filter((exchange) => inMode(mode, isTransientExchange(exchange)));
  return asked(exchanges, filter.exchange, ({ name }, other) => ({ ...other, name }));
}

/** The queues to declare. */
export function queuesToDeclare(topology: Topology, { mode, filter }: ReplayOptions): QueueRecord[] {
  const queues = topology.queues.filter((queue) => inMode(mode, isTransientQueue(queue)));
  return asked(queues, filter.queue, ({ name, serverNamed }, other) => ({ ...other, name, serverNamed }));
}

/** The bindings to make; to be asked for after the queues have their names. */
export function bindingsToMake(topology: Topology, { mode, filter }: ReplayOptions): BindingRecord[] {
  return topology.bindings.filter(
    (binding) => inMode(mode, isTransientBinding(topology, binding)) && (filter.binding?.(binding) ?? true),
  );
}

/** What brings a channel back into its mode, right after it was opened. */
export function channelSetup(channel: ChannelRecord): ChannelStep[] {
  const { mode } = channel;
  const steps: ChannelStep[] = [];
  if (mode === "confirm") steps.push({ type: "confirm.select" });
  if (mode === "tx") steps.push({ type: "tx.select" });
  return [...steps, ...sharedPrefetch(channel)];
}

function sharedPrefetch({ prefetchGlobal }: ChannelRecord): ChannelStep[] {
  return prefetchGlobal ? [{ type: "basic.qos", prefetchCount: prefetchGlobal, global: true }] : [];
}

/**
 * What starts the consumers of a channel again, of which there may be these: each with the prefetch that was in force when it was started, and at the
 * end the channel's own prefetch for those that are still to come. A consumer for direct replies comes first, because
 * requests may be published only after it.
 */
export function consumersToStart(
  topology: Topology,
  channel: ChannelRecord,
  tags: readonly string[],
  { filter }: ReplayOptions,
): ChannelStep[] {
  const consumers = asked(
    // Looked up one by one: a walk through all consumers, for each of 10,000 channels, would take six seconds.
    tags.flatMap((consumerTag) => topology.consumer({ channelId: channel.id, consumerTag }) ?? []),
    filter.consumer,
    (consumer, { exclusive, arguments: table }) => ({ ...consumer, exclusive, arguments: table }),
  );
  const replies = consumers.filter(({ queue }) => queue === directReplyTo);
  const others = consumers.filter(({ queue }) => queue !== directReplyTo);
  const steps: ChannelStep[] = [];
  // A new channel has no limit.
  let prefetch = 0;
  // Where the last limit of each consumer has lifted the one that all share.
  let lifted = 0;
  const setPrefetch = (wanted: number): void => {
    if (wanted === prefetch) return;
    lifted = steps.push({ type: "basic.qos", prefetchCount: wanted, global: false });
    prefetch = wanted;
  };
  for (const consumer of [...replies, ...others]) {
    if (!consumer.noAck) setPrefetch(consumer.prefetch);
    steps.push({ type: "basic.consume", consumer });
  }
  setPrefetch(channel.prefetch ?? 0);
  if (lifted > 0) steps.splice(lifted, 0, ...sharedPrefetch(channel));
  return steps;
}

/** RabbitMQ's pseudo-queue for replies, which nobody declares (rabbitmq.com/docs/direct-reply-to). */
export const directReplyTo = "amq.rabbitmq.reply-to";

/** The records that are wanted, with the attributes that are wanted. */
function asked<T extends object>(
  records: readonly T[],
  ask: ((record: T) => boolean | T) | undefined,
  join: (record: T, other: T) => T,
): T[] {
  return records.flatMap((record) => {
    const answer = ask === undefined || ask(record);
    if (!answer) return [];
    return [typeof answer === "object" ? join(record, answer) : record];
  });
}

function inMode(mode: TopologyMode, isTransient: boolean): boolean {
  return mode === "all" || (mode === "transient" && isTransient);
}

function isTransientExchange({ durable, autoDelete }: ExchangeRecord): boolean {
  return !durable || autoDelete;
}

function isTransientQueue({ durable, exclusive, autoDelete }: QueueRecord): boolean {
  return !durable || exclusive || autoDelete;
}

/** The server forgets a binding with either of its ends. Of ends that others declared nothing is known. */
function isTransientBinding(topology: Topology, { destinationKind, destination, source }: BindingRecord): boolean {
  const exchanges = [source, ...(destinationKind === "exchange" ? [destination] : [])];
  if (exchanges.some((name) => isKnownAnd(topology.exchange(name), isTransientExchange))) return true;
  return destinationKind === "queue" && isKnownAnd(topology.queue(destination), isTransientQueue);
}

function isKnownAnd<T>(record: T | undefined, test: (record: T) => boolean): boolean {
  return record !== undefined && test(record);
}
