/** A real RabbitMQ for tests, demos and benchmarks. */

export { type ClusterOptions, type RabbitMQCluster, startCluster } from "./cluster.ts";
export type { RabbitMQCoordinates } from "./coordinates.ts";
export { RabbitMQFailedError, RabbitMQUnavailableError } from "./errors.ts";
export { attachRabbitMQ, type RabbitMQNode } from "./node.ts";
export { type StartOptions, startRabbitMQ } from "./start.ts";
