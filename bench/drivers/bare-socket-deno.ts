/** The limit of `Deno.Conn`. */

import { bareSocket } from "./bare-socket.ts";
import type { Driver } from "./driver.ts";
import { dialDeno } from "./deno-socket.ts";

export const driver: Driver = bareSocket(dialDeno);
