import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type Address,
  type AttemptEvents,
  answeredDelay,
  attemptDelay,
  interleave,
  raceAddresses,
} from "./address-race.ts";

const v4 = (address: string): Address => ({ address, family: 4 });
const v6 = (address: string): Address => ({ address, family: 6 });

describe("interleave", () => {
  it("lets the families take turns, beginning with the resolver's first", () => {
    const addresses = [v6("a"), v6("b"), v6("c"), v4("x"), v4("y")];
    expect(interleave(addresses).map(({ address }) => address)).toEqual(["a", "x", "b", "y", "c"]);
    expect(interleave([v4("x"), v6("a")]).map(({ address }) => address)).toEqual(["x", "a"]);
    expect(interleave([])).toEqual([]);
  });
});

describe("raceAddresses", () => {
  let attempts: Map<string, AttemptEvents<string, string>>;
  let cancelled: string[];
  let outcome: unknown[];

  function race(...addresses: readonly Address[]): () => void {
    return raceAddresses<string, string>(
      addresses,
      (address, events) => {
        attempts.set(address, events);
        return () => cancelled.push(address);
      },
      { won: (result) => outcome.push(["won", result]), lost: (failures) => outcome.push(["lost", failures]) },
    );
  }

  const begun = (): readonly string[] => [...attempts.keys()];

  beforeEach(() => {
    vi.useFakeTimers();
    attempts = new Map();
    cancelled = [];
    outcome = [];
  });
  afterEach(() => {
    const timers = vi.getTimerCount();
    vi.useRealTimers();
    if (timers > 0) throw new Error("a race that is over has timers left");
  });

  it("begins attempts a little apart, and never ends one for the next", () => {
    race(v6("a"), v4("x"), v4("y"));
    expect(begun()).toEqual(["a"]);
    vi.advanceTimersByTime(attemptDelay - 1);
    expect(begun()).toEqual(["a"]);
    vi.advanceTimersByTime(1);
    expect(begun()).toEqual(["a", "x"]);
    vi.advanceTimersByTime(10 * attemptDelay);
    expect(begun()).toEqual(["a", "x", "y"]);
    expect(cancelled).toEqual([]);
    attempts.get("x")?.won("x");
    expect(outcome).toEqual([["won", "x"]]);
    expect(cancelled).toEqual(["a", "y"]);
  });

  it("begins the next at once where one fails", () => {
    race(v6("a"), v4("x"));
    attempts.get("a")?.failed("no a");
    expect(begun()).toEqual(["a", "x"]);
    attempts.get("x")?.won("x");
    expect(outcome).toEqual([["won", "x"]]);
    expect(cancelled).toEqual([]);
  });

  it("is lost when every attempt failed, with each failure in the order of the attempts", () => {
    race(v6("a"), v4("x"));
    vi.advanceTimersByTime(attemptDelay);
    attempts.get("x")?.failed("no x");
    expect(outcome).toEqual([]);
    attempts.get("a")?.failed("no a");
    expect(outcome).toEqual([["lost", ["no a", "no x"]]]);
  });

  it("is lost without addresses", () => {
    race();
    expect(outcome).toEqual([["lost", []]]);
  });

  it("gives a peer that has answered more time before it tries another", () => {
    race(v6("a"), v4("x"), v4("y"));
    attempts.get("a")?.answered();
    vi.advanceTimersByTime(answeredDelay - 1);
    expect(begun()).toEqual(["a"]);
    vi.advanceTimersByTime(1);
    expect(begun()).toEqual(["a", "x"]);
    attempts.get("a")?.failed("certificate");
    expect(begun()).toEqual(["a", "x", "y"]);
    attempts.get("y")?.won("y");
  });

  it("cancels everything, and reports nothing any more", () => {
    const cancel = race(v6("a"), v4("x"), v4("y"));
    vi.advanceTimersByTime(attemptDelay);
    cancel();
    expect(cancelled).toEqual(["a", "x"]);
    vi.advanceTimersByTime(10 * attemptDelay);
    expect(begun()).toEqual(["a", "x"]);
    expect(outcome).toEqual([]);
  });
});
