/** What comes to a connection that blocks: deliveries, timers, calls from other threads, heartbeats. */

import { type BlockingConsumerDelivery, CallbackCaller } from "@leveret/core/blocking";
import { ok, same, throws } from "../cases/expect.ts";
import { becomes, type BlockingCase, fill, numbered, open, textOf } from "./blocking-scene.ts";

export const blockingEventCases: readonly BlockingCase[] = [
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
      let rest = 0;
      let start = scene.now();
      // What goes back may come later than after one such time.
      const quiet: number[] = [];
      for (const delivery of channel.consume({ queue, inactivityTimeout: 50 })) {
        if (delivery === undefined) quiet.push(rest);
        else {
          rest += 1;
          start = scene.now();
          delivery.ack();
        }
        if (quiet.at(-2) === 8 || quiet.length === 600) channel.cancel();
      }
      same([rest, ...quiet.slice(-2)], [8, 8, 8], "the rest, and two times when nothing came");
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
      becomes({ connection: first.connection, channel: again }, first.queue, 2);
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
      connection.callLater(60, () => called.push("second"));
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
];
