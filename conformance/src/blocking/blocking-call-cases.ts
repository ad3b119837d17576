/** Calls of a connection that blocks, and what ends them. */

import { encodeText, external, plain, TypedValue, UnroutableError } from "@leveret/core/client";
import { like, ok, same, throws } from "../cases/expect.ts";
import { becomes, type BlockingCase, fill, open, textOf } from "./blocking-scene.ts";

export const blockingCallCases: readonly BlockingCase[] = [
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
      const closed = { name: "ConnectionError", code: "CONNECTION_CLOSED", outcome: "not-sent" };
      throws(() => connection.openChannel(), closed, "a channel afterwards");
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
        ok((error as Error).stack?.includes("blocking-call-cases") === true, "the stack names the caller");
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
      ok(scene.now() - start < 20_000, "it did not take long");
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
      // The server may still hold it for the connection that was lost.
      becomes({ connection, channel }, queue, 1);
      const again = channel.basicGet({ queue });
      same([textOf(again), again?.redelivered, again?.ack()], ["a", true, "settled"], "the message again");
      channel.queueDelete({ queue });
      connection.close();
      await proxy.close();
    },
  },
];
