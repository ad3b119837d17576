/** A fault proxy, as cases see it. */

import type { Break, Direction, ProxyFaults, ProxyHandle } from "../cases/case.ts";
import { FaultProxy } from "./fault-proxy.ts";

/** Starts a proxy in front of a port. */
export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<ProxyHandle> {
  const proxy = await FaultProxy.start(target);
  return {
    address: { host: proxy.host, port: proxy.port },
    inflict: async (faults: ProxyFaults) => proxy.inflict(faults),
    break: async (how: Break) => proxy.break(how),
    silence: async (direction: Direction) => proxy.silence(direction),
    speak: async () => proxy.speak(),
    report: async () => ({ accepted: proxy.accepted, open: proxy.open }),
    close: () => proxy.close(),
  };
}
