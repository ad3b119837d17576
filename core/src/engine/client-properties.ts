/** What a client tells the server about itself in `connection.start-ok`. */

import type { FieldTable } from "../wire/field-values.ts";
import { invalid } from "../wire/values.ts";
import type { ConnectionConfig } from "./config.ts";

/**
 * The extensions that the engine understands (rabbitmq.com/docs/consumer-cancel#capabilities and siblings). RabbitMQ
 * changes what it does for `authentication_failure_close`, `connection.blocked` and `consumer_cancel_notify`.
 */
const capabilities: FieldTable = {
  authentication_failure_close: true,
  "basic.nack": true,
  "connection.blocked": true,
  consumer_cancel_notify: true,
  exchange_exchange_bindings: true,
  publisher_confirms: true,
};

/**
 * Our properties, with the configuration's over them. A `capabilities` table is merged, so that no capability is lost by
 * naming another.
 *
 * @throws UsageError INVALID_ARGUMENT when `capabilities` is no table.
 */
export function clientProperties(config: ConnectionConfig): FieldTable {
  const given = config.clientProperties ?? {};
  return {
    product: "Leveret",
    platform: "JavaScript",
    information: "AMQP 0-9-1 client for RabbitMQ",
    ...(config.connectionName === undefined ? {} : { connection_name: config.connectionName }),
    ...given,
    capabilities: { ...capabilities, ...asTable(given["capabilities"]) },
  };
}

function asTable(value: FieldTable[string] = {}): FieldTable {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as FieldTable;
  throw invalid("clientProperties.capabilities", "is a table");
}
