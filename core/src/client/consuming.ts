/** How a consumer is put together: subscription, sink, and the handle that the application gets. */

import { UsageError } from "../wire/errors.ts";
import { checkConsumerArguments } from "./arguments.ts";
import type { ChannelCore } from "./channel-core.ts";
import { Consumer, type ConsumerHost, IterableConsumer } from "./consumer.ts";
import {
  type ConsumeOptions,
  defaultConcurrency,
  type DeliveryHandler,
  type HandlerOptions,
} from "./consumer-options.ts";
import { HandlerRunner } from "./handler-runner.ts";
import { aFunction, checkCall, positive } from "./option-checks.ts";

/**
 * Checks the names of the options of a consumer.
 *
 * @throws UsageError INVALID_ARGUMENT
 */
export function checkConsumer(options: unknown, handler: unknown): void {
  checkCall("basic.consume", options, {
    prefetch: true,
    resumeBehind: true,
    signal: true,
    lendBody: true,
    ...(handler !== undefined && { concurrency: true, settle: true, requeue: true }),
  });
}

/** Starts a consumer whose messages go to a handler. */
export async function consumeWithHandler(
  channel: ChannelCore,
  options: HandlerOptions,
  handler: DeliveryHandler,
  host: ConsumerHost = sharedChannel(channel),
): Promise<Consumer> {
  const { settle = "auto", requeue = true, concurrency } = options;
  aFunction(handler, "The handler");
  if (concurrency !== undefined) positive(concurrency, "concurrency");
  checkStreamOptions(options);
  return channel.subscriptions.consume(options, (subscription, prefetch) => {
    subscription.sink = new HandlerRunner({
      handler: channel.observer?.handler(channel, subscription, handler) ?? handler,
      concurrency: concurrency ?? (prefetch === 0 ? defaultConcurrency : prefetch),
      settle: options.noAck === true ? "manual" : settle,
      requeue,
      report: channel.host.report,
      freed: () => subscription.pump(),
    });
    return new Consumer(subscription, host);
  });
}

/** Starts a consumer whose messages are iterated over. */
export async function consumeByIterating(
  channel: ChannelCore,
  options: ConsumeOptions,
  host: ConsumerHost = sharedChannel(channel),
): Promise<IterableConsumer> {
  checkStreamOptions(options);
  refuseLending(options, "has no handler for whose call it could be lent");
  return channel.subscriptions.consume(options, (subscription) => {
    return new IterableConsumer(subscription, host, channel.observer?.queue(channel, subscription));
  });
}

/**
 * Refuses `lendBody` for a consumer that needs its bodies for longer than a handler's call.
 *
 * @throws UsageError NOT_SUPPORTED
 */
export function refuseLending(options: object, why: string): void {
  if (!("lendBody" in options) || options.lendBody !== true) return;
  throw new UsageError("NOT_SUPPORTED", `lendBody is not for a consumer that ${why}`);
}

/** What RabbitMQ would close the channel for (406), or even the connection (540). */
function checkStreamOptions({ arguments: table, noAck, prefetch }: ConsumeOptions): void {
  checkConsumerArguments(table);
  if (table?.["x-stream-offset"] === undefined) return;
  if (noAck === true) throw new UsageError("NOT_SUPPORTED", "A stream cannot be consumed with noAck");
  if (prefetch === 0) throw new UsageError("INVALID_ARGUMENT", "A stream is consumed with a prefetch of 1 or more");
}

/** A consumer on a channel that is not its own: closing it leaves the channel as it is. */
function sharedChannel(channel: ChannelCore): ConsumerHost {
  return {
    deadlines: channel.deadlines,
    consumerClosed: async () => {
      channel.settlement.flush();
      channel.link.touch();
    },
  };
}
