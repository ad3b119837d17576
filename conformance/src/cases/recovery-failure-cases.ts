/** Losses of every kind, and servers that do not want us back: each has an end, and none is a hot loop. */

import type { ConformanceCase } from "./case.ts";
import { fails, like, ok, same } from "./expect.ts";
import { backoff, comeBack, goDown, isPending, lossOf, outage, recovering, recovery } from "./outages.ts";
import { bytes, text } from "./scene.ts";

export const recoveryFailureCases: readonly ConformanceCase[] = [
  {
    name: "silence for two heartbeats is a loss, and other endpoints are tried",
    needs: ["proxy"],
    async run(scene) {
      const all = await recovering(scene, {}, { heartbeat: 1 });
      const lost = new Promise<unknown>((resolve) => all.connection.on("disconnected", resolve));
      const recovered = recovery(all.connection);
      const since = scene.io.now();
      await all.proxy.break("silence");
      like(await scene.soon(lost, "the loss"), { cause: { code: "HEARTBEAT_TIMEOUT" } }, "the loss");
      ok(scene.io.now() - since < 10_000, "it took two heartbeats, and not much more");
      await scene.soon(recovered, "recovery");
    },
  },
  {
    name: "a host that accepts and never answers costs openTimeout, and the next host is used",
    needs: ["tcp", "proxy"],
    async run(scene) {
      const [good, mute] = [await scene.proxy(), await scene.proxy()];
      const endpoints = [good.address, mute.address].map(({ host, port }) => ({ host: host ?? "", port }));
      const failures: unknown[] = [];
      const connection = await scene.connect({
        endpoints,
        openTimeout: 2_000,
        recovery: { backoff, acquireTimeout: 10_000 },
      });
      connection.on("reconnect-failed", (failure) => failures.push(failure));
      await mute.inflict({ breakAfter: { direction: "to-client", bytes: 0, how: "silence" } });
      // Which one comes first is chance.
      for (let round = 0; round < 2; round += 1) {
        const recovered = recovery(connection);
        await good.break("cut");
        await scene.soon(recovered, "recovery");
      }
      same(failures, [], "rounds that failed: the good one is in each of them");
    },
  },
  {
    name: "hosts that all accept and never answer are asked again and again, with longer and longer waits",
    needs: ["proxy"],
    async run(scene) {
      // The first connection is made within the same time.
      const options = { openTimeout: 150, connectionAttempts: 100, retryDelay: 10 };
      const all = await recovering(scene, { backoff: { base: 20, max: 200 } }, options);
      const delays: number[] = [];
      const errors: unknown[] = [];
      all.connection.on("reconnecting", ({ delay }) => delays.push(delay));
      all.connection.on("reconnect-failed", ({ error }) => errors.push(error));
      await Promise.all([
        all.proxy.break("cut"),
        all.proxy.inflict({ breakAfter: { direction: "to-client", bytes: 0, how: "silence" } }),
      ]);
      await scene.until(() => errors.length >= 3, "three attempts");
      like(errors[0], { code: "CONNECT_FAILED", errors: [{ code: "HANDSHAKE_TIMEOUT" }] }, "why one failed");
      ok((delays[2] as number) > (delays[0] as number), `waits that grow: ${delays.join(", ")}`);
      await comeBack(scene, all);
    },
  },
  {
    name: "a server that throws us out on our first call each time is asked less and less often",
    needs: ["proxy", "streams"],
    async run(scene) {
      const all = await recovering(scene, { backoff: { base: 20, max: 10_000 } });
      const stream = await scene.durableQueue(all.onlooker, { arguments: { "x-queue-type": "stream" } });
      const attempts: number[] = [];
      const delays: number[] = [];
      all.connection.on("reconnecting", ({ attempt, delay }) => {
        attempts.push(attempt);
        delays.push(delay);
      });
      // Nobody gets from a stream: RabbitMQ closes the connection for it, with 540.
      const offend = (): Promise<unknown> => all.channel.basicGet({ queue: stream }).catch(() => {});
      all.connection.on("recovered", () => void offend());
      await offend();
      await scene.until(() => attempts.length >= 6, "six outages");
      same(attempts.slice(0, 6), [1, 2, 3, 4, 5, 6], "the attempts, counted on over recoveries");
      ok((delays[5] as number) > (delays[0] as number) * 8, `waits that grow: ${delays.join(", ")}`);
    },
  },
  {
    name: "a blocked connection that is lost is told to be unblocked, and what waited leaves on the next one",
    needs: ["proxy", "operate"],
    async run(scene) {
      const all = await recovering(scene, { republish: true });
      const queue = await scene.durableQueue(all.onlooker);
      const publisher = await all.connection.openPublisher({ routingKey: queue });
      const heard: string[] = [];
      all.connection.on("blocked", () => heard.push("blocked"));
      all.connection.on("unblocked", () => heard.push("unblocked"));
      await scene.host.block();
      scene.after(() => scene.host.unblock());
      const publishes = [publisher.publish(bytes("a"))];
      await scene.until(() => heard.includes("blocked"), "the alarm");
      publishes.push(publisher.publish(bytes("b")));
      await outage(scene, all);
      same(heard.slice(0, 2), ["blocked", "unblocked"], "what was told");
      await scene.host.unblock();
      await scene.soon(Promise.all(publishes), "the confirms");
      // The server may have taken the first one, and been blocked before it said so.
      same([...new Set(await scene.drain(all.onlooker, queue))], ["a", "b"], "the messages");
    },
  },
  {
    name: "close() ends a connection that is blocked, and one that is down",
    needs: ["proxy", "operate"],
    async run(scene) {
      const all = await recovering(scene);
      const other = await scene.openThrough(all.proxy, { recovery: { backoff } });
      await scene.host.block();
      scene.after(() => scene.host.unblock());
      void other.channel.basicPublish({ exchange: "", routingKey: "q", body: bytes("x") });
      await scene.until(() => other.connection.blocked !== undefined, "the alarm");
      await scene.soon(other.connection.close({ timeout: 200 }), "closing the blocked one");
      await goDown(scene, all);
      await scene.soon(all.connection.close(), "closing the one that is down");
      same([other.connection.state, all.connection.state], ["closed", "closed"], "the states");
    },
  },
  {
    name: "credentials that expired are asked for anew before each attempt",
    needs: ["proxy", "users"],
    async run(scene) {
      const username = scene.name("user");
      let password = "first";
      let asked = 0;
      await scene.host.addUser(username, password);
      scene.after(() => scene.host.deleteUser(username));
      const proxy = await scene.proxy();
      const connection = await scene.connect({
        ...proxy.address,
        credentials: () => {
          asked += 1;
          return Promise.resolve({ username, password });
        },
        recovery: { backoff },
      });
      await scene.host.addUser(username, "second");
      const refused = new Promise<unknown>((resolve) => connection.on("reconnect-failed", resolve));
      const recovered = recovery(connection);
      await proxy.break("cut");
      like(
        await scene.soon(refused, "the refusal"),
        { attempt: 1, error: { errors: [{ code: "AUTHENTICATION_FAILED" }] } },
        "the refusal",
      );
      password = "second";
      await scene.soon(recovered, "recovery");
      ok(asked >= 3, "they were asked for each time");
    },
  },
  {
    name: "a virtual host that is down and comes back is waited for",
    needs: ["proxy", "virtual-hosts"],
    async run(scene) {
      const virtualHost = scene.name("vhost");
      await scene.host.addVirtualHost(virtualHost);
      scene.after(() => scene.host.deleteVirtualHost(virtualHost));
      const all = await recovering(scene, { maxRefusals: 50 }, { virtualHost });
      const refusals: unknown[] = [];
      all.connection.on("reconnect-failed", ({ error }) => refusals.push(error));
      const recovered = recovery(all.connection);
      await all.channel.queueDeclare({ queue: "q", durable: true });
      await scene.host.deleteVirtualHost(virtualHost);
      await scene.until(() => refusals.length > 0, "the refusal");
      like(refusals[0], { errors: [{ code: "VIRTUAL_HOST_REFUSED" }] }, "the refusal");
      await scene.host.addVirtualHost(virtualHost);
      await scene.soon(recovered, "recovery");
      await all.channel.queueDeclare({ queue: "q", passive: true });
    },
  },
  {
    name: "a virtual host that stays away ends it after maxRefusals rounds, and everybody who waits is told",
    needs: ["proxy", "virtual-hosts"],
    async run(scene) {
      const virtualHost = scene.name("vhost");
      await scene.host.addVirtualHost(virtualHost);
      const all = await recovering(scene, { maxRefusals: 2 }, { virtualHost });
      const disconnected = new Promise((resolve) => all.connection.on("disconnected", resolve));
      await scene.host.deleteVirtualHost(virtualHost);
      await scene.soon(disconnected, "the loss");
      const waiting = fails(all.channel.queueDeclare(), { outcome: "not-sent" }, "a call that waits");
      like(await scene.soon(all.connection.closed, "the end"), { code: "CONNECT_FAILED" }, "the reason");
      await scene.soon(waiting, "its end");
      same((await all.proxy.report()).accepted, 3, "connections");
    },
  },
  {
    name: "a virtual host that is stopped is waited for, however long, and what is durable is still there",
    needs: ["proxy", "operate", "virtual-hosts"],
    timeout: 60_000,
    async run(scene) {
      const virtualHost = scene.name("vhost");
      await scene.host.addVirtualHost(virtualHost);
      scene.after(() => scene.host.deleteVirtualHost(virtualHost));
      const all = await recovering(scene, { maxRefusals: 1 }, { virtualHost });
      const publisher = await all.connection.openPublisher({ routingKey: "q" });
      await all.channel.queueDeclare({ queue: "q" });
      await publisher.publish(bytes("a"));
      const refusals: unknown[] = [];
      all.connection.on("reconnect-failed", ({ error }) => refusals.push(error));
      await scene.host.stopVirtualHost(virtualHost);
      await scene.until(() => refusals.length >= 2, "two refusals", 30_000);
      like(refusals[0], { errors: [{ code: "VIRTUAL_HOST_REFUSED", retryable: true }] }, "the refusal");
      const publish = publisher.publish(bytes("b"));
      await scene.host.startVirtualHost(virtualHost);
      await scene.soon(publish, "the confirm", 30_000);
      same(await scene.drain(all.channel, "q"), ["a", "b"], "the messages");
    },
  },
  {
    name: "a server that is restarted is outlasted, and nothing that was confirmed is lost",
    needs: ["proxy", "operate"],
    timeout: 90_000,
    async run(scene) {
      const all = await recovering(scene, { republish: true, acquireTimeout: 60_000 });
      const queue = scene.name("queue");
      await all.channel.queueDeclare({ queue });
      scene.deleteAfterwards(queue);
      const got = new Set<string>();
      const publisher = await all.connection.openPublisher({ routingKey: queue });
      await all.connection.openConsumer({ queue, prefetch: 5 }, (delivery) => void got.add(text(delivery) as string));
      const losses: unknown[] = [];
      all.connection.on("disconnected", ({ cause }) => losses.push(cause));
      const restarted = scene.host.restart();
      const publishes: Promise<void>[] = [];
      // It goes on until one was confirmed after the loss.
      for (let index = 0; losses.length === 0 || index < 100; index += 1) {
        publishes.push(publisher.publish(bytes(`m${index}`)));
        await scene.soon(Promise.race([publishes.at(-1), lossOf(all.connection)]), "a confirm, or the loss", 30_000);
      }
      await scene.soon(restarted, "the restart", 60_000);
      await scene.soon(Promise.all(publishes), "the confirms", 30_000);
      await scene.until(() => got.size === publishes.length, "the messages");
      // It may have been connected, and lost again, while the server was still stopping.
      await scene.until(() => all.connection.state === "open", "the connection to be open");
    },
  },
  {
    name: "a consumer for which the server closes the connection is left out at the third time, and the others come back",
    needs: ["proxy", "streams"],
    timeout: 60_000,
    async run(scene) {
      const all = await recovering(scene);
      const [queue, bad] = [await scene.durableQueue(all.onlooker), await scene.durableQueue(all.onlooker)];
      // The first one sets a prefetch, without which RabbitMQ refuses the second one otherwise.
      const good = await all.channel.basicConsume({ queue, prefetch: 10 });
      const poison = await all.channel.basicConsume({ queue: bad, noAck: true });
      const ended = fails(poison.take(), { code: "CONSUMER_NOT_RECOVERED" }, "the iterator");
      const losses: unknown[] = [];
      all.connection.on("disconnected", ({ cause }) => losses.push(cause));
      await goDown(scene, all);
      // Nobody consumes a stream without acknowledgements: RabbitMQ closes the connection for it, with 540.
      await all.onlooker.queueDelete({ queue: bad });
      await all.onlooker.queueDeclare({ queue: bad, arguments: { "x-queue-type": "stream" } });
      const recovered = recovery(all.connection);
      await all.proxy.inflict({});
      like(await scene.soon(recovered, "recovery"), { failures: [{ item: { kind: "consumer" } }] }, "the recovery");
      await scene.soon(ended, "its end");
      const thrownOut = losses.filter((cause) => (cause as { readonly replyCode?: number }).replyCode === 540);
      same(thrownOut.length, 2, "how often it was thrown out");
      await scene.fill(queue, "m");
      same(text(await good.take({ timeout: 30_000 })), "m", "the message of the other one");
    },
  },
  {
    name: "an exclusive consumer that a half-open connection holds is waited for, and others are not lost for it",
    needs: ["proxy"],
    timeout: 60_000,
    async run(scene) {
      const all = await recovering(scene, {}, { heartbeat: 1 });
      const queues = [await scene.durableQueue(all.onlooker), await scene.durableQueue(all.onlooker)] as const;
      const exclusive = await all.channel.basicConsume({ queue: queues[0], exclusive: true });
      const other = await all.channel.basicConsume({ queue: queues[1] });
      const retried: unknown[] = [];
      all.connection.on("topology-error", ({ action }) => retried.push(action));
      const recovered = recovery(all.connection);
      // The server goes on holding the old connection, until it misses heartbeats itself.
      await all.proxy.break("silence");
      like(await scene.soon(recovered, "recovery", 30_000), { failures: [] }, "the recovery");
      same(
        retried.every((action) => action === "retry"),
        true,
        "what was done about refusals",
      );
      for (const [consumer, queue] of [[exclusive, queues[0]] as const, [other, queues[1]] as const]) {
        await scene.fill(queue, "m");
        same(text(await consumer.take({ timeout: 30_000 })), "m", "the message");
      }
    },
  },
  {
    name: "an exclusive queue that somebody else holds meanwhile is waited for, and nothing else suffers",
    needs: ["proxy"],
    timeout: 60_000,
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await all.channel.queueDeclare({ queue: scene.name("queue"), exclusive: true });
      const consumer = await all.channel.basicConsume({ queue });
      await goDown(scene, all);
      const other = await scene.open();
      // The server may not have noticed the loss yet.
      const taken = (): Promise<boolean> =>
        other.connection.openChannel().then((channel) =>
          channel.queueDeclare({ queue, exclusive: true }).then(
            () => true,
            () => false,
          ),
        );
      await scene.until(taken, "the lock");
      const actions: string[] = [];
      all.connection.on("topology-error", ({ item, action }) => actions.push(`${item.kind} ${action}`));
      const recovered = recovery(all.connection);
      await all.proxy.inflict({});
      await scene.until(() => actions.length > 0, "a refusal");
      await other.connection.close();
      like(await scene.soon(recovered, "recovery"), { failures: [] }, "the recovery");
      same(new Set(actions), new Set(["queue retry"]), "what was done");
      await scene.fill(queue, "m");
      same(text(await consumer.take({ timeout: 30_000 })), "m", "the message");
    },
  },
  {
    name: "an alarm that is set during the outage blocks what is published again, until it is over",
    needs: ["proxy", "operate"],
    timeout: 60_000,
    async run(scene) {
      const all = await recovering(scene, { republish: true });
      const queue = await scene.durableQueue(all.onlooker);
      const publisher = await all.connection.openPublisher({ routingKey: queue });
      const reasons: string[] = [];
      all.connection.on("blocked", ({ reason }) => reasons.push(reason));
      await all.proxy.silence("to-server");
      const publish = publisher.publish(bytes("m"));
      await goDown(scene, all);
      await scene.host.block();
      scene.after(() => scene.host.unblock());
      await comeBack(scene, all);
      await scene.until(() => reasons.length === 1, "the alarm");
      ok(await isPending(scene, publish), "the publish waits");
      await scene.host.unblock();
      await scene.soon(publish, "the confirm");
      same(await scene.drain(all.onlooker, queue), ["m"], "the messages");
    },
  },
  {
    name: "close() ends a connection that is recovering, and nothing comes after it",
    needs: ["proxy"],
    async run(scene) {
      const all = await recovering(scene);
      const { queue } = await all.channel.queueDeclare({ exclusive: true });
      await all.channel.basicConsume({ queue }, () => {});
      const heard: string[] = [];
      const closing = new Promise<void>((resolve, reject) => {
        all.connection.on("connected", () => {
          heard.push(all.connection.state);
          all.connection.close().then(resolve, reject);
        });
      });
      all.connection.on("recovered", () => heard.push("recovered"));
      all.connection.on("reconnecting", () => heard.push("reconnecting"));
      await all.proxy.break("cut");
      await scene.soon(closing, "closing");
      same(heard, ["reconnecting", "recovering"], "what was heard");
      same([all.connection.state, all.channel.state], ["closed", "closed"], "the states");
      await scene.until(async () => (await all.proxy.report()).open === 0, "the end of the transport");
      same((await all.proxy.report()).accepted, 2, "connections");
    },
  },
  {
    name: "a server that talks nonsense is left, and asked again",
    needs: ["proxy"],
    async run(scene) {
      const all = await recovering(scene);
      const refused = new Promise<unknown>((resolve) => all.connection.on("reconnect-failed", resolve));
      // The first byte that a server sends is the type of a frame.
      await Promise.all([
        all.proxy.break("cut"),
        all.proxy.inflict({ corrupt: { direction: "to-client", offset: 0 } }),
      ]);
      like(await scene.soon(refused, "the nonsense"), { error: { code: "CONNECT_FAILED" } }, "the failure");
      await comeBack(scene, all);
      await all.channel.queueDeclare({ exclusive: true });
    },
  },
  {
    name: "shouldRecover decides, and a loss that is not recovered from is the end",
    needs: ["proxy"],
    async run(scene) {
      const causes: string[] = [];
      const all = await recovering(scene, {
        shouldRecover: ({ code }) => {
          causes.push(code);
          return causes.length < 2;
        },
      });
      await outage(scene, all);
      await all.proxy.break("cut");
      like(await scene.soon(all.connection.closed, "the end"), { code: "CONNECTION_LOST" }, "the reason");
      same([causes.length, all.channel.state], [2, "closed"], "how often it was asked");
    },
  },
  {
    name: "maxAttempts and maxElapsed end it",
    needs: ["proxy"],
    async run(scene) {
      for (const limit of [{ maxAttempts: 3 }, { maxElapsed: 200 }]) {
        const all = await recovering(scene, { backoff: { ...backoff, ...limit } });
        await Promise.all([
          all.proxy.break("cut"),
          all.proxy.inflict({ breakAfter: { direction: "to-server", bytes: 0, how: "reset" } }),
        ]);
        like(await scene.soon(all.connection.closed, "the end"), { code: "CONNECT_FAILED" }, "the reason");
      }
    },
  },
];
