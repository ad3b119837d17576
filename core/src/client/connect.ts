/** The way in: from options to an open connection. */

import { callSite, calledFrom } from "./call-site.ts";
import { Connection } from "./connection.ts";
import type { IoServices } from "./io-services.ts";
import type { ConnectOptions } from "./parameters.ts";
import { planConnection } from "./plan.ts";

/**
 * Connects to a server, over the I/O services of a runtime. The adapters' `connect` do this with their own.
 *
 * Endpoints are tried in order, `connectionAttempts` times, with `retryDelay` between two rounds. Refused credentials,
 * and a virtual host that is refused, end it at once: they would be refused everywhere.
 *
 * @throws ConnectError (a `ConnectionError`) CONNECT_FAILED, with each attempt's failure in `errors`; CONNECT_ABORTED;
 * AUTHENTICATION_FAILED, NO_COMMON_MECHANISM, VIRTUAL_HOST_REFUSED. UsageError when the options make no sense.
 */
export async function connect(io: IoServices, options: ConnectOptions | string): Promise<Connection> {
  const plan = planConnection(options);
  const site = callSite();
  try {
    return await Connection.open(io, plan);
  } catch (error) {
    throw calledFrom(site, error);
  }
}
