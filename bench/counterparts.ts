/** What clients talk to: a broker that costs nothing, and the real one. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Channel, type Connection, connect } from "@leveret/node";
import { startRabbitMQ } from "../tools/rabbitmq/index.ts";
import type { Assignment, Report } from "./assignment.ts";
import { bodiesOf, cycle, echoKey, exchange, richProperties, routingKey, type Shape } from "./messages.ts";
import type { TimedWorkload, Work, Workload } from "./workloads.ts";

export interface Counterpart {
  readonly name: string;
  /** The identifiers of its processes, where those may be told which cores to use. */
  readonly processes: readonly number[];
  /** Gets ready for one run, and says what its client is to be told. `slices` are those that queues are filled for. */
  prepare(workload: Workload, slices: Slices): Promise<Assignment["broker"]>;
  /** @throws Error when it does not have what the run should have left. */
  verify(workload: Workload, report: Report): Promise<void>;
  stop(): Promise<void>;
}

export interface Slices {
  readonly warmUp: number;
  readonly measure: number;
}

/** The null broker, twice: one confirms at once, the other when it is told to. It refuses by itself what is not as it should be. */
export async function startNullBroker(): Promise<Counterpart> {
  const [prompt, late] = await Promise.all([startNullProcess([]), startNullProcess(["hold"])]);
  return {
    name: "null broker",
    processes: [prompt.pid, late.pid],
    prepare: async (workload) => {
      const holds = "holding" in workload && workload.holding.kind === "unconfirmed";
      return { kind: "null", port: holds ? late.port : prompt.port };
    },
    verify: async () => {},
    stop: async () => {
      await Promise.all([prompt.stop(), late.stop()]);
    },
  };
}

interface NullProcess {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

async function startNullProcess(options: readonly string[]): Promise<NullProcess> {
  const program = fileURLToPath(new URL("null-broker/main.ts", import.meta.url));
  const child = spawn(process.execPath, ["--conditions=@leveret/source", program, ...options], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const [line] = (await Promise.race([once(child.stdout, "data"), ended.then(([code]) => [`exit ${code}`])])) as [
    unknown,
  ];
  const port = Number(String(line));
  if (!Number.isInteger(port)) throw new Error(`the null broker did not start: ${String(line)}`);
  return {
    pid: child.pid!,
    port,
    stop: async () => {
      // It ends with its input.
      child.stdin.end();
      await ended;
    },
  };
}

/** What the queue of published messages keeps: enough to see whether the last ones are there, in order. */
const kept = 32;
/** Where messages come from that queues are filled with, and how many are on their way at a time. */
const filling = "bench.fill";
const fillWindow = 1000;
/** Writing them to disk would take a minute. */
const richAndTransient = { ...richProperties, deliveryMode: 1, timestamp: new Date(richProperties.timestamp * 1000) };

/** A node of RabbitMQ of our own, or the one that `AMQP_URL` names. */
export async function startRealBroker(): Promise<Counterpart> {
  const node = await startRabbitMQ();
  const connection = await connect(node.url);
  const channel = await connection.openChannel();
  await channel.exchangeDeclare({ exchange });
  const stopEcho = await answerCalls(connection, channel);
  let filled: string[] = [];
  return {
    name: `RabbitMQ ${node.version}`,
    processes: [],
    prepare: async (workload, slices) => {
      await channel.queueDelete({ queue: routingKey });
      await channel.queueDeclare({ queue: routingKey, arguments: { "x-max-length": kept } });
      await channel.queueBind({ queue: routingKey, exchange, routingKey });
      filled = await fill(connection, channel, workload, slices);
      return { kind: "rabbitmq", port: node.port, queues: filled };
    },
    verify: async (workload, report) => {
      if ("work" in workload && (workload.work.kind === "publish" || workload.work.kind === "confirm")) {
        await verifyPublished(channel, workload.work.shape);
      }
      for (const queue of filled) {
        const { messageCount } = await channel.queueDelete({ queue });
        if (messageCount > 0 && "operations" in report)
          throw new Error(`${messageCount} messages were left in a queue`);
      }
      filled = [];
    },
    stop: async () => {
      await stopEcho();
      for (const queue of [routingKey, ...filled]) await channel.queueDelete({ queue });
      await channel.exchangeDelete({ exchange });
      await connection.close();
      if (node.folder !== undefined) await node.stop();
    },
  };
}

/** Answers every call with its own body. */
async function answerCalls(connection: Connection, channel: Channel): Promise<() => Promise<void>> {
  await channel.queueDeclare({ queue: echoKey });
  const responder = await connection.openChannel();
  const consumer = await responder.basicConsume({ queue: echoKey, noAck: true }, ({ properties, body }) => {
    const { correlationId, replyTo = "" } = properties;
    void responder.basicPublish({ exchange: "", routingKey: replyTo, properties: { correlationId }, body });
  });
  return async () => {
    await consumer.close();
    await channel.queueDelete({ queue: echoKey });
  };
}

type Taking = TimedWorkload & { readonly work: Extract<Work, { kind: "consume" | "ack" | "get" }> };

/** Whether a workload takes messages out of queues, which on RabbitMQ are filled before. */
export function takesMessages(workload: Workload): workload is Taking {
  return "work" in workload && ["consume", "ack", "get"].includes(workload.work.kind);
}

/** Queues with a slice of messages each, where the workload takes messages out. */
async function fill(
  connection: Connection,
  channel: Channel,
  workload: Workload,
  { warmUp, measure }: Slices,
): Promise<string[]> {
  if (!takesMessages(workload)) return [];
  const { work, slice } = workload;
  // Each message is sent once, and goes into all queues.
  await channel.exchangeDeclare({ exchange: filling, type: "fanout" });
  const queues = Array.from({ length: warmUp + measure }, (_, index) => `bench.${index}`);
  for (const queue of queues) {
    await channel.queueDelete({ queue });
    await channel.queueDeclare({ queue });
    await channel.queueBind({ queue, exchange: filling, routingKey: "" });
  }
  const bodies = bodiesOf(work.shape.size);
  const options = { properties: work.shape.rich ? richAndTransient : undefined };
  const publisher = await connection.openPublisher({
    exchange: filling,
    maxUnconfirmed: fillWindow,
    persistent: false,
  });
  for (let message = 0; message < slice; message += 1) {
    if (!publisher.send(bodies[message & (cycle - 1)]!, options)) await publisher.ready();
  }
  await publisher.flush();
  await publisher.close();
  await channel.exchangeDelete({ exchange: filling });
  return queues;
}

/** The last messages must be there: as many as are kept, in order, up to the last of a cycle. */
async function verifyPublished(channel: Channel, { size }: Shape): Promise<void> {
  const bodies = bodiesOf(size);
  for (let index = 0; index < kept; index += 1) {
    const message = await channel.basicGet({ queue: routingKey, noAck: true });
    if (message === undefined) throw new Error(`only ${index} of the last ${kept} messages arrived`);
    if (!bodies[index % cycle]!.equals(message.body)) throw new Error("a message arrived changed, or out of order");
  }
  if ((await channel.basicGet({ queue: routingKey, noAck: true })) !== undefined) throw new Error("more than the last");
}
