import { describe, expect, it } from "vitest";
import { contain, Listeners } from "./listeners.ts";

interface Events {
  readonly one: number;
  readonly two: string;
}

describe("listeners", () => {
  it("are called in the order they were added, until they are removed", () => {
    const heard: string[] = [];
    const listeners = new Listeners<Events>(() => expect.unreachable());
    const first = (value: number): void => void heard.push(`first ${value}`);
    const stops = [first, first].map((listener) => listeners.on("one", listener));
    listeners.on("one", (value) => heard.push(`second ${value}`));
    listeners.on("two", (value) => heard.push(value));
    listeners.emit("one", 1);
    stops[0]?.();
    stops[0]?.();
    listeners.emit("one", 2);
    listeners.emit("two", "other");
    expect(heard).toEqual(["first 1", "first 1", "second 1", "first 2", "second 2", "other"]);
  });

  it("may remove themselves and add others while they are called", () => {
    const heard: string[] = [];
    const listeners = new Listeners<Events>(() => expect.unreachable());
    const stop = listeners.on("one", () => {
      heard.push("once");
      stop();
      listeners.on("one", () => heard.push("added"));
    });
    listeners.emit("one", 1);
    listeners.emit("one", 2);
    expect(heard).toEqual(["once", "added"]);
    expect(listeners.has("one")).toBe(true);
    expect(listeners.has("two")).toBe(false);
  });
});

describe("what an application's function throws", () => {
  it("is reported, and so is what its promise rejects with", async () => {
    const reports: unknown[] = [];
    const report = (error: unknown): void => void reports.push(error);
    contain(() => "fine", report);
    contain(() => {
      throw new Error("thrown");
    }, report);
    contain(() => Promise.reject(new Error("rejected")), report);
    await Promise.resolve();
    expect(reports).toMatchObject([{ message: "thrown" }, { message: "rejected" }]);
  });
});
