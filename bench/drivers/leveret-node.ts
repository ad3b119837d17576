/** Leveret on Node. */

import { connect } from "@leveret/node";
import type { Driver } from "./driver.ts";
import { leveret } from "./leveret.ts";

export const driver: Driver = leveret(connect);
