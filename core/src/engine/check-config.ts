/** Finds what is wrong with a configuration before the first byte is sent. */

import { writeMethod } from "../wire/encode.ts";
import { Output } from "../wire/output.ts";
import { invalid } from "../wire/values.ts";
import { clientProperties } from "./client-properties.ts";
import type { ConnectionConfig, Millis } from "./config.ts";
import { defaultLocale, defaultVirtualHost } from "./handshake.ts";
import { checkProposals } from "./tuning.ts";

/**
 * Checks a configuration, and that its words can be sent.
 *
 * @throws UsageError INVALID_ARGUMENT.
 */
export function checkConfig(config: ConnectionConfig): void {
  const { mechanisms, virtualHost = defaultVirtualHost, locale = defaultLocale } = config;
  checkProposals(config);
  checkTimeouts(config);
  if (!Array.isArray(mechanisms) || mechanisms.length === 0) {
    throw invalid("mechanisms", "is an array of at least one SASL mechanism");
  }
  // What cannot be encoded now could not be encoded in the middle of the handshake either.
  const trial = new Output();
  const response = new Uint8Array(0);
  let properties = clientProperties(config);
  for (const { name } of mechanisms) {
    const fields = { clientProperties: properties, mechanism: name, response, locale };
    writeMethod(trial, 0, "connection.start-ok", fields, 0);
    // Once is enough.
    properties = {};
  }
  writeMethod(trial, 0, "connection.open", { virtualHost }, 0);
  // Gives back the segment that outputs share.
  trial.take();
}

function checkTimeouts(config: ConnectionConfig): void {
  for (const name of ["handshakeTimeout", "closeTimeout", "requestTimeout", "blockedTimeout"] as const) {
    const timeout: Millis | undefined = config[name];
    if (timeout !== undefined && !(Number.isFinite(timeout) && timeout >= 0)) {
      throw invalid(name, `is a number of milliseconds, 0 for none, not ${timeout}`);
    }
  }
}
