/** What an application does while its connections are cut, and what has to be true in the end, wherever the cuts were. */

import { AmqpError, type Connection, connect } from "@leveret/core/client";
import { Broker } from "../../broker/index.ts";
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

export const scenarios: readonly Scenario[] = [
  scenario("publishing and consuming on durable topology", async (connection) => {
    const channel = await again(() => connection.openChannel());
    await again(() => channel.exchangeDeclare({ exchange: "e", type: "fanout" }));
    await again(() => channel.queueDeclare({ queue: "q" }));
    await again(() => channel.queueBind({ queue: "q", exchange: "e" }));
    return workOn(connection, "q", true, { exchange: "e" });
  }),
  scenario("publishing and consuming on topology that goes with the connection", async (connection) => {
    const channel = await again(() => connection.openChannel());
    await again(() => channel.exchangeDeclare({ exchange: "e", type: "direct", durable: false, autoDelete: true }));
    await again(() => channel.queueDeclare({ queue: "q", exclusive: true }));
    await again(() => channel.queueBind({ queue: "q", exchange: "e", routingKey: "k" }));
    return workOn(connection, "q", false, { exchange: "e", routingKey: "k" });
  }),
];

/** Publishes with confirms, and consumes until everything that was confirmed and cannot have been lost has come. */
async function workOn(
  connection: Connection,
  queue: string,
  isDurable: boolean,
  where: { readonly exchange: string; readonly routingKey?: string },
): Promise<string[]> {
  const problems: string[] = [];
  const got = new Set<string>();
  let arrived = (): void => {};
  const consumer = await again(() =>
    connection.openConsumer({ queue, prefetch: 2 }, async (delivery) => {
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

function scenario(name: string, work: (connection: Connection) => Promise<string[]>): Scenario {
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
      problems.push(...look(broker, connection));
      await io.run(connection.close());
      await io.settle();
      if (broker.connections.length > 0) problems.push("the broker has a connection left");
      return { broker, io, connection, problems };
    },
  };
}

/** What has to be true of the broker, while the application is connected and idle. */
function look(broker: Broker, connection: Connection): string[] {
  const problems: string[] = [];
  const queue = broker.queue("q");
  if (broker.connections.length !== 1) problems.push(`${broker.connections.length} connections`);
  if (queue === undefined) return [...problems, "the queue is gone"];
  if (queue.consumers.length !== 1) problems.push(`${queue.consumers.length} consumers`);
  if (queue.messageCount !== 0) problems.push(`${queue.messageCount} messages are left`);
  if (queue.unsettledCount !== 0) problems.push(`${queue.unsettledCount} messages are not settled`);
  if (!broker.bindings().some(({ source }) => source === "e")) problems.push("the binding is gone");
  if (connection.state !== "open") problems.push(`the connection is ${connection.state}`);
  return problems;
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
