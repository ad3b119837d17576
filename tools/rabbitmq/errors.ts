/** What can go wrong with getting a broker, and with the broker itself. */

import { UnavailableError } from "../lib/unavailable.ts";

/** No RabbitMQ of the wanted kind can be had on this machine. The message ends in how to get one. */
export class RabbitMQUnavailableError extends UnavailableError {
  override readonly name = "RabbitMQUnavailableError";
}

/** A node of ours did not start, or did not do what it was told. */
export class RabbitMQFailedError extends Error {
  override readonly name = "RabbitMQFailedError";
}
