/**
 * What programs do with a connection that blocks. The broker lives in another process: this thread answers nobody while it
 * waits. Each case is a counterpart of Pika's tests of its BlockingConnection.
 */

import {
  type BlockingChannel,
  type BlockingConnection,
  type BlockingConnectOptions,
  type BlockingConsumerDelivery,
  CallbackCaller,
  type CallbackHandle,
} from "@leveret/core/blocking";
import { decodeText, encodeText, external, plain, TypedValue, UnroutableError } from "@leveret/core/client";
import type { BrokerHost, CaseNeed } from "../cases/index.ts";
import { like, ok, same, throws } from "../cases/expect.ts";

/** What a case is given. */
export interface BlockingScene {
  readonly host: BrokerHost;
  readonly now: () => number;
  /** Connects to the broker, as its user. */
  connect(options?: BlockingConnectOptions): BlockingConnection;
  /** A name that nothing else has. */
  name(kind: string): string;
  /**
   * Starts a thread that makes a call of the handle's callback, with each of these values in turn; see
   * `testing/call-from-another-thread.ts`.
   */
  callFromAnotherThread(handle: CallbackHandle, values: readonly unknown[]): void;
}

export interface BlockingCase {
  readonly name: string;
  readonly needs?: readonly CaseNeed[];
  run(scene: BlockingScene): void | Promise<void>;
}

interface Opened {
  readonly connection: BlockingConnection;
  readonly channel: BlockingChannel;
  readonly queue: string;
}

function open(scene: BlockingScene, options: BlockingConnectOptions = {}): Opened {
  const connection = scene.connect(options);
  const channel = connection.openChannel();
  const { queue } = channel.queueDeclare({ queue: scene.name("queue"), exclusive: true });
  return { connection, channel, queue };
}

/** Publishes texts, with confirms where the channel has them; without, until they are there. */
function fill(channel: BlockingChannel, queue: string, ...texts: string[]): void {
  if (channel.mode === "plain") channel.confirmSelect();
  for (const text of texts) channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText(text) });
}

/** How many messages are ready, when that is what it should become. RabbitMQ counts what goes back a little later. */
function becomes(opened: Opened, queue: string, count: number): void {
  const { connection, channel } = opened;
  for (let tries = 0; tries < 500; tries += 1) {
    if (channel.queueDeclare({ queue, passive: true }).messageCount === count) return;
    connection.sleep(10);
  }
  same(channel.queueDeclare({ queue, passive: true }).messageCount, count, "ready messages");
}

const textOf = (delivery: { readonly body: Uint8Array } | undefined): string | undefined =>
  delivery && decodeText(delivery.body);

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`);

export const blockingCases: readonly BlockingCase[] = [
  {
    name: "connects, tells what the server is, and closes, twice",
    run(scene) {
      const connection = scene.connect();
      same(connection.state, "open", "the state");
      same(typeof connection.serverProperties["product"], "string", "the product");
      same(connection.serverCapabilities["publisher_confirms"], true, "a capability");
      ok(connection.negotiated.frameMax > 0, "a frame size was negotiated");
      same(connection.blocked, undefined, "blocked");
      connection.close();
      connection.close();
      same(connection.state, "closed", "the state afterwards");
      throws(() => connection.openChannel(), { name: "ThreadError", outcome: "not-sent" }, "a channel afterwards");
      throws(() => connection.addCallbackThreadsafe(() => {}), { code: "ILLEGAL_STATE" }, "a callback afterwards");
    },
  },
  {
    name: "goes on to the next endpoint, and says what was wrong with each",
    run(scene) {
      const { host, port } = scene.host.facts;
      const nobody = { host: "127.0.0.1", port: 1 };
      const connection = scene.connect({ endpoints: [nobody, { host, port }] });
      same(connection.state, "open", "the state");
      const error = { name: "ConnectError", code: "CONNECT_FAILED", outcome: "not-sent", phase: "tcp" };
      throws(() => scene.connect({ endpoints: [nobody, nobody] }), error, "nobody anywhere");
      const refused = { name: "ConnectError", code: "AUTHENTICATION_FAILED" };
      throws(
        () => scene.connect({ credentials: { username: "nobody", password: "no" } }),
        refused,
        "wrong credentials",
      );
    },
  },
  {
    name: "refuses options that cannot go to another thread, before there is one",
    run(scene) {
      const expected = { name: "UsageError", code: "NOT_SUPPORTED" };
      throws(() => scene.connect({ credentials: () => ({ username: "", password: "" }) }), expected, "a function");
      throws(() => scene.connect({ credentials: plain("a", "b") }), expected, "a mechanism with a secret");
      throws(() => scene.connect({ heartbeat: () => 5 }), expected, "a heartbeat function");
      throws(() => scene.connect({ tap: () => {} } as never), expected, "a tap");
      throws(() => scene.connect({ recovery: { shouldRecover: () => true } as never }), expected, "a policy");
      throws(() => scene.connect({ heartbeat: -1 }), { code: "INVALID_ARGUMENT" }, "a wrong value");
      const nobody = { endpoints: [{ host: "127.0.0.1", port: 1 }], credentials: external() };
      throws(() => scene.connect(nobody), { code: "CONNECT_FAILED" }, "a mechanism without a secret");
    },
  },
  {
    name: "declares, binds, purges and deletes",
    run(scene) {
      const { channel, queue } = open(scene);
      const exchange = scene.name("exchange");
      channel.exchangeDeclare({ exchange, type: "topic", autoDelete: true });
      channel.exchangeDeclare({ exchange, passive: true });
      channel.queueBind({ queue, exchange, routingKey: "a.*", arguments: { x: new TypedValue("int64", 1n) } });
      channel.confirmSelect();
      const publish = (): void => {
        channel.basicPublish({ exchange, routingKey: "a.b", body: encodeText("x"), mandatory: true });
      };
      publish();
      same(channel.queuePurge({ queue }), { messageCount: 1 }, "purging");
      channel.queueBind({ queue, exchange, routingKey: "b" });
      channel.queueUnbind({ queue, exchange, routingKey: "a.*", arguments: { x: new TypedValue("int64", 1n) } });
      throws(publish, { name: "UnroutableError", replyCode: 312 }, "publishing to nowhere");
      same(channel.queueDelete({ queue }), { messageCount: 0 }, "deleting");
      const missing = { name: "ChannelError", replyCode: 404, method: "queue.declare", outcome: "refused" };
      throws(() => channel.queueDeclare({ queue, passive: true }), missing, "declaring what is gone");
      same(channel.state, "closed", "the channel");
      like(channel.closeReason, { replyCode: 404 }, "its end");
      throws(() => channel.queuePurge({ queue }), { name: "ChannelError", outcome: "not-sent" }, "a call afterwards");
      channel.close();
    },
  },
  {
    name: "gets a message, settles it once, and throws at the caller",
    run(scene) {
      const { channel, queue } = open(scene);
      same(channel.basicGet({ queue }), undefined, "from an empty queue");
      const properties = { messageId: "m", headers: { big: 2n ** 60n, when: new Date(0) } };
      channel.confirmSelect();
      channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText("a"), properties });
      const message = channel.basicGet({ queue });
      same([textOf(message), message?.messageCount, message?.outstanding], ["a", 0, true], "the message");
      same(message?.properties, properties, "its properties");
      same(message?.reject(), "settled", "refusing it");
      throws(() => message?.ack(), { name: "SettlementError", code: "ALREADY_SETTLED" }, "settling again");
      const again = channel.basicGet({ queue });
      same([textOf(again), again?.redelivered], ["a", true], "the message again");
      same(channel.basicAck({ deliveryTag: again?.deliveryTag as number }), "settled", "settling by tag");
      throws(() => channel.basicAck({ deliveryTag: 99 }), { code: "UNKNOWN_DELIVERY" }, "settling what never came");
      try {
        channel.basicGet({ queue: 5 } as never);
      } catch (error) {
        like(error, { name: "UsageError", code: "INVALID_ARGUMENT" }, "a queue that is no text");
        ok((error as Error).stack?.includes("blocking-cases") === true, "the stack names the caller");
        return;
      }
      ok(false, "it threw");
    },
  },
  {
    name: "publishes with confirms: unroutable and refused messages throw, and the channel goes on",
    run(scene) {
      const { channel, queue } = open(scene);
      channel.confirmSelect();
      const lost = { exchange: "", routingKey: scene.name("none"), body: encodeText("lost"), mandatory: true };
      try {
        channel.basicPublish(lost);
        ok(false, "it threw");
      } catch (error) {
        ok(error instanceof UnroutableError, "the class is the one that is exported");
        same(textOf(error.returned), "lost", "the message");
      }
      const full = channel.queueDeclare({
        ...{ queue: scene.name("full"), exclusive: true },
        arguments: { "x-max-length": 1, "x-overflow": "reject-publish" },
      }).queue;
      fill(channel, full, "fits");
      throws(() => fill(channel, full, "does not"), { name: "NackError", retryable: true }, "a full queue");
      throws(
        () => channel.basicPublish({ exchange: "", routingKey: queue, body: "x" as never }),
        { code: "INVALID_ARGUMENT" },
        "a body of text",
      );
      fill(channel, queue, "arrives");
      same(textOf(channel.basicGet({ queue, noAck: true })), "arrives", "what came after");
    },
  },
  {
    name: "without confirms, what comes back reaches the listener, in order, when events are dispatched",
    run(scene) {
      const { connection, channel, queue } = open(scene);
      const returned: (string | undefined)[] = [];
      channel.on("return", (message) => returned.push(textOf(message)));
      const none = scene.name("none");
      for (const text of ["a", "b"]) {
        channel.basicPublish({ exchange: "", routingKey: none, body: encodeText(text), mandatory: true });
      }
      channel.queueDeclare({ queue, passive: true });
      same(returned, [], "before events are dispatched");
      connection.processDataEvents({ timeLimit: 5000 });
      same(returned, ["a", "b"], "afterwards");
    },
  },
  {
    name: "iterates: inactivity is told, leaving the loop keeps the consumer, cancel gives the true count",
    run(scene) {
      const opened = open(scene);
      const { channel, queue } = opened;
      fill(channel, queue, ...numbered(10));
      const seen: (string | undefined)[] = [];
      for (const delivery of channel.consume({ queue, prefetch: 6 })) {
        seen.push(textOf(delivery));
        delivery.ack();
        if (seen.length === 2) break;
      }
      throws(() => channel.consume({ queue: "other" }), { code: "ILLEGAL_STATE" }, "another queue");
      for (const delivery of channel.consume({ queue })) {
        seen.push(textOf(delivery));
        if (seen.length === 3) break;
      }
      same(seen, numbered(3), "the messages of both loops");
      becomes(opened, queue, 2);
      same(channel.cancel(), 5, "what went back");
      same(channel.cancel(), 0, "cancelling again");
      becomes(opened, queue, 7);
      channel.basicNack({ deliveryTag: 0, multiple: true });
      let quiet = 0;
      let rest = 0;
      const start = scene.now();
      for (const delivery of channel.consume({ queue, inactivityTimeout: 50 })) {
        if (delivery === undefined) quiet += 1;
        else {
          rest += 1;
          delivery.ack();
        }
        if (quiet === 2) channel.cancel();
      }
      same([rest, quiet], [8, 2], "the rest, and the times when nothing came");
      ok(scene.now() - start >= 100, "it took as long as it was told");
    },
  },
  {
    name: "the loop ends when the server cancels, and throws when it closes the channel",
    run(scene) {
      const { connection, channel, queue } = open(scene);
      const other = connection.openChannel();
      fill(channel, queue, "a");
      let count = 0;
      for (const delivery of channel.consume({ queue })) {
        count += 1;
        delivery.ack();
        other.queueDelete({ queue });
      }
      same(count, 1, "messages");
      same(channel.cancel(), 0, "cancelling what is over");
      const { queue: next } = channel.queueDeclare({ queue: scene.name("next"), exclusive: true });
      const bad = (): void => {
        for (const delivery of channel.consume({ queue: next, inactivityTimeout: 10 })) {
          if (delivery === undefined) {
            channel.queueBind({ queue: next, exchange: scene.name("none"), noWait: true });
          }
        }
      };
      throws(bad, { name: "ChannelError", replyCode: 404 }, "the loop");
    },
  },
  {
    name: "dispatches handlers in order, and only when asked; a handler may call, and what it throws arrives",
    run(scene) {
      const { connection, channel, queue } = open(scene);
      const got: (string | undefined)[] = [];
      const tag = channel.basicConsume({ queue, consumerTag: "mine" }, (delivery) => {
        got.push(textOf(delivery));
        delivery.ack();
        if (got.length === 2) throw new Error("the second");
        channel.queueDeclare({ queue, passive: true });
      });
      same([tag, channel.consumerTags], ["mine", ["mine"]], "the tag");
      fill(channel, queue, "a", "b", "c");
      channel.queueDeclare({ queue, passive: true });
      same(got, [], "before events are dispatched");
      const all = (): void => {
        while (got.length < 3) connection.processDataEvents({ timeLimit: 5000 });
      };
      throws(all, { message: "the second" }, "dispatching");
      all();
      same(got, ["a", "b", "c"], "the order");
      same(channel.basicCancel({ consumerTag: tag }), 0, "cancelling");
      same([channel.consumerTags, channel.basicCancel({ consumerTag: tag })], [[], 0], "afterwards");
    },
  },
  {
    name: "consumes until a handler stops it; what was not handled goes back",
    run(scene) {
      const opened = open(scene);
      const { connection, channel, queue } = opened;
      fill(channel, queue, ...numbered(20));
      const got: BlockingConsumerDelivery[] = [];
      let requeued = -1;
      channel.basicConsume({ queue, prefetch: 10 }, (delivery) => {
        got.push(delivery);
        delivery.ack();
        throws(() => channel.startConsuming(), { code: "ILLEGAL_STATE" }, "starting inside a handler");
        throws(() => connection.processDataEvents(), { code: "ILLEGAL_STATE" }, "dispatching inside a handler");
        if (got.length === 5) requeued = channel.stopConsuming();
      });
      channel.startConsuming();
      same(got.length, 5, "handled");
      ok(requeued >= 0 && requeued <= 10, `${requeued} went back`);
      becomes(opened, queue, 15);
      channel.startConsuming();
    },
  },
  {
    name: "a closed channel or connection in a handler ends consuming",
    run(scene) {
      const first = open(scene);
      fill(first.channel, first.queue, "a", "b");
      first.channel.basicConsume({ queue: first.queue }, () => first.channel.close());
      first.channel.startConsuming();
      const again = first.connection.openChannel();
      same(again.basicGet({ queue: first.queue })?.redelivered, true, "what was not settled came back");
      const second = open(scene);
      fill(second.channel, second.queue, "a");
      second.channel.basicConsume({ queue: second.queue }, () => second.connection.close());
      second.channel.startConsuming();
      same(second.connection.state, "closed", "the connection");
    },
  },
  {
    name: "noAck messages are not given back, but still handed out",
    run(scene) {
      const { connection, channel, queue } = open(scene);
      fill(channel, queue, "a", "b");
      const got: (string | undefined)[] = [];
      const consumerTag = channel.basicConsume({ queue, noAck: true }, (delivery) => got.push(textOf(delivery)));
      connection.openChannel().close();
      while (channel.queueDeclare({ queue, passive: true }).messageCount > 0) connection.openChannel().close();
      same(channel.basicCancel({ consumerTag }), 0, "cancelling");
      connection.processDataEvents();
      same(got, ["a", "b"], "what was handed out");
    },
  },
  {
    name: "timers run when events are dispatched, in the order of their times, and can be cancelled",
    run(scene) {
      const connection = scene.connect();
      const called: string[] = [];
      connection.callLater(30, () => called.push("second"));
      connection.callLater(10, () => {
        called.push("first");
        cancelThird();
      });
      const cancelThird = connection.callLater(10, () => called.push("third"));
      connection.addCallbackThreadsafe(() => called.push("soon"));
      const start = scene.now();
      connection.sleep(80);
      ok(scene.now() - start >= 80, "it slept as long as it was told");
      same(called, ["soon", "first", "second"], "what was called");
      connection.callLater(20, () => called.push("later"));
      connection.processDataEvents({ timeLimit: Infinity });
      same(called.length, 4, "called by processDataEvents");
      throws(() => connection.callLater(-1, () => {}), { code: "INVALID_ARGUMENT" }, "a wrong delay");
      throws(() => connection.sleep(Number.NaN), { code: "INVALID_ARGUMENT" }, "a wrong duration");
    },
  },
  {
    name: "a call may come from another thread, and wakes the one that waits: an acknowledgement, and a publish",
    run(scene) {
      const { connection, channel, queue } = open(scene);
      fill(channel, queue, "a", "b");
      const asked: unknown[] = [];
      const handle = connection.callbackHandle((value: { readonly ack: number } | { readonly publish: string }) => {
        asked.push(value);
        if ("ack" in value) channel.basicAck({ deliveryTag: value.ack });
        else fill(channel, queue, value.publish);
      });
      const first = channel.basicGet({ queue });
      const values = [{ ack: first?.deliveryTag }, { publish: "from there" }];
      scene.callFromAnotherThread(handle, values);
      while (asked.length < 2) connection.processDataEvents({ timeLimit: 10_000 });
      same(asked, values, "what was asked for");
      throws(() => first?.ack(), { code: "ALREADY_SETTLED" }, "settling it again");
      same(textOf(channel.basicGet({ queue, noAck: true })), "b", "the next");
      same(textOf(channel.basicGet({ queue, noAck: true })), "from there", "what was published");
      const late = connection.callbackHandle(() => {});
      connection.close();
      throws(() => new CallbackCaller(late).call(1), { code: "ILLEGAL_STATE" }, "a call to a closed connection");
    },
  },
  {
    name: "heartbeats are answered while this thread computes",
    run(scene) {
      const { connection, channel, queue } = open(scene, { heartbeat: 1, recovery: false });
      same(connection.negotiated.heartbeat, 1, "the heartbeat");
      const end = scene.now() + 4000;
      let sum = 0;
      while (scene.now() < end) sum += Math.sqrt(sum + 1);
      ok(sum > 0, "something was computed");
      fill(channel, queue, "still here");
      same(textOf(channel.basicGet({ queue, noAck: true })), "still here", "the message");
    },
  },
  {
    name: "many and large messages pass, with no more in memory than the windows have room for",
    run(scene) {
      const { channel, queue } = open(scene);
      const large = new Uint8Array(700_000).fill(7);
      fill(channel, queue, ...numbered(400));
      channel.basicPublish({ exchange: "", routingKey: queue, body: large });
      let count = 0;
      for (const delivery of channel.consume({ queue, prefetch: 0 })) {
        ok(channel.waitingMessageCount <= 300, `${channel.waitingMessageCount} wait`);
        count += 1;
        if (count <= 400) same(textOf(delivery), `message ${count - 1}`, "a message");
        else same(delivery.body, large, "the large one");
        if (count < 401) continue;
        delivery.ack({ multiple: true });
        break;
      }
      same(channel.cancel(), 0, "what went back");
    },
  },
  {
    name: "transactions commit and roll back",
    run(scene) {
      const { channel, queue } = open(scene);
      channel.txSelect();
      const publish = (text: string): void =>
        channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText(text) });
      publish("a");
      channel.txRollback();
      publish("b");
      same(channel.basicGet({ queue }), undefined, "before the commit");
      channel.txCommit();
      same(textOf(channel.basicGet({ queue })), "b", "after the commit");
      same([channel.mode, channel.flow({ active: true })], ["tx", true], "about the channel");
    },
  },
  {
    name: "recover, qos, raw requests and a new secret work as they do with promises",
    run(scene) {
      const { connection, channel, queue } = open(scene);
      fill(channel, queue, "a");
      const message = channel.basicGet({ queue });
      channel.basicRecover();
      same(message?.outstanding, false, "outstanding");
      same(channel.basicGet({ queue })?.redelivered, true, "the message again");
      channel.basicQos({ prefetchCount: 5 });
      same(channel.request("queue.purge", { queue }), { messageCount: 0 }, "a raw request");
      connection.updateSecret({ newSecret: scene.host.facts.password, reason: "test" });
      throws(
        () => connection.updateSecret({ newSecret: 5 as never, reason: "x" }),
        { code: "INVALID_ARGUMENT" },
        "no text",
      );
    },
  },
  {
    name: "a call that takes too long throws a TimeoutError that says what became of it",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.host.proxy();
      const { connection, channel, queue } = open(scene, { ...proxy.address, recovery: false, closeTimeout: 200 });
      await proxy.inflict({ delay: 60_000 });
      const start = scene.now();
      const expected = { name: "TimeoutError", outcome: "unknown", retryable: true };
      throws(() => channel.queueDeclare({ queue, passive: true, timeout: 100 }), expected, "a call");
      ok(scene.now() - start < 3000, "it did not take long");
      connection.close();
      await proxy.close();
    },
  },
  {
    name: "a lost connection ends calls and waiting with ConnectionError",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.host.proxy();
      const { connection, channel, queue } = open(scene, { ...proxy.address, recovery: false });
      await proxy.break("cut");
      const consuming = (): void => {
        channel.basicConsume({ queue }, () => {});
        channel.startConsuming();
      };
      throws(consuming, { name: "ConnectionError", code: "CONNECTION_LOST" }, "consuming");
      throws(() => channel.basicGet({ queue }), { name: "ConnectionError", outcome: "not-sent" }, "a call");
      throws(() => connection.processDataEvents({ timeLimit: 1000 }), { code: "CONNECTION_LOST" }, "waiting");
      same([connection.state, channel.state], ["closed", "closed"], "the states");
      connection.close();
      await proxy.close();
    },
  },
  {
    name: "a connection recovers while calls wait; what was lost is stale",
    needs: ["proxy"],
    async run(scene) {
      const proxy = await scene.host.proxy();
      const connection = scene.connect({ ...proxy.address, recovery: { backoff: { base: 50, max: 500 } } });
      const channel = connection.openChannel();
      const queue = scene.name("queue");
      channel.queueDeclare({ queue });
      fill(channel, queue, "a");
      const events: string[] = [];
      connection.on("disconnected", () => events.push("disconnected"));
      connection.on("recovered", () => events.push("recovered"));
      const message = channel.basicGet({ queue });
      await proxy.break("cut");
      while (!events.includes("recovered")) connection.processDataEvents({ timeLimit: 10_000 });
      same(events, ["disconnected", "recovered"], "the events");
      same(channel.basicAck({ deliveryTag: message?.deliveryTag as number }), "stale", "settling");
      const again = channel.basicGet({ queue });
      same([textOf(again), again?.redelivered, again?.ack()], ["a", true, "settled"], "the message again");
      channel.queueDelete({ queue });
      connection.close();
      await proxy.close();
    },
  },
];
