/** What the cases of connections that block have in common. */

import type {
  BlockingChannel,
  BlockingConnection,
  BlockingConnectOptions,
  CallbackHandle,
} from "@leveret/core/blocking";
import { decodeText, encodeText } from "@leveret/core/client";
import { same } from "../cases/expect.ts";
import type { BrokerHost, CaseNeed } from "../cases/index.ts";

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

/** One case. */
export interface BlockingCase {
  readonly name: string;
  readonly needs?: readonly CaseNeed[];
  run(scene: BlockingScene): void | Promise<void>;
}

/** What {@link open} makes. */
export interface Opened {
  readonly connection: BlockingConnection;
  readonly channel: BlockingChannel;
  readonly queue: string;
}

/** A connection with a channel and a queue. */
export function open(scene: BlockingScene, options: BlockingConnectOptions = {}): Opened {
  const connection = scene.connect(options);
  const channel = connection.openChannel();
  const { queue } = channel.queueDeclare({ queue: scene.name("queue"), exclusive: true });
  return { connection, channel, queue };
}

/** Publishes texts, with confirms where the channel has them; without, until they are there. */
export function fill(channel: BlockingChannel, queue: string, ...texts: string[]): void {
  if (channel.mode === "plain") channel.confirmSelect();
  for (const text of texts) channel.basicPublish({ exchange: "", routingKey: queue, body: encodeText(text) });
}

/** How many messages are ready, when that is what it should become. RabbitMQ counts what goes back a little later. */
export function becomes(opened: Omit<Opened, "queue">, queue: string, count: number): void {
  const { connection, channel } = opened;
  for (let tries = 0; tries < 500; tries += 1) {
    if (channel.queueDeclare({ queue, passive: true }).messageCount === count) return;
    connection.sleep(10);
  }
  same(channel.queueDeclare({ queue, passive: true }).messageCount, count, "ready messages");
}

/** The body as text. */
export const textOf = (delivery: { readonly body: Uint8Array } | undefined): string | undefined =>
  delivery && decodeText(delivery.body);

/** That many texts. */
export const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`);
