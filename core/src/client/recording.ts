/**
 * What is kept of the calls of a connection, so that recovery can make them again: a thing is recorded when the server
 * has said yes, and forgotten when it is asked to delete it.
 */

import type { ChannelMode, ChannelRequestName } from "../engine/channel-engine.ts";
import { ChannelError } from "../engine/errors.ts";
import type { BindingRecord, ExchangeRecord, QueueRecord } from "../recovery/records.ts";
import { directReplyTo } from "../recovery/replay.ts";
import { type Removal, Topology } from "../recovery/topology.ts";
import type { FieldTable } from "../wire/field-values.ts";
import { copied } from "../wire/table-writer.ts";
import type { Arguments, MethodName } from "../wire/method-types.ts";
import type { ConsumeOptions } from "./consumer-options.ts";
import type { EndError } from "./errors.ts";
import type { Answer } from "./replies.ts";
import { StreamPosition } from "./stream-position.ts";
import { Transaction } from "./transaction.ts";

/** What a channel brings back of itself. */
export class ChannelMemory {
  /** The channel's own number in the records, which is used once. */
  readonly id: number;
  mode: ChannelMode = "plain";
  /** The prefetch that all consumers share, once one was set; 0 for none. */
  prefetchGlobal: number | undefined;
  /** What an empty queue name stands for. */
  lastDeclared: string | undefined;
  /** Declarations of queues that are not answered: until then nobody knows what an empty name will stand for. */
  pendingDeclares = 0;
  /** Requests that were sent. An answer to one says that the server took what was sent before it. */
  requests = 0;
  /** Calls without an answer that nothing has proved right yet. */
  unproven: Unproven[] | undefined;

  constructor(id: number) {
    this.id = id;
  }

  /** The queue that a call means. Empty where nobody knows. */
  queueOf(name: string): string {
    return name === "" && this.pendingDeclares === 0 ? (this.lastDeclared ?? "") : name;
  }
}

/** A call that was sent, and what its end means for the records. Each is told its end once. */
export interface SentCall {
  /** The server answered, or was asked not to. */
  done(answer: Answer | undefined): void;
  /** The call ended with its channel. What was not sent had no effect, and may be made again. */
  failed?(end: EndError, wasSent: boolean): void;
  /** Takes back what `done` did without an answer. */
  undo?(): void;
}

/** A call that the server may still complain of. */
interface Unproven {
  readonly method: MethodName;
  /** How many requests were sent before. */
  readonly behind: number;
  readonly undo: () => void;
}

/** Calls without an answer that can be taken back; older ones are taken for right. */
const maxUnproven = 1000;

/** The calls of one connection. */
export class Recorder {
  #topology: Topology | undefined;

  /** Made with the first look at it: most connections that only publish record nothing. */
  get topology(): Topology {
    this.#topology ??= new Topology();
    return this.#topology;
  }

  /** The call with names in place of the empty one, which means nothing any more after a recovery. */
  resolve<M extends MethodName>(memory: ChannelMemory, method: M, fields: Arguments<M>): Arguments<M> {
    if (!namesQueue.has(method)) return fields;
    const { queue, routingKey } = fields as { readonly queue: string; readonly routingKey?: string };
    const name = queue === "" ? memory.queueOf(queue) : queue;
    if (name === queue) return fields;
    const binds = method === "queue.bind" || method === "queue.unbind";
    return { ...fields, queue: name, ...(binds && routingKey === "" ? { routingKey: name } : {}) };
  }

  /** What the transactions of a channel have in them. */
  newTransaction(): Transaction {
    return new Transaction();
  }

  /** Where a consumer is in its stream, where it reads one. */
  streamPosition(
    memory: ChannelMemory,
    { queue, arguments: table, resumeBehind }: ConsumeOptions,
  ): StreamPosition | undefined {
    const declared = this.topology.queue(memory.queueOf(queue));
    const isStream =
      declared?.arguments["x-queue-type"] === "stream" || (table !== undefined && "x-stream-offset" in table);
    return isStream ? new StreamPosition(resumeBehind) : undefined;
  }

  /** A call was sent that is not answered: it is taken for right, until the server complains of it. */
  told(memory: ChannelMemory, method: MethodName, fields: object): void {
    const sent = this.#effect(memory, method as ChannelRequestName, fields as Arguments<ChannelRequestName>);
    sent?.done(undefined);
    if (sent?.undo === undefined) return;
    const unproven = (memory.unproven ??= []);
    unproven.push({ method, behind: memory.requests, undo: () => sent.undo?.() });
    if (unproven.length > maxUnproven) unproven.shift();
  }

  /** The channel was lost, or closed because of this method: calls without an answer that the server may mean. */
  blame(memory: ChannelMemory, method: string | undefined): void {
    for (const unproven of memory.unproven ?? []) if (unproven.method === method) unproven.undo();
    memory.unproven = undefined;
  }

  /** A request was sent. */
  sent<M extends ChannelRequestName>(memory: ChannelMemory, method: M, given: Arguments<M>): SentCall {
    const sent = this.#effect(memory, method, given);
    const before = memory.requests;
    memory.requests += 1;
    return {
      done: (answer) => {
        sent?.done(answer);
        memory.unproven = memory.unproven?.filter(({ behind }) => behind > before);
      },
      failed: (end, wasSent) => sent?.failed?.(end, wasSent),
    };
  }

  /** What a call means for the records. They keep its arguments as they are now: the table is its owner's, who may change it. */
  #effect<M extends ChannelRequestName>(memory: ChannelMemory, method: M, fields: Arguments<M>): SentCall | undefined {
    const given: Arguments<M> = {
      ...fields,
      arguments: copied((fields as { readonly arguments?: FieldTable }).arguments ?? {}),
    };
    switch (method as ChannelRequestName) {
      case "exchange.declare":
        return this.#exchangeDeclare(given as Arguments<"exchange.declare">);
      case "queue.declare":
        return this.#queueDeclare(memory, given as Arguments<"queue.declare">);
      case "exchange.bind":
      case "queue.bind":
        return this.#bind(given, () => bindingOf(memory, given as BindingFields));
      case "exchange.unbind":
      case "queue.unbind":
        return this.#removed(() => this.topology.removeBinding(bindingOf(memory, given as BindingFields)));
      case "exchange.delete":
        return this.#removed(() => this.topology.removeExchange((given as Arguments<"exchange.delete">).exchange));
      case "queue.delete":
        return this.#removed(() => this.topology.removeQueue((given as Arguments<"queue.delete">).queue));
      case "confirm.select":
        // Whether the server has heard of it or not: what is published from now on is to be confirmed. It refuses to change
        // the mode once there is one.
        if (memory.mode === "plain") memory.mode = "confirm";
        return undefined;
      case "tx.select":
        return { done: () => (memory.mode = "tx") };
      default:
        return undefined;
    }
  }

  #exchangeDeclare(fields: Arguments<"exchange.declare">): SentCall | undefined {
    const { exchange: name, passive, type, internal = false } = fields;
    if (passive === true || isPredeclared(name) || !isToBeRecorded(fields)) return undefined;
    const record: ExchangeRecord = { name, type, internal, ...attributesOf(fields) };
    const before = this.topology.exchange(name);
    return {
      done: () => this.topology.exchangeDeclared(record),
      undo: () =>
        before === undefined ? this.topology.removeExchange(name).done() : this.topology.exchangeDeclared(before),
    };
  }

  #queueDeclare(memory: ChannelMemory, fields: Arguments<"queue.declare">): SentCall | undefined {
    const { queue, passive = false, exclusive = false } = fields;
    const before = this.topology.queue(queue);
    const attributes: Omit<QueueRecord, "name"> = { serverNamed: queue === "", exclusive, ...attributesOf(fields) };
    memory.pendingDeclares += 1;
    return {
      done: (answer) => {
        memory.pendingDeclares -= 1;
        const name = nameOf(answer) ?? queue;
        memory.lastDeclared = name;
        if (name !== "" && !passive && !name.startsWith(directReplyTo) && isToBeRecorded(fields))
          this.topology.queueDeclared({ name, ...attributes });
      },
      failed: () => {
        memory.pendingDeclares -= 1;
        memory.lastDeclared = undefined;
      },
      undo: () =>
        before === undefined ? this.topology.removeQueue(queue).done() : this.topology.queueDeclared(before),
    };
  }

  #bind(fields: object, binding: () => BindingRecord): SentCall | undefined {
    if (!isToBeRecorded(fields)) return undefined;
    let made: BindingRecord | undefined;
    return {
      done: () => {
        // Only now an empty name is known.
        made = binding();
        if (made.destination !== "" && made.source !== "") this.topology.bound(made);
      },
      undo: () => {
        if (made !== undefined) this.topology.removeBinding(made).done();
      },
    };
  }

  /**
   * Something is to go. If the server was asked, and nobody knows what it did, it is gone: the application wanted that. It
   * may have been declared a moment ago, without an answer yet, so it is looked for again at the end.
   */
  #removed(remove: () => Removal): SentCall {
    const removal = remove();
    const gone = (): void => {
      removal.done();
      remove().done();
    };
    return {
      done: gone,
      failed: (end, wasSent) => (wasSent && !isForMethod(end) ? gone() : removal.refused()),
    };
  }
}

const namesQueue: ReadonlySet<MethodName> = new Set<MethodName>([
  "queue.bind",
  "queue.unbind",
  "queue.purge",
  "queue.delete",
  "basic.get",
  "basic.consume",
]);

/** What queues and exchanges have in common. */
function attributesOf({
  durable = false,
  autoDelete = false,
  arguments: table = {},
}: Partial<Pick<Arguments<"queue.declare">, "durable" | "autoDelete" | "arguments">>): Pick<
  QueueRecord,
  "durable" | "autoDelete" | "arguments"
> {
  return { durable, autoDelete, arguments: table };
}

/** Whether the server closed a channel for a method: for the one that it was asked last, or before it came to that. */
function isForMethod(end: EndError): boolean {
  return end instanceof ChannelError && end.replyCode !== undefined && end.method !== undefined;
}

/** What the application said beside AMQP's fields. */
function isToBeRecorded(fields: object): boolean {
  return !("record" in fields) || fields.record !== false;
}

/** Exchanges that every virtual host has. */
function isPredeclared(exchange: string): boolean {
  return exchange === "" || exchange.startsWith("amq.");
}

function nameOf(answer: Answer | undefined): string | undefined {
  if (answer?.type !== "reply" || answer.reply.name !== "queue.declare-ok") return undefined;
  return answer.reply.fields.queue;
}

/** What names a binding, of a queue or of an exchange. */
type BindingFields = Arguments<"queue.unbind"> | Arguments<"exchange.unbind">;

function bindingOf(memory: ChannelMemory, fields: BindingFields): BindingRecord {
  const { routingKey, arguments: table = {} } = fields;
  if ("destination" in fields) {
    const { destination, source } = fields;
    return { destinationKind: "exchange", destination, source, routingKey, arguments: table };
  }
  const { queue, exchange: source } = fields;
  const destination = queue === "" ? (memory.lastDeclared ?? "") : queue;
  // RabbitMQ takes the queue's name for an empty key, where both are empty.
  const key = queue === "" && routingKey === "" ? destination : routingKey;
  return { destinationKind: "queue", destination, source, routingKey: key, arguments: table };
}
