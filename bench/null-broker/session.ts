/** One connection to the null broker. */

import {
  decodeMethod,
  type Method,
  type MethodName,
  methods,
  Output,
  writeContent,
  writeMethod,
} from "@leveret/core/wire";
import { bodiesOf, cycle, exchange, parseQueue, replyQueue, routingKey, type Shape } from "../messages.ts";
import { type Batch, encodeBatch, encodable, encodeDeliver, type Target } from "./deliveries.ts";
import { Flood, type Tags, Window, type Write } from "./flood.ts";
import { Input, type Inbox, type Receiver } from "./input.ts";

const protocolHeader = Buffer.from("AMQP\0\0\x09\x01", "latin1");
const heartbeat = 60;
const channelMax = 2047;
const ourFrameMax = 131_072;
/** Unacknowledged messages where the consumer sets no limit. */
const defaultPrefetch = 2048;

/** What a channel consumes and gets. */
class Outbox {
  readonly tags: Tags = { last: 0 };
  prefetch = 0;
  window: Window | undefined;
  windowTag = "";
  gotten = 0;
}

/** Consumers that share a queue, to which it delivers in turn when they are complete. */
interface Rotation {
  readonly targets: Target[];
  flood?: Flood;
}

/** Sessions that wait with their confirms until any of their clients opens a channel. */
export type Held = Set<Session>;

export class Session implements Receiver {
  readonly #write: Write;
  readonly #end: () => void;
  readonly #held: Held | undefined;
  readonly #input: Input = new Input(this);
  readonly #outboxes: (Outbox | undefined)[] = [];
  readonly #rotations = new Map<string, Rotation>();
  /** Encoding takes longer than sending. */
  readonly #batches = new Map<string, Batch>();
  readonly #getAnswers = new Map<string, Buffer[]>();
  /** Channels that published since the last answer. */
  #owing: Inbox[] = [];
  readonly #out = new Output({ segmentSize: 16 * 1024 });
  #greeted = false;
  #frameMax = ourFrameMax;
  #replyTo: { readonly deliver: Buffer; readonly channel: number; tag: number } | undefined;
  #tagsMade = 0;
  #faulty = false;

  /** @param held - where sessions wait with their confirms; default they do not. */
  constructor(write: Write, end: () => void, held?: Held) {
    this.#write = write;
    this.#end = end;
    this.#held = held;
  }

  receive(chunk: Buffer): void {
    if (this.#faulty) return;
    if (!this.#greeted) {
      if (!chunk.subarray(0, protocolHeader.length).equals(protocolHeader)) return this.#end();
      this.#greeted = true;
      this.#greet();
      this.#input.receive(chunk.subarray(protocolHeader.length));
    } else {
      this.#input.receive(chunk);
    }
    if (this.#held === undefined) this.#confirm();
    else if (this.#owing.length > 0) this.#held.add(this);
    for (const outbox of this.#outboxes) {
      if (outbox?.window === undefined) continue;
      this.#flush();
      outbox.window.fill();
    }
    this.#flush();
  }

  /** One confirm for all that a channel published. */
  #confirm(): void {
    for (const inbox of this.#owing) {
      inbox.owing = false;
      writeMethod(this.#out, inbox.channel, "basic.ack", { deliveryTag: inbox.taken, multiple: true }, 0);
    }
    this.#owing.length = 0;
  }

  /** Confirms what waits for it. */
  release(): void {
    this.#confirm();
    this.#flush();
  }

  #flush(): void {
    if (this.#out.size === 0) return;
    const pieces = this.#out.take();
    for (const piece of pieces) this.#write(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
  }

  /** The connection is gone. */
  closed(): void {
    this.#held?.delete(this);
    this.#stop(() => true);
  }

  // What comes by the million

  published(inbox: Inbox): void {
    if (!inbox.confirms || inbox.owing) return;
    inbox.owing = true;
    this.#owing.push(inbox);
  }

  ack(channel: number, tag: number, multiple: boolean): void {
    const { window, gotten } = this.#outbox(channel);
    if (window === undefined) {
      if (tag > gotten) this.fault(`acknowledgement of ${tag}, which was not delivered`);
    } else if (!window.settle(tag, multiple)) {
      this.fault(`acknowledgement of ${tag}, which is not outstanding`);
    }
  }

  echo(header: Buffer, body: Buffer): void {
    const to = this.#replyTo;
    if (to === undefined) return this.fault("an echo, and nobody to hear it");
    to.tag += 1;
    const deliver = Buffer.from(to.deliver);
    deliver.writeUInt32BE(to.tag, 7 + 4 + 1 + deliver[7 + 4]! + 4);
    header.writeUInt16BE(to.channel, 1);
    body.writeUInt16BE(to.channel, 1);
    this.#flush();
    this.#write(Buffer.concat([deliver, header, body]));
  }

  /** The client did what it may not do: the run is void. */
  fault(problem: string): void {
    if (this.#faulty) return;
    this.#faulty = true;
    const fields = { replyCode: 541, replyText: problem, classId: 0, methodId: 0 };
    writeMethod(this.#out, 0, "connection.close", fields, 0);
    this.#flush();
  }

  // Everything else

  method(channel: number, bytes: Buffer, start: number, end: number): void {
    const method = decodeMethod(bytes, start, end);
    const fields = method.fields as Record<string, unknown>;
    this.#take(channel, method);
    const reply = (methods[method.name] as { replies?: readonly MethodName[] }).replies?.[0];
    if (reply === undefined || fields.noWait === true || answered.has(method.name)) return;
    writeMethod(this.#out, channel, reply, this.#replyFields(channel, method) as never, 0);
    if (method.name === "basic.consume") {
      const { queue, consumerTag, noAck } = method.fields;
      this.#consume(queue, { channel, consumerTag: consumerTag || this.#tag() }, noAck);
    }
  }

  /** Puts into effect what is to be in effect before the answer. */
  #take(channel: number, method: Method): void {
    switch (method.name) {
      case "connection.start-ok":
        writeMethod(this.#out, 0, "connection.tune", { channelMax, frameMax: ourFrameMax, heartbeat }, 0);
        break;
      case "connection.tune-ok":
        this.#frameMax = method.fields.frameMax;
        break;
      case "connection.close":
        this.#stop(() => true);
        break;
      case "connection.close-ok":
        this.#end();
        break;
      case "channel.open":
        this.#input.reset(channel);
        this.#outboxes[channel] = undefined;
        this.#releaseAll();
        break;
      case "channel.close":
        this.#stop((target) => target.channel === channel);
        break;
      case "confirm.select":
        this.#input.inbox(channel).confirms = true;
        break;
      case "basic.qos":
        this.#outbox(channel).prefetch = method.fields.prefetchCount;
        break;
      case "basic.get":
        this.#get(channel, method.fields.queue);
        break;
      case "basic.cancel":
        this.#stop((target) => target.channel === channel && target.consumerTag === method.fields.consumerTag);
        break;
      default:
    }
  }

  #releaseAll(): void {
    for (const session of this.#held ?? []) session.release();
    this.#held?.clear();
  }

  #replyFields(channel: number, method: Method): object {
    switch (method.name) {
      case "basic.consume":
        return { consumerTag: method.fields.consumerTag || `made.${this.#tagsMade + 1}` };
      case "basic.cancel":
        return { consumerTag: method.fields.consumerTag };
      case "queue.declare":
        // What was published on the connection, or what was delivered on the channel and is not settled.
        return {
          queue: method.fields.queue || this.#tag(),
          messageCount: this.#outboxes[channel]?.window?.outstanding ?? this.#input.published,
          consumerCount: 0,
        };
      case "channel.flow":
        return { active: method.fields.active };
      default:
        return { messageCount: 0 };
    }
  }

  #greet(): void {
    const capabilities = {
      publisher_confirms: true,
      exchange_exchange_bindings: true,
      "basic.nack": true,
      consumer_cancel_notify: true,
      "connection.blocked": true,
      authentication_failure_close: true,
    };
    const serverProperties = { product: "null broker", version: "4.0.0", capabilities };
    const mechanisms = Buffer.from("PLAIN");
    const fields = { versionMajor: 0, versionMinor: 9, serverProperties, mechanisms, locales: Buffer.from("en_US") };
    writeMethod(this.#out, 0, "connection.start", fields, 0);
  }

  #outbox(channel: number): Outbox {
    return (this.#outboxes[channel] ??= new Outbox());
  }

  #tag(): string {
    this.#tagsMade += 1;
    return `made.${this.#tagsMade}`;
  }

  #consume(queue: string, target: Target, noAck: boolean): void {
    if (queue.startsWith(replyQueue)) {
      this.#replyTo = { deliver: encodeDeliver(target), channel: target.channel, tag: 0 };
      return;
    }
    const asked = parseQueue(queue);
    if (asked === undefined) return;
    const { shape, count, consumers } = asked;
    const outbox = this.#outbox(target.channel);
    if (!noAck) {
      const prefetch = outbox.prefetch || defaultPrefetch;
      outbox.windowTag = target.consumerTag;
      outbox.window = new Window(this.#write, outbox.tags, this.#batch(shape, [target], prefetch), count, prefetch);
      return;
    }
    const rotation = this.#rotations.get(queue) ?? { targets: [] };
    this.#rotations.set(queue, rotation);
    rotation.targets.push(target);
    if (rotation.targets.length < consumers) return;
    this.#flush();
    rotation.flood = new Flood(this.#write, outbox.tags, this.#batch(shape, rotation.targets, 0), count);
    rotation.flood.start();
  }

  #batch(shape: Shape, targets: readonly Target[], least: number): Batch {
    if (targets.length > 1) return encodeBatch(shape, targets, least, this.#frameMax);
    const key = JSON.stringify([shape, targets, least]);
    const made = this.#batches.get(key) ?? encodeBatch(shape, targets, least, this.#frameMax);
    this.#batches.set(key, made);
    return made;
  }

  #stop(isMeant: (target: Target) => boolean): void {
    for (const [queue, rotation] of this.#rotations) {
      if (!rotation.targets.some(isMeant)) continue;
      rotation.flood?.stop();
      this.#rotations.delete(queue);
    }
    for (const [channel, outbox] of this.#outboxes.entries()) {
      if (outbox?.window === undefined || !isMeant({ channel, consumerTag: outbox.windowTag })) continue;
      outbox.window.stop();
    }
  }

  #get(channel: number, queue: string): void {
    const asked = parseQueue(queue);
    if (asked === undefined) return writeMethod(this.#out, channel, "basic.get-empty", {}, 0);
    const key = `${channel}.${queue}`;
    const answers = this.#getAnswers.get(key) ?? encodeGets(channel, asked.shape, this.#frameMax);
    this.#getAnswers.set(key, answers);
    const outbox = this.#outbox(channel);
    // The body says how many there were before.
    const answer = Buffer.from(answers[outbox.gotten % cycle]!);
    outbox.gotten += 1;
    answer.writeUInt32BE(outbox.gotten, 7 + 4 + 4);
    this.#flush();
    this.#write(answer);
  }
}

/** Methods whose answer is not the first of the table, or comes later. */
const answered: ReadonlySet<string> = new Set<MethodName>(["connection.start", "connection.tune", "basic.get"]);

function encodeGets(channel: number, { size, rich }: Shape, frameMax: number): Buffer[] {
  return bodiesOf(size).map((body) => {
    const out = new Output();
    const fields = { deliveryTag: 0, redelivered: false, exchange, routingKey, messageCount: 1 };
    writeMethod(out, channel, "basic.get-ok", fields, frameMax);
    writeContent(out, channel, rich ? encodable : undefined, body, frameMax);
    return Buffer.concat(out.take());
  });
}
