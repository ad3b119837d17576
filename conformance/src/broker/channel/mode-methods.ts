/** The classes confirm, tx, access, and channel.flow. */

import { Refusal } from "../failures.ts";
import type { Channel } from "./channel.ts";
import { Confirms } from "./confirms.ts";
import type { Handlers } from "./methods.ts";
import { Transaction } from "./transaction.ts";

/** RabbitMQ has one realm, and everybody has the ticket. */
const onlyTicket = 1;

export const modeMethods: Handlers = {
  "confirm.select": (channel, { noWait }) => {
    if (channel.mode.kind === "transaction") {
      throw new Refusal("PRECONDITION_FAILED", "cannot switch from tx to confirm mode");
    }
    if (channel.mode.kind === "plain") channel.mode = { kind: "confirm", confirms: createConfirms(channel) };
    if (!noWait) channel.send("confirm.select-ok", {});
  },

  "tx.select": (channel) => {
    if (channel.mode.kind === "confirm") {
      throw new Refusal("PRECONDITION_FAILED", "cannot switch from confirm to tx mode");
    }
    if (channel.mode.kind === "plain") channel.mode = { kind: "transaction", transaction: new Transaction(channel) };
    channel.send("tx.select-ok", {});
  },

  "tx.commit": (channel) => {
    transactionOf(channel).commit();
  },

  "tx.rollback": (channel) => {
    transactionOf(channel).rollBack();
    channel.send("tx.rollback-ok", {});
  },

  "channel.flow": (channel, { active }) => {
    if (!active) throw new Refusal("NOT_IMPLEMENTED", "active=false");
    channel.send("channel.flow-ok", { active });
  },

  "access.request": (channel) => {
    channel.send("access.request-ok", { ticket: onlyTicket });
  },
};

function transactionOf(channel: Channel): Transaction {
  if (channel.mode.kind !== "transaction") throw new Refusal("PRECONDITION_FAILED", "channel is not transactional");
  return channel.mode.transaction;
}

function createConfirms(channel: Channel): Confirms {
  const { services } = channel.owner;
  return new Confirms({
    timers: services.timers,
    options: services.confirms,
    now: () => services.now(),
    random: () => services.random(),
    ready: () => services.atEndOfTurn(channel),
  });
}
