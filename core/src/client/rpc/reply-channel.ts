/** The channel of an RPC client: requests leave on it, and replies come in. */

import type { Publication } from "../../engine/frame-writer.ts";
import { directReplyTo } from "../../recovery/replay.ts";
import { type Channel, coreOf } from "../channel.ts";
import type { Connection } from "../connection.ts";
import type { Consumer } from "../consumer.ts";
import type { ConsumerEnd } from "../consumer-options.ts";
import type { ConsumerDelivery } from "../delivery.ts";
import type { Publishing } from "../publishing.ts";
import type { ConfirmListener } from "../unconfirmed.ts";
import type { WaitingPublish } from "../waiting-publish.ts";
import type { RpcClientOptions } from "./rpc-options.ts";

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
  /** Whether the server names the queue, which gets another name with another connection. */
  readonly isRenamed: boolean;
  readonly #channel: Channel;
  readonly #publishing: Publishing;
  readonly #consumer: Consumer;
  readonly #isDirect: boolean;

  private constructor(channel: Channel, consumer: Consumer, replyTo: ReplyChannelOptions["replyTo"]) {
    this.#channel = channel;
    this.#publishing = coreOf(channel).publishing;
    this.#consumer = consumer;
    this.#isDirect = replyTo === "direct";
    this.isRenamed = replyTo !== "direct" && (replyTo.queue ?? "") === "";
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

  /** Where replies are to go. */
  get address(): string {
    return this.#isDirect ? directReplyTo : this.#consumer.queue;
  }

  /** Resolves when no more replies come, with the reason. */
  get ended(): Promise<ConsumerEnd> {
    return this.#consumer.ended;
  }

  /** @throws as `Publishing.post`. */
  post(request: Publication, listener: ConfirmListener): WaitingPublish {
    return this.#publishing.post(request, listener);
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
