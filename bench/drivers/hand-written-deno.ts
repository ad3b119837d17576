/** What could be reached over `Deno.Conn`. */

import type { Driver } from "./driver.ts";
import { dialDeno } from "./deno-socket.ts";
import { handWritten } from "./hand-written.ts";

export const driver: Driver = handWritten(dialDeno);
