/** Bugs of recovery. */

import { bugsIn, type Mutation } from "./mutation.ts";

const recovery = bugsIn("core/src", "recovery");

export const recoveryMutations: readonly Mutation[] = [
  recovery(
    "delivery tags begin anew on a recovered channel",
    "client/channel-core.ts",
    "this.#offset = this.settlement.offset + this.settlement.highest;",
    "this.#offset = 0;",
  ),
  recovery(
    "delivery tags of two lives overlap",
    "client/channel-core.ts",
    "this.#offset = this.settlement.offset + this.settlement.highest;",
    "this.#offset = this.settlement.highest;",
  ),
  recovery(
    "a recovered channel confirms no more",
    "recovery/replay.ts",
    '  if (mode === "confirm") steps.push({ type: "confirm.select" });\n',
    "",
  ),
  recovery(
    "a recovered channel has no transactions any more",
    "recovery/replay.ts",
    '  if (mode === "tx") steps.push({ type: "tx.select" });\n',
    "",
  ),
  recovery(
    "consumers are not started again",
    "recovery/replay.ts",
    '    steps.push({ type: "basic.consume", consumer });\n',
    "",
  ),
  recovery(
    "a consumer whose queue was being deleted is forgotten in silence",
    "client/restoring.ts",
    "      endOthers(core, consumerSteps);\n",
    "",
  ),
  recovery(
    "consumers come back without their prefetch",
    "recovery/replay.ts",
    "    if (!consumer.noAck) setPrefetch(consumer.prefetch);\n",
    "",
  ),
  recovery(
    "lost work counts as committed",
    "client/transaction.ts",
    "    if (this.isOpen) this.missed(cause);\n",
    "    void cause;\n",
  ),
  recovery(
    "an acknowledgement at a handler's end that belongs to a lost transaction is thrown",
    "client/handler-runner.ts",
    "      // The transaction that it would belong to was lost.\n      this.#options.report(error);\n",
    "      throw error;\n",
  ),
  recovery(
    "a commit that waited for the connection commits another transaction",
    "client/transactions.ts",
    "          again: () => this.commit(signal),\n",
    "",
  ),
  recovery(
    "what was unconfirmed at a loss counts as confirmed",
    "client/unconfirmed.ts",
    "    for (const [waiter, outcome] of failed) fail(waiter, (known = outcome) => endedWith(end, known));\n",
    '    for (const [waiter] of failed) if (typeof waiter === "function") waiter();\n',
  ),
  recovery(
    "what was in the buffer of a consumer is handed out after a loss",
    "client/subscription.ts",
    "    if (!this.info.noAck) this.#buffer.drain();\n",
    "",
  ),
  recovery(
    "calls that wait for the connection are never made",
    "client/gate.ts",
    "      caller.forget();\n      caller.run();\n",
    "      caller.forget();\n",
  ),
  recovery(
    "a call that was sent is made again",
    "client/replies.ts",
    "const mayRepeat = !sent ||",
    "const mayRepeat = sent ||",
  ),
  recovery(
    "a consumer whose caller gave up stays",
    "client/subscriptions.ts",
    "if (error instanceof AbortError) void subscription.cancel();\n      else this",
    "if (!(error instanceof AbortError)) this",
  ),
  recovery(
    "a prefetch that was under way at a loss is taken for set",
    "client/subscriptions.ts",
    "    this.#toldPrefetch = this.#agreedPrefetch;\n",
    "",
  ),
  recovery(
    "the number of a channel that is to be reopened is given away",
    "client/channel-registry.ts",
    "    if (this.find(number) !== undefined) {\n",
    "    if (this.find(number)?.live === true) {\n",
  ),
  recovery(
    "a channel that the server closed is not reopened",
    "client/recovery.ts",
    'if (this.#state === "open" && !this.#isRestoring(core)) this.#reopenSoon(core);',
    "void core;",
  ),
  recovery(
    "reconnecting goes on after the end",
    "client/reconnecting.ts",
    "    this.#stopped = true;\n    this.#waiting?.cancel();\n",
    "    this.#stopped = true;\n",
  ),
];
