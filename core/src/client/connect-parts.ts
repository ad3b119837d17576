/** What a `connect` is made of. A page loads what its `connect` names, and nothing else. */

import type { Addresses } from "./addresses/addresses.ts";
import type { Check } from "./option-checks.ts";
import type { ConnectOptions } from "./parameters.ts";
import type { RecoveryOptions, RecoveryPlan } from "./recovery-options.ts";
import type { Recovery, RecoveryHost } from "./recovery.ts";

/** The way back after a loss. */
export interface RecoveryPart {
  /** Checks the option `recovery`. */
  readonly check: Check;
  /** Completes the option; `undefined` when a loss is to be the end. */
  plan(given: boolean | RecoveryOptions | undefined): RecoveryPlan | undefined;
  /** Recovery of one connection. */
  start(host: RecoveryHost, plan: RecoveryPlan): Recovery;
}

/** The parts of a `connect`. */
export interface ConnectParts {
  /** The addresses that it understands: `allAddresses` or `webSocketAddresses`. */
  readonly addresses: Addresses;
  /** `recovery`, or `undefined`: then a loss is the end, and the option `recovery` is refused. */
  readonly recovery: RecoveryPart | undefined;
  /** What reads files that options name, where the option `readFile` does not say. Default: they are refused. */
  readonly readFile?: ConnectOptions["readFile"];
}
