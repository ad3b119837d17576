/** The channel of an RPC client: requests leave on it, and replies come in. */

import type { Channel } from "../channel.ts";
import type { BasicPublishOptions } from "../channel-options.ts";
import type { Connection } from "../connection.ts";
import type { Consumer } from "../consumer.ts";
import type { ConsumerEnd } from "../consumer-options.ts";
import type { ConsumerDelivery } from "../delivery.ts";
import type { RpcClientOptions } from "./rpc-options.ts";

/** RabbitMQ's pseudo-queue for replies (rabbitmq.com/docs/direct-reply-to). */
const directReplyTo = "amq.rabbitmq.reply-to";

/** What is wanted of a reply channel. */
export interface ReplyChannelOptions {
  readonly replyTo: NonNullable<RpcClientOptions<never, never>["replyTo"]>;
  readonly signal: AbortSignal | undefined;
  readonly replied: (delivery: ConsumerDelivery) => void;
}

/**
 * A channel that survives the loss of its connection, with a consumer of replies. When the server closes it, or cancels
 * the consumer, it is over, and the client opens another one.
 */
export class ReplyChannel {
  /** Whether replies that are on their way reach the client after the connection was lost. */
  readonly survivesLoss: boolean;
  readonly #channel: Channel;
  readonly #consumer: Consumer;
  readonly #isDirect: boolean;

  private constructor(channel: Channel, consumer: Consumer, replyTo: ReplyChannelOptions["replyTo"]) {
    this.#channel = channel;
    this.#consumer = consumer;
    this.#isDirect = replyTo === "direct";
    this.survivesLoss = survives(replyTo);
  }

  /** @throws what `openChannel`, `queueDeclare` and `basicConsume` throw. */
  static async open(connection: Connection, options: ReplyChannelOptions): Promise<ReplyChannel> {
    const { replyTo, signal, replied } = options;
    const channel = await connection.openChannel({ signal });
    try {
      const isDirect = replyTo === "direct";
      const queue = isDirect ? directReplyTo : (await channel.queueDeclare({ ...replyTo, signal })).queue;
      // Replies of a queue that outlives the connection are acknowledged, so that none is lost with the connection. Two
      // clients on one queue would take each other's replies.
      const [consumer] = await Promise.all([
        channel.basicConsume(
          survives(replyTo) ? { queue, exclusive: true, requeue: false, signal } : { queue, noAck: true, signal },
          replied,
        ),
        channel.confirmSelect({ signal }),
      ]);
      return new ReplyChannel(channel, consumer, replyTo);
    } catch (error) {
      void channel.close();
      throw error;
    }
  }

  /** Where replies are to go. It changes when the server gives the queue another name. */
  get address(): string {
    return this.#isDirect ? directReplyTo : this.#consumer.queue;
  }

  /** Resolves when no more replies come, with the reason. */
  get ended(): Promise<ConsumerEnd> {
    return this.#consumer.ended;
  }

  /** Resolves when the request is confirmed. */
  publish(message: BasicPublishOptions): Promise<void> {
    return this.#channel.basicPublish(message);
  }

  close(): Promise<void> {
    return this.#channel.close();
  }
}

function survives(replyTo: ReplyChannelOptions["replyTo"]): boolean {
  if (replyTo === "direct") return false;
  const { queue = "", exclusive = false, autoDelete = false } = replyTo;
  return queue !== "" && !exclusive && !autoDelete;
}
