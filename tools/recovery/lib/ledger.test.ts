import { describe, expect, it } from "vitest";
import { Ledger } from "./ledger.ts";

function ledgerOf(outcomes: readonly ("confirmed" | "unknown" | "not-sent")[], consumed: readonly number[]): Ledger {
  const ledger = new Ledger([{ name: "p", inOrder: true }]);
  outcomes.forEach((outcome, sequence) => ledger.settled("p", sequence, outcome));
  ledger.finished("p", outcomes.length);
  for (const sequence of consumed) ledger.consumed("p", `p:${sequence}`);
  return ledger;
}

describe("the ledger of a run", () => {
  it("has nothing against confirmed messages in order, with duplicates, nor against unknown ones at any time", () => {
    const ledger = ledgerOf(["confirmed", "confirmed", "unknown", "unknown", "confirmed"], [0, 1, 0, 1, 4, 2]);
    expect(ledger.problems).toEqual([]);
    expect(ledger.totals).toMatchObject({ published: 5, confirmed: 3, unknown: 2, consumed: 4, duplicates: 2 });
  });

  it("knows what is missing", () => {
    const ledger = ledgerOf(["confirmed", "confirmed"], [1]);
    expect(ledger.missing).toBe(1);
    expect(ledger.problems).toEqual(["p: 1 messages were confirmed, and never consumed: 0"]);
  });

  it("knows what was invented, by number, by name, and by outcome", () => {
    expect(ledgerOf(["confirmed"], [0, 1]).problems).toEqual(["p: 1 messages were consumed, and never published: 1"]);
    expect(ledgerOf(["not-sent"], [0]).problems).toEqual([
      "p: 1 messages were consumed, and said not to have been sent: 0",
    ]);
    const ledger = ledgerOf([], []);
    ledger.consumed("p", "q:0");
    ledger.consumed("p", "p:x");
    expect(ledger.problems).toEqual(['p had the message "q:0"', 'p had the message "p:x"']);
  });

  it("knows what came late", () => {
    expect(ledgerOf(["confirmed", "confirmed"], [1, 0]).problems).toEqual([
      "p: 1 messages came after a later one: 0 (after 1)",
    ]);
  });

  it("knows what was settled twice, and never", () => {
    const ledger = new Ledger([{ name: "p", inOrder: false }]);
    ledger.settled("p", 0, "unknown");
    ledger.settled("p", 0, "confirmed");
    expect(ledger.problems).toContain("p did not finish");
    ledger.finished("p", 2);
    ledger.consumed("p", "p:0");
    expect(ledger.problems).toEqual([
      "p: 1 messages were published, and nobody was told what became of them: 1",
      "p: 1 messages were settled twice: 0",
    ]);
  });
});
