/** Pika's behaviours, row by row, and what shows each of them here. `docs/pika-parity.md` is made of this. */

import { blockingRows, threadRows } from "./blocking.ts";
import { channelRows, consumeRows, publishRows, topologyRows } from "./channels.ts";
import { connectionRows, ioRows, workflowRows } from "./connecting.ts";
import { errorRows } from "./errors.ts";
import { exampleRows } from "./examples.ts";
import { issueRows, subtleRows } from "./lessons.ts";
import { parameterRows } from "./parameters.ts";
import { readmeRows } from "./readme.ts";
import type { ParitySection } from "./row.ts";
import { wireRows } from "./wire.ts";

export type { ParityRow, ParitySection } from "./row.ts";

export const pikaParity: readonly ParitySection[] = [
  readmeRows,
  parameterRows,
  ioRows,
  workflowRows,
  connectionRows,
  channelRows,
  topologyRows,
  publishRows,
  consumeRows,
  blockingRows,
  threadRows,
  errorRows,
  wireRows,
  exampleRows,
  issueRows,
  subtleRows,
];
