/** What the types of properties accept. */

import type { FieldTable } from "../wire/field-values.ts";
import type { BasicPublishOptions } from "./channel-options.ts";
import type { Delivery } from "./delivery.ts";
import type { PublishOptions } from "./publisher-options.ts";

declare const delivery: Delivery;
declare const table: FieldTable;

export const accepted: readonly PublishOptions[] = [
  { properties: { headers: { CC: ["a"], BCC: [], mine: new Date(), nested: { deep: [1n] } } } },
  { properties: { headers: { "x-stream-filter-value": "a", "x-delay": 5 } } },
  // What was received may be passed on, whatever is in it.
  { properties: { ...delivery.properties, headers: { ...table, mine: 1 } } },
  { properties: delivery.encodedProperties },
];

// @ts-expect-error CC is an array
export const text: PublishOptions = { properties: { headers: { CC: "a" } } };

// @ts-expect-error of texts
export const numbers: BasicPublishOptions["properties"] = { headers: { BCC: [1] } };
