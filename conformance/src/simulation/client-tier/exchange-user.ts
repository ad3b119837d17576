/** What an application does about its exchanges and bindings: one thing at a time about each of them. */

import type { Channel } from "@leveret/core/client";
import type { OwnedExchange } from "../exchanges.ts";
import type { Owned, QueueState } from "../queues.ts";
import type { Session } from "./session.ts";

export type ExchangeAction = "declare-exchange" | "delete-exchange" | "bind" | "unbind";

/** Does one of them, unless there is no occasion for it. */
export function changeExchange(session: Session, channel: Channel, action: ExchangeAction): void {
  const exchange = session.random.pick(session.surroundings.exchanges.ownedBy(session.owner));
  if (exchange === undefined || exchange.busy) return;
  const { name, type, arguments: table } = exchange;
  switch (action) {
    case "declare-exchange":
      return change(session, exchange, [exchange], "present", () =>
        channel.exchangeDeclare({ exchange: name, type, arguments: table }),
      );
    case "delete-exchange":
      if (exchange.bindings.some(({ busy }) => busy)) return;
      return change(session, exchange, [exchange, ...exchange.bindings], "absent", () =>
        channel.exchangeDelete({ exchange: name }),
      );
    case "bind":
    case "unbind":
      return changeBinding(session, channel, exchange, action);
  }
}

function changeBinding(session: Session, channel: Channel, exchange: OwnedExchange, action: "bind" | "unbind"): void {
  const binding = session.random.pick(exchange.bindings);
  if (exchange.state !== "present" || binding?.queue.state !== "present" || binding.busy || binding.queue.busy) return;
  const { queue, routingKey, arguments: table } = binding;
  const fields = { queue: queue.name, exchange: exchange.name, routingKey, arguments: table };
  if (action === "bind") return change(session, exchange, [binding], "present", () => channel.queueBind(fields));
  change(session, exchange, [binding], "absent", () => channel.queueUnbind(fields));
}

/** Asks for something that changes where messages go: until it is over nobody knows. */
function change(
  session: Session,
  exchange: OwnedExchange,
  affected: readonly Owned[],
  becomes: "present" | "absent",
  call: () => Promise<unknown>,
): void {
  const { book, exchanges } = session.surroundings;
  const routed = book.ledger.rerouting(exchanges.dependents(exchange));
  const before: readonly QueueState[] = affected.map(({ state }) => state);
  for (const one of affected) {
    one.busy = true;
    one.state = "unknown";
  }
  const ended = (): void => {
    for (const one of affected) {
      one.busy = false;
      one.disturbed = false;
    }
    routed();
  };
  session.watch(`a change of ${exchange.name}`, call(), {
    done: () => {
      for (const one of session.believes ? affected : []) {
        one.state = one.disturbed ? "unknown" : becomes;
        if (becomes === "present") session.surroundings.keepers.declared(one, session);
      }
      ended();
    },
    failed: (error) => {
      if (error.outcome !== "not-sent") return session.io.whenForgotten(ended);
      for (const [index, one] of affected.entries()) if (!one.disturbed) one.state = before[index] ?? "unknown";
      ended();
    },
  });
}
