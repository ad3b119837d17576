/** A server in a test's hands. It shakes hands and answers requests by itself, and does what the test says beyond that. */

import { joined } from "../../wire/bytes.ts";
import type { Arguments, Method, MethodName } from "../../wire/method-types.ts";
import type { BasicProperties } from "../../wire/properties.ts";
import { encodeText } from "../../wire/text.ts";
import { type SentFrame, SentFrames, ServerBytes } from "../../engine/testing/server.ts";
import type { VirtualIo, VirtualStream } from "./virtual-io.ts";

/** What the client sent: a method, and the content that came with it. */
export interface Sent {
  readonly channel: number;
  readonly name: MethodName;
  readonly fields: Record<string, unknown>;
  properties?: BasicProperties;
  body?: Uint8Array;
}

type Answer = (sent: Sent, server: FakeServer) => void;

const accepted: Partial<Record<MethodName, Answer>> = {
  "connection.start-ok": (_, server) => server.method(0, "connection.tune", server.tune),
  "connection.open": (_, server) => server.method(0, "connection.open-ok", {}),
  "connection.close": (_, server) => server.method(0, "connection.close-ok", {}),
  "connection.update-secret": (_, server) => server.method(0, "connection.update-secret-ok", {}),
  "channel.open": ({ channel }, server) => server.method(channel, "channel.open-ok", {}),
  "channel.close": ({ channel }, server) => server.method(channel, "channel.close-ok", {}),
  "channel.flow": ({ channel, fields }, server) =>
    server.method(channel, "channel.flow-ok", { active: fields["active"] as boolean }),
  "exchange.declare": ({ channel }, server) => server.method(channel, "exchange.declare-ok", {}),
  "exchange.delete": ({ channel }, server) => server.method(channel, "exchange.delete-ok", {}),
  "exchange.bind": ({ channel }, server) => server.method(channel, "exchange.bind-ok", {}),
  "exchange.unbind": ({ channel }, server) => server.method(channel, "exchange.unbind-ok", {}),
  "queue.declare": ({ channel, fields }, server) =>
    server.method(channel, "queue.declare-ok", {
      queue: (fields["queue"] as string) || "made-up",
      messageCount: 3,
      consumerCount: 1,
    }),
  "queue.bind": ({ channel }, server) => server.method(channel, "queue.bind-ok", {}),
  "queue.unbind": ({ channel }, server) => server.method(channel, "queue.unbind-ok", {}),
  "queue.purge": ({ channel }, server) => server.method(channel, "queue.purge-ok", { messageCount: 7 }),
  "queue.delete": ({ channel }, server) => server.method(channel, "queue.delete-ok", { messageCount: 8 }),
  "basic.qos": ({ channel }, server) => server.method(channel, "basic.qos-ok", {}),
  "basic.consume": ({ channel, fields }, server) =>
    server.method(channel, "basic.consume-ok", { consumerTag: fields["consumerTag"] as string }),
  "basic.cancel": ({ channel, fields }, server) =>
    server.method(channel, "basic.cancel-ok", { consumerTag: fields["consumerTag"] as string }),
  "basic.get": ({ channel }, server) => server.method(channel, "basic.get-empty", {}),
  "basic.recover": ({ channel }, server) => server.method(channel, "basic.recover-ok", {}),
  "confirm.select": ({ channel }, server) => server.method(channel, "confirm.select-ok", {}),
  "tx.select": ({ channel }, server) => server.method(channel, "tx.select-ok", {}),
  "tx.commit": ({ channel }, server) => server.method(channel, "tx.commit-ok", {}),
  "tx.rollback": ({ channel }, server) => server.method(channel, "tx.rollback-ok", {}),
};

export class FakeServer {
  readonly stream: VirtualStream;
  /** Everything that the client sent, in order. */
  readonly sent: Sent[] = [];
  tune: Arguments<"connection.tune"> = { channelMax: 2047, frameMax: 131_072, heartbeat: 0 };
  readonly #answers = new Map<MethodName, Answer | undefined>();
  readonly #frames = new SentFrames();
  readonly #deliveryTags = new Map<number, number>();

  constructor(stream: VirtualStream) {
    this.stream = stream;
    stream.written = (bytes) => this.#read(bytes);
  }

  /** Answers a method in place of what would be answered by itself; without an answer it stays silent. */
  on(name: MethodName, answer?: Answer): this {
    this.#answers.set(name, answer);
    return this;
  }

  method<M extends MethodName>(channel: number, name: M, fields: Arguments<M>): void {
    this.stream.send(new ServerBytes().method(channel, name, fields).take());
  }

  /** Several methods and contents in one chunk. */
  together(write: (bytes: ServerBytes) => void): void {
    const bytes = new ServerBytes();
    write(bytes);
    this.stream.send(bytes.take());
  }

  /** Sends messages to a consumer, all in one chunk; returns the tag of the last one. */
  deliver(channel: number, consumerTag: string, bodies: readonly string[], properties: BasicProperties = {}): number {
    let tag = this.#deliveryTags.get(channel) ?? 0;
    this.together((bytes) => {
      for (const body of bodies) {
        tag += 1;
        const fields = { consumerTag, deliveryTag: tag, redelivered: false, exchange: "", routingKey: "q" };
        bytes.method(channel, "basic.deliver", fields).content(channel, encodeText(body), properties);
      }
    });
    this.#deliveryTags.set(channel, tag);
    return tag;
  }

  /** Answers a `basic.get` with a message. */
  gotMessage(channel: number, body: string): void {
    const deliveryTag = (this.#deliveryTags.get(channel) ?? 0) + 1;
    this.#deliveryTags.set(channel, deliveryTag);
    this.together((bytes) => {
      const fields = { deliveryTag, redelivered: true, exchange: "", routingKey: "q", messageCount: 4 };
      bytes.method(channel, "basic.get-ok", fields).content(channel, encodeText(body));
    });
  }

  /** Hands a message back. */
  giveBack(channel: number, { fields, properties, body }: Sent): void {
    this.together((bytes) => {
      bytes
        .method(channel, "basic.return", {
          replyCode: 312,
          replyText: "NO_ROUTE",
          exchange: fields["exchange"] as string,
          routingKey: fields["routingKey"] as string,
        })
        .content(channel, body ?? new Uint8Array(0), properties);
    });
  }

  confirm(channel: number, deliveryTag: number, multiple = false): void {
    this.method(channel, "basic.ack", { deliveryTag, multiple });
  }

  closeChannel(channel: number, replyCode: number, replyText: string, method: "basic.publish" | "none" = "none"): void {
    const blamed = method === "none" ? { classId: 0, methodId: 0 } : { classId: 60, methodId: 40 };
    this.method(channel, "channel.close", { replyCode, replyText, ...blamed });
  }

  /** The methods that the client sent, less the handshake, as words. */
  get log(): string[] {
    return this.sent
      .filter(({ name }) => !/^connection\.(start-ok|tune-ok|open)$/.test(name))
      .map(({ channel, name, fields }) => `${channel} ${name}${wordsOf(name, fields)}`);
  }

  sentOf(name: MethodName): Sent[] {
    return this.sent.filter((sent) => sent.name === name);
  }

  #read(bytes: Uint8Array): void {
    for (const frame of this.#frames.read([bytes])) this.#take(frame);
  }

  #take(frame: SentFrame): void {
    switch (frame.type) {
      case "protocol-header":
        return this.method(0, "connection.start", {
          versionMajor: 0,
          versionMinor: 9,
          serverProperties: { product: "Fake", capabilities: { publisher_confirms: true } },
          mechanisms: encodeText("PLAIN AMQPLAIN"),
          locales: encodeText("en_US"),
        });
      case "method":
        return this.#takeMethod(frame.channel, frame.method);
      case "header": {
        const last = this.sent.at(-1);
        if (last === undefined) return;
        last.properties = frame.properties;
        last.body = new Uint8Array(0);
        return;
      }
      case "body": {
        const last = this.sent.at(-1);
        if (last?.body === undefined) return;
        last.body = joined([last.body, frame.bytes]);
        return;
      }
    }
  }

  #takeMethod(channel: number, { name, fields }: Method): void {
    const sent: Sent = { channel, name, fields: fields as Record<string, unknown> };
    this.sent.push(sent);
    if (sent.fields["noWait"] === true) return;
    const answer = this.#answers.has(name) ? this.#answers.get(name) : accepted[name];
    answer?.(sent, this);
  }
}

/** Makes every stream of `io` end at a server; `prepare` sees each one before anything is sent. */
export function serve(io: VirtualIo, prepare: (server: FakeServer) => void = () => {}): FakeServer[] {
  const servers: FakeServer[] = [];
  io.accept = (stream) => {
    const server = new FakeServer(stream);
    servers.push(server);
    prepare(server);
    stream.open();
  };
  return servers;
}

function wordsOf(name: MethodName, fields: Record<string, unknown>): string {
  switch (name) {
    case "basic.ack":
      return ` ${String(fields["deliveryTag"])}${fields["multiple"] === true ? " multiple" : ""}`;
    case "basic.nack":
      return ` ${String(fields["deliveryTag"])}${fields["multiple"] === true ? " multiple" : ""}${fields["requeue"] === true ? " requeue" : ""}`;
    case "basic.reject":
      return ` ${String(fields["deliveryTag"])}${fields["requeue"] === true ? " requeue" : ""}`;
    case "basic.qos":
      return ` ${String(fields["prefetchCount"])}`;
    case "basic.consume":
    case "basic.cancel":
      return ` ${String(fields["consumerTag"])}`;
    default:
      return "";
  }
}
