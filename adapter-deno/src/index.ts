/** AMQP 0-9-1 client for RabbitMQ, on Deno: `connect`, and everything of `@leveret/core/client`. */

export * from "@leveret/core/client";
export { connect } from "./connect.ts";
export { denoIo } from "./deno-io.ts";
