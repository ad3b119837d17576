/** Deliberate bugs, to see that the simulation finds them. */

import { brokerMutations } from "./mutations/broker.ts";
import { clientMutations } from "./mutations/client.ts";
import { engineMutations } from "./mutations/engine.ts";
import type { Mutation } from "./mutations/mutation.ts";
import { recoveryMutations } from "./mutations/recovery.ts";

export const mutations: readonly Mutation[] = [
  ...engineMutations,
  ...brokerMutations,
  ...clientMutations,
  ...recoveryMutations,
];
