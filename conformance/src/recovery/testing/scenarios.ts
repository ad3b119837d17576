/** What an application does while its connections are cut, and what has to be true in the end, wherever the cuts were. */

import {
  AmqpError,
  type Connection,
  connect,
  type Consumer,
  type ConsumerDelivery,
  openRpcClient,
  openRpcServer,
  type QueueArguments,
  streamOffsetOf,
  TransactionError,
} from "@leveret/core/client";
import { Broker, type QueueSnapshot } from "../../broker/index.ts";
import { type Cut, CuttingIo } from "./cutting-io.ts";

/** An application that has done its work, and what there is to see of it. */
export interface Outcome {
  readonly broker: Broker;
  readonly io: CuttingIo;
  readonly connection: Connection;
  /** What does not hold. */
  readonly problems: readonly string[];
}

export interface Scenario {
  readonly name: string;
  run(cuts: readonly (Cut | undefined)[]): Promise<Outcome>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = ({ body }: { readonly body: Uint8Array }): string => new TextDecoder().decode(body);
const messages = Array.from({ length: 6 }, (_, index) => `message ${index}`);

const basicScenarios: readonly Scenario[] = [
  scenario("publishing and consuming on durable topology", async (connection) => {
    const channel = await again(() => connection.openChannel());
    await again(() => channel.exchangeDeclare({ exchange: "e", type: "fanout" }));
    await again(() => channel.queueDeclare({ queue: "q" }));
    await again(() => channel.queueBind({ queue: "q", exchange: "e" }));
    return workOn(connection, consumerOf(connection), true, { exchange: "e" });
  }),
  scenario("publishing and consuming on topology that goes with the connection", async (connection) => {
    const channel = await again(() => connection.openChannel());
    await again(() => channel.exchangeDeclare({ exchange: "e", type: "direct", durable: false, autoDelete: true }));
    await again(() => channel.queueDeclare({ queue: "q", exclusive: true }));
    await again(() => channel.queueBind({ queue: "q", exchange: "e", routingKey: "k" }));
    return workOn(connection, consumerOf(connection), false, { exchange: "e", routingKey: "k" });
  }),
  scenario("getting and settling on channels that come and go", async (connection) => {
    await declareDurable(connection);
    const got = new Set<string>();
    const publisher = await again(() => connection.openPublisher(whereDurable));
    const few = messages.slice(0, 2);
    await Promise.all(few.map((message) => publisher.publish(bytes(message))));
    while (got.size < few.length) {
      const channel = await again(() => connection.openChannel());
      await again(() => channel.basicQos({ prefetchCount: 2 }));
      const message = await again(() => channel.basicGet({ queue: "q" }));
      if (message !== undefined) got.add(textOf(message));
      message?.ack();
      await channel.close();
    }
    const invented = [...got].filter((message) => !messages.includes(message));
    const open = connection.channelCount;
    return [
      ...invented.map((message) => `${message} was invented`),
      ...(open === 2 ? [] : [`${open} channels are open`]),
      ...(await consumeTheRest(connection)),
    ];
  }),
  scenario("transactions", async (connection) => {
    const { committed, unknown } = await commitPairs(connection);
    const got = new Set<string>();
    const consumer = await again(() =>
      connection.openConsumer({ queue: "q" }, (delivery) => {
        got.add(textOf(delivery));
      }),
    );
    // The last one is published after everything else.
    const publisher = await again(() => connection.openPublisher(whereDurable));
    await publisher.publish(bytes("last"));
    while (!got.has("last")) await connection.openChannel().then((channel) => channel.close(), ignoreLoss);
    got.delete("last");
    const problems = consumer.state === "consuming" ? [] : [`the consumer is ${consumer.state}`];
    for (const pair of committed) if (!got.has(`${pair} a`)) problems.push(`${pair} was committed, and is not there`);
    for (const message of got) {
      const pair = message.slice(0, -2);
      if (!committed.has(pair) && !unknown.has(pair)) problems.push(`${pair} was not committed, and is there`);
      if (got.has(`${pair} a`) !== got.has(`${pair} b`)) problems.push(`half of ${pair} is there`);
    }
    return problems;
  }),
];

/** All of them. */
export const scenarios: readonly Scenario[] = [
  ...basicScenarios,
  scenario("a queue that the server names, on one channel", async (connection) => {
    const channel = await again(() => connection.openChannel());
    await again(() => channel.exchangeDeclare({ exchange: "e", type: "fanout" }));
    await again(() => channel.queueDeclare({ exclusive: true }));
    // Whatever its name is by now.
    await again(() => channel.queueBind({ queue: "", exchange: "e" }));
    const consume = (take: (delivery: ConsumerDelivery) => unknown): Promise<Consumer> =>
      channel.basicConsume({ queue: "", prefetch: 2 }, take);
    return workOn(connection, consume, false, { exchange: "e" });
  }),
  scenario("remote calls", async (connection) => {
    await declareDurable(connection);
    await again(() => openRpcServer(connection, { queue: "q" }, (body) => bytes(`${textOf({ body })}!`)));
    const client = await again(() => openRpcClient(connection, whereDurable));
    const problems: string[] = [];
    for (const message of messages.slice(0, 1)) {
      const reply = textOf(await again(() => client.call(bytes(message))));
      if (reply !== `${message}!`) problems.push(`${message} was answered with ${reply}`);
    }
    // Calls that wait beside each other get each its own answer.
    const replies = await Promise.all(messages.slice(1, 3).map((message) => again(() => client.call(bytes(message)))));
    replies.forEach((reply, index) => {
      if (textOf(reply) !== `${messages[index + 1]}!`) problems.push(`${index} was answered with ${textOf(reply)}`);
    });
    if (client.pending > 0) problems.push(`${client.pending} calls are under way`);
    return problems;
  }),
  scenario(
    "a stream",
    async (connection) => {
      await declareDurable(connection, { "x-queue-type": "stream" });
      const got = new Set<string>();
      let offsets: (number | bigint | undefined)[] = [];
      let arrived = (): void => {};
      const options = { queue: "q", prefetch: 2, arguments: { "x-stream-offset": "first" } } as const;
      const consumer = await again(() => {
        // One that did not come about may have been given something.
        offsets = [];
        return connection.openConsumer(options, async (delivery) => {
          offsets.push(streamOffsetOf(delivery));
          await Promise.resolve();
          got.add(textOf(delivery));
          arrived();
        });
      });
      const publisher = await again(() => connection.openPublisher(whereDurable));
      await Promise.all(messages.map((message) => publisher.publish(bytes(message))));
      while (messages.some((message) => !got.has(message))) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
      const inOrder = offsets.every((offset, index) => Number(offset) === index);
      return [
        ...(consumer.state === "consuming" ? [] : [`the consumer is ${consumer.state}`]),
        ...(inOrder ? [] : [`offsets were left out, or came twice: ${offsets.join(", ")}`]),
      ];
    },
    (queue) => (queue.unsettledCount === 0 ? [] : [`${queue.unsettledCount} messages are not settled`]),
  ),
];

/** Leaves a consumer, for what was got and not acknowledged in time. */
async function consumeTheRest(connection: Connection): Promise<string[]> {
  const { state } = await again(() => connection.openConsumer({ queue: "q" }, () => {}));
  return state === "consuming" ? [] : [`the consumer is ${state}`];
}

const whereDurable = { exchange: "e", routingKey: "k" };

async function declareDurable(connection: Connection, table: QueueArguments = {}): Promise<void> {
  const channel = await again(() => connection.openChannel());
  await again(() => channel.exchangeDeclare({ exchange: "e", type: "direct" }));
  await again(() => channel.queueDeclare({ queue: "q", arguments: table }));
  await again(() => channel.queueBind({ queue: "q", exchange: "e", routingKey: "k" }));
}

/** Publishes pairs of messages in transactions, each pair in a new one until it is known to be committed. */
async function commitPairs(connection: Connection): Promise<{ committed: Set<string>; unknown: Set<string> }> {
  await declareDurable(connection);
  const channel = await again(() => connection.openChannel());
  await again(() => channel.txSelect());
  const [committed, unknown] = [new Set<string>(), new Set<string>()];
  for (const message of messages.slice(0, 3)) {
    for (let attempt = 1; ; attempt += 1) {
      const pair = `${message}, attempt ${attempt}`;
      try {
        await channel.basicPublish({ ...whereDurable, body: bytes(`${pair} a`) });
        await channel.basicPublish({ ...whereDurable, body: bytes(`${pair} b`) });
        await channel.txCommit();
        committed.add(pair);
        break;
      } catch (error) {
        if (!(error instanceof TransactionError)) throw error;
        if (error.code === "COMMIT_UNKNOWN") unknown.add(pair);
        await again(() => channel.txRollback());
      }
    }
  }
  return { committed, unknown };
}

/** Starts a consumer of the queue `q`, with a channel of its own. */
function consumerOf(connection: Connection): (take: (delivery: ConsumerDelivery) => unknown) => Promise<Consumer> {
  return (take) => connection.openConsumer({ queue: "q", prefetch: 2 }, take);
}

/** Publishes with confirms, and consumes until everything that was confirmed and cannot have been lost has come. */
async function workOn(
  connection: Connection,
  consume: (take: (delivery: ConsumerDelivery) => unknown) => Promise<Consumer>,
  isDurable: boolean,
  where: { readonly exchange: string; readonly routingKey?: string },
): Promise<string[]> {
  const problems: string[] = [];
  const got = new Set<string>();
  let arrived = (): void => {};
  const consumer = await again(() =>
    consume(async (delivery) => {
      await Promise.resolve();
      got.add(textOf(delivery));
      arrived();
    }),
  );
  const publisher = await again(() => connection.openPublisher(where));
  await Promise.all(
    messages.map((message) =>
      publisher.publish(bytes(message)).catch((error: unknown) => problems.push(`${message}: ${String(error)}`)),
    ),
  );
  // What goes with the connection may be lost with it, confirmed or not; one more round has to arrive.
  const isMissing = (message: string): boolean => !got.has(message);
  while (messages.some(isMissing)) {
    const some = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    if (isDurable) {
      await some;
    } else {
      await Promise.all(messages.filter(isMissing).map((message) => publisher.publish(bytes(message))));
      await Promise.race([some, connection.ready()]);
    }
  }
  for (const message of got) if (!messages.includes(message)) problems.push(`${message} was invented`);
  if (consumer.state !== "consuming") problems.push(`the consumer is ${consumer.state}`);
  return problems;
}

function scenario(
  name: string,
  work: (connection: Connection) => Promise<string[]>,
  lookAt: (queue: QueueSnapshot) => string[] = lookAtEmpty,
): Scenario {
  return {
    name,
    run: async (cuts) => {
      const broker = new Broker();
      const io = new CuttingIo(broker, cuts);
      const options = {
        host: "broker",
        connectionAttempts: Infinity,
        recovery: { republish: true, republishLimit: 10 },
      };
      const connection = await io.run(connect(io, options));
      const problems: string[] = [];
      connection.on("topology-error", ({ item, error }) => problems.push(`${item.kind}: ${String(error)}`));
      connection.on("callback-error", ({ error }) => problems.push(String(error)));
      connection.on("disconnected", ({ cause }) => {
        if (cause.code !== "CONNECTION_LOST") problems.push(String(cause));
      });
      problems.push(...(await io.run(work(connection))));
      await io.run(connection.ready());
      await io.settle();
      problems.push(...look(broker, connection, lookAt));
      await io.run(connection.close());
      await io.settle();
      if (broker.connections.length > 0) problems.push("the broker has a connection left");
      return { broker, io, connection, problems };
    },
  };
}

/** What has to be true of the broker, while the application is connected and idle. */
function look(broker: Broker, connection: Connection, lookAt: (queue: QueueSnapshot) => string[]): string[] {
  const problems: string[] = [];
  const [queue, ...more] = broker.queues();
  if (more.length > 0) problems.push(`${more.length} queues too many`);
  if (broker.connections.length !== 1) problems.push(`${broker.connections.length} connections`);
  if (queue === undefined) return [...problems, "the queue is gone"];
  if (queue.consumers.length !== 1) problems.push(`${queue.consumers.length} consumers`);
  problems.push(...lookAt(queue));
  if (!broker.bindings().some(({ source }) => source === "e")) problems.push("the binding is gone");
  if (connection.state !== "open") problems.push(`the connection is ${connection.state}`);
  return problems;
}

/** A queue whose messages were all consumed. */
function lookAtEmpty({ messageCount, unsettledCount }: QueueSnapshot): string[] {
  return [
    ...(messageCount === 0 ? [] : [`${messageCount} messages are left`]),
    ...(unsettledCount === 0 ? [] : [`${unsettledCount} messages are not settled`]),
  ];
}

/** A loss takes a call along; the next one waits until it is over. */
function ignoreLoss(error: unknown): void {
  if (!(error instanceof AmqpError) || error.code !== "CONNECTION_LOST") throw error;
}

/** Repeats what may be repeated, as an application does whose declarations are idempotent. */
async function again<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof AmqpError) || error.outcome === "refused") throw error;
      if (error.code !== "CONNECTION_LOST" && error.code !== "NOT_CONNECTED") throw error;
    }
  }
}
