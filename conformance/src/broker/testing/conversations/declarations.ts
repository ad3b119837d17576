/** Conversations that only declare, bind and delete. */

import type { Arguments } from "@leveret/core/wire";
import type { Conversation } from "../conversation.ts";

type Declaration =
  | "exchange.declare"
  | "exchange.delete"
  | "exchange.bind"
  | "exchange.unbind"
  | "queue.declare"
  | "queue.bind"
  | "queue.unbind";
type Step = { [M in Declaration]: readonly [method: M, fields: Arguments<M>] }[Declaration];

/** Asks for one thing after the other, each on a channel of its own. */
export function declarations(name: string, ...steps: readonly Step[]): Conversation {
  return {
    name,
    run: async (talk) => {
      const a = await talk.connect();
      let number = 0;
      for (const [method, fields] of steps) {
        number += 1;
        await a.open(number);
        await a.call(number, method, fields as never);
      }
    },
  };
}
