/** The broker of a simulated world. */

import { Broker } from "../broker/index.ts";
import type { Random } from "./random.ts";

/** A broker of any release, which agrees on sizes and confirms as chance has it. */
export function chooseBroker(random: Random): Broker {
  return new Broker({
    random: () => random.next(),
    profile: random.pick(["3.10", "4.0", "4.3"] as const),
    tuning: { frameMax: random.pick([8192, 131_072] as const), heartbeat: random.pick([0, 2, 10] as const) },
    confirms: {
      grouping: random.pick(["batched", "single"] as const),
      delay: random.pick([0, 20] as const),
      jitter: random.pick([0, 200] as const),
      nackRate: random.pick([0, 0, 0.05] as const),
    },
  });
}
