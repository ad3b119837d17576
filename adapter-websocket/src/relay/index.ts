/**
 * The relay between WebSocket and RabbitMQ, which browsers need. For Node; the command is `leveret-relay`.
 *
 * @module
 */

export type { Allowed, Authenticate, Denied, UpgradeRequest } from "./authentication.ts";
export type { ForwardedHeader } from "./client-address.ts";
export type { Clock, Millis } from "./clock.ts";
export { RelayConfigError } from "./config/check.ts";
export type { DurationOption, ListOption, RelayOptions, RelaySettings, SizeOption } from "./config/options.ts";
export type { HostAndPort } from "./config/values.ts";
export { jsonLog, type LogFields, type LogLevel, type RelayLog, silentLog } from "./log.ts";
export { type Relay, startRelay } from "./relay.ts";
