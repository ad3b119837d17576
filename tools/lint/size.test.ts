import { describe, expect, it } from "vitest";
import { budgets, sizeInPage } from "./size.ts";

describe("the size in a page", () => {
  it.each(budgets)("of $name is at most $limit kB", async ({ program, limit }) => {
    const size = await sizeInPage(program);
    expect(size).toBeLessThanOrEqual(limit);
    // A budget that is far above the truth guards nothing.
    expect(size).toBeGreaterThan(limit * 0.7);
  });

  it("counts only what is used", async () => {
    const [codec, all] = await Promise.all([
      sizeInPage('import { encodeText } from "@leveret/websocket"; console.log(encodeText("x"));'),
      sizeInPage('import * as leveret from "@leveret/websocket"; console.log(leveret);'),
    ]);
    expect(codec).toBeLessThan(2);
    expect(all).toBeGreaterThan(20);
  });
});
