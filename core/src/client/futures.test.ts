import { describe, expect, it } from "vitest";
import { Future, isThenable, onAbort, rejection, Milestone } from "./futures.ts";

describe("a future", () => {
  it("is settled by whoever holds it, once", async () => {
    const future = new Future<number>();
    future.resolve(1);
    future.resolve(2);
    expect(await future.promise).toBe(1);
  });

  it("fails with an error that names those who wait, once", async () => {
    const future = new Future<number>();
    let made = 0;
    const makeError = (): Error => new Error(`failure ${(made += 1)}`);
    async function whoeverWaits(): Promise<void> {
      await future.promise;
    }
    const waiting = whoeverWaits();
    future.fail(makeError);
    future.fail(makeError);
    const error = (await waiting.catch((reason: unknown) => reason)) as Error;
    expect(error.message).toBe("failure 1");
    expect(error.stack).toContain("whoeverWaits");
    expect(made).toBe(1);
  });
});

describe("a rejection", () => {
  it("names those who call", async () => {
    async function whoeverCalls(): Promise<void> {
      await rejection(() => new Error("no"));
    }
    expect(((await whoeverCalls().catch((reason: unknown) => reason)) as Error).stack).toContain("whoeverCalls");
  });
});

describe("a signal", () => {
  it("is heard once, and no more when the listener was removed", () => {
    const controller = new AbortController();
    const heard: string[] = [];
    onAbort(controller.signal, () => heard.push("heard"));
    onAbort(controller.signal, () => heard.push("removed"))();
    controller.abort();
    controller.abort();
    expect(heard).toEqual(["heard"]);
  });
});

describe("thenables", () => {
  it("are promises, and nothing that has no then", () => {
    expect(isThenable(Promise.resolve())).toBe(true);
    expect([undefined, null, 1, "then", {}, () => {}].map(isThenable)).toEqual(new Array(6).fill(false));
  });
});

describe("a milestone", () => {
  it("tells those who asked before it was reached, and those who ask after", async () => {
    const milestone = new Milestone<number>();
    const before = milestone.promise;
    milestone.reach(1);
    milestone.reach(2);
    await expect(before).resolves.toBe(1);
    await expect(milestone.promise).resolves.toBe(1);
    expect(milestone.promise).toBe(before);
    const late = new Milestone<string>();
    late.reach("done");
    await expect(late.promise).resolves.toBe("done");
  });
});
