/** The way in: from options to an open connection. */

import { allAddresses } from "./addresses/all-addresses.ts";
import { callSite, calledFrom } from "./call-site.ts";
import type { ConnectParts } from "./connect-parts.ts";
import { Connection } from "./connection.ts";
import type { IoServices } from "./io-services.ts";
import type { ConnectOptions } from "./parameters.ts";
import { planConnection } from "./plan.ts";
import { recovery } from "./recovery.ts";

/**
 * Connects to a server, over the I/O services of a runtime. The adapters' `connect` do this with their own.
 *
 * Endpoints are tried in order, `connectionAttempts` times, with `retryDelay` between two rounds. Refused credentials,
 * and a virtual host that is refused, end it at once: they would be refused everywhere.
 *
 * @throws ConnectError (a `ConnectionError`) CONNECT_FAILED, with each attempt's failure in `errors`; CONNECT_ABORTED;
 * AUTHENTICATION_FAILED, NO_COMMON_MECHANISM, VIRTUAL_HOST_REFUSED. UsageError when the options make no sense.
 */
export function connect(io: IoServices, options: ConnectOptions | string): Promise<Connection> {
  return connectWith(io, options, { addresses: allAddresses, recovery });
}

/**
 * Connects as {@link connect} does, with chosen parts: what is not among them is not loaded, and an option that is meant
 * for it is refused.
 *
 * @throws as {@link connect}; UsageError NOT_SUPPORTED for an option that belongs to a part which is not there.
 */
export async function connectWith(
  io: IoServices,
  options: ConnectOptions | string,
  parts: ConnectParts,
): Promise<Connection> {
  const plan = planConnection(options, parts);
  const site = callSite();
  try {
    return await Connection.open(io, plan, parts.recovery);
  } catch (error) {
    throw calledFrom(site, error);
  }
}
