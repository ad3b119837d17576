/** AMQP 0-9-1 client for RabbitMQ, on Bun: `connect`, and everything of `@leveret/core/client`. */

export * from "@leveret/core/client";
export { bunIo } from "./bun-io.ts";
export { connect } from "./connect.ts";
