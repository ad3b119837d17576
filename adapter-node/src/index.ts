/** AMQP 0-9-1 client for RabbitMQ, on Node: `connect`, and everything of `@leveret/core/client`. */

export * from "@leveret/core/client";
export { connect } from "./connect.ts";
export { type Lend, nodeIo, type NodeIoOptions } from "./node-io.ts";
