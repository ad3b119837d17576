/** Leveret on Bun. */

import type * as adapter from "@leveret/node";
import type { Driver } from "./driver.ts";
import { leveret } from "./leveret.ts";

/** Not a literal: its types need those of Bun, which are not those of Node. */
const name: string = "@leveret/bun";
const { connect } = (await import(name)) as typeof adapter;

export const driver: Driver = leveret(connect);
