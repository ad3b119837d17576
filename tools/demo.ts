/**
 * The main job, whole: connect, declare, publish with confirms, consume, acknowledge. `npm run demo`.
 *
 * It uses the broker of `AMQP_URL`, else the embedded broker, and exits with 0 only when every message was confirmed,
 * received once and in order, and acknowledged. `DEMO_MESSAGES` says how many; 10 000 unless it is set.
 */

import { Broker } from "@leveret/conformance/broker";
import { listenBroker } from "@leveret/conformance/broker/node";
import { type Connection, connect } from "@leveret/node";

const total = Number(process.env.DEMO_MESSAGES ?? 10_000);
const reportEvery = 500;

/** What became of the messages. */
interface Tally {
  confirmed: number;
  received: number;
  acknowledged: number;
  outOfOrder: number;
  redelivered: number;
}

async function main(): Promise<boolean> {
  const { url, name, stop } = await findBroker();
  try {
    const connection = await connect(url);
    try {
      const { product, version } = connection.serverProperties;
      console.log(`connected to ${name} (${String(product)} ${String(version)})`);
      return await demonstrate(connection);
    } finally {
      await connection.close();
    }
  } finally {
    await stop();
  }
}

/** A broker to use. */
interface DemoBroker {
  readonly url: string;
  readonly name: string;
  stop(): Promise<void>;
}

async function findBroker(): Promise<DemoBroker> {
  const url = process.env.AMQP_URL ?? "";
  if (url !== "") return { url, name: "the broker of AMQP_URL", stop: async () => {} };
  const server = await listenBroker(new Broker(), { port: 0 });
  return { url: server.url, name: "the embedded broker", stop: () => server.close() };
}

async function demonstrate(connection: Connection): Promise<boolean> {
  const channel = await connection.openChannel();
  const { queue } = await channel.queueDeclare({ queue: "", exclusive: true });
  console.log(`declared queue ${queue}`);

  const tally: Tally = { confirmed: 0, received: 0, acknowledged: 0, outOfOrder: 0, redelivered: 0 };
  const started = performance.now();
  const progress = setInterval(() => report(tally, started), reportEvery);
  try {
    await Promise.all([publish(connection, queue, tally), consume(connection, queue, tally)]);
  } finally {
    clearInterval(progress);
  }
  report(tally, started);

  // What is left in the queue was not acknowledged, or never delivered. The consumer's channel is closed by now.
  const { messageCount } = await channel.queueDeclare({ queue, passive: true });
  tally.acknowledged = tally.received - messageCount;
  return summarize(tally, (performance.now() - started) / 1000);
}

async function publish(connection: Connection, queue: string, tally: Tally): Promise<void> {
  const publisher = await connection.openPublisher({ routingKey: queue, mandatory: true });
  const confirmed = (): void => {
    tally.confirmed += 1;
  };
  const confirms: Promise<void>[] = [];
  for (let number = 1; number <= total; number += 1) {
    await publisher.ready();
    confirms.push(publisher.publish(bodyOf(number)).then(confirmed));
  }
  await Promise.all(confirms);
  await publisher.close();
}

async function consume(connection: Connection, queue: string, tally: Tally): Promise<void> {
  const consumer = await connection.openConsumer({ queue });
  for await (const delivery of consumer) {
    tally.received += 1;
    if (numberOf(delivery.body) !== tally.received) tally.outOfOrder += 1;
    if (delivery.redelivered) tally.redelivered += 1;
    delivery.ack();
    if (tally.received === total) break;
  }
  await consumer.close();
}

function report({ confirmed, received }: Tally, started: number): void {
  const seconds = (performance.now() - started) / 1000;
  const rate = (count: number): string => `${Math.round(count / seconds).toLocaleString("en")}/s`;
  console.log(
    `${seconds.toFixed(1)} s  confirmed ${confirmed} (${rate(confirmed)}), received ${received} (${rate(received)})`,
  );
}

function summarize(tally: Tally, seconds: number): boolean {
  const { confirmed, received, acknowledged, outOfOrder, redelivered } = tally;
  const ok = [confirmed, received, acknowledged].every((count) => count === total) && outOfOrder + redelivered === 0;
  console.log(`
published and confirmed  ${confirmed} of ${total}
received                 ${received}, out of order ${outOfOrder}, redelivered ${redelivered}
acknowledged             ${acknowledged}
in ${seconds.toFixed(2)} s: ${ok ? "all is well" : "NOT EVERYTHING ARRIVED AS IT SHOULD"}`);
  return ok;
}

function bodyOf(number: number): Uint8Array {
  return new TextEncoder().encode(`message ${number}`);
}

function numberOf(body: Uint8Array): number {
  return Number(new TextDecoder().decode(body).slice("message ".length));
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(`the demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
