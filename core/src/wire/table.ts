/** Field tables as bytes of their own, outside of a method. */

import { maxFramePayload } from "./constants.ts";
import type { FieldTable } from "./field-values.ts";
import { Input } from "./input.ts";
import { Output } from "./output.ts";
import { readTable } from "./table-reader.ts";
import { writeTable } from "./table-writer.ts";
import { joined } from "./bytes.ts";

/**
 * A table as it stands in a method: its length in four octets, then its entries.
 *
 * @throws UsageError INVALID_ARGUMENT for a value that no field type can hold. The message shows keys, never values.
 */
export function encodeTable(table: FieldTable): Uint8Array {
  const out = new Output();
  writeTable(out, table, "table", maxFramePayload);
  return joined(out.take());
}

/**
 * Reads a table that is exactly `bytes`, its length in front.
 *
 * When a name occurs twice the last one wins.
 *
 * @throws ProtocolError SYNTAX_ERROR.
 */
export function decodeTable(bytes: Uint8Array): FieldTable {
  const input = new Input(bytes, 0, bytes.length, "A field table", "SYNTAX_ERROR");
  const table = readTable(input);
  input.finish();
  return table;
}
