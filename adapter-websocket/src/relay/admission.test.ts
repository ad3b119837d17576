import { describe, expect, it } from "vitest";
import { Admission, type AdmissionLimits, type Place } from "./admission.ts";
import { ManualClock } from "./testing/manual-clock.ts";

const none: AdmissionLimits = {
  maxConnections: 0,
  maxConnectionsPerAddress: 0,
  maxConnectionsPerIdentity: 0,
  maxUpgradesPerSecond: 0,
};

function entered(admission: Admission, address = "192.0.2.1"): Place {
  const place = admission.enter(address);
  if (typeof place === "string") throw new Error(place);
  return place;
}

describe("admission", () => {
  it("stops at the total, and goes on when one leaves", () => {
    const admission = new Admission({ ...none, maxConnections: 2 }, new ManualClock());
    const first = entered(admission, "192.0.2.1");
    entered(admission, "192.0.2.2");
    expect(admission.enter("192.0.2.3")).toBe("too-many-connections");
    first.leave();
    first.leave();
    expect(admission.total).toBe(1);
    entered(admission, "192.0.2.3");
    expect(admission.enter("192.0.2.4")).toBe("too-many-connections");
  });

  it("counts by address, and a subscriber's IPv6 addresses as one", () => {
    const admission = new Admission({ ...none, maxConnectionsPerAddress: 1 }, new ManualClock());
    const place = entered(admission, "2001:db8::1");
    expect(admission.enter("2001:db8::2")).toBe("too-many-of-address");
    entered(admission, "192.0.2.1");
    place.leave();
    entered(admission, "2001:db8::2");
    expect(admission.enter("2001:db8::1")).toBe("too-many-of-address");
  });

  it("counts by identity", () => {
    const admission = new Admission({ ...none, maxConnectionsPerIdentity: 1 }, new ManualClock());
    const first = entered(admission);
    expect(first.claim("alice")).toBeUndefined();
    expect(entered(admission).claim("alice")).toBe("too-many-of-identity");
    expect(entered(admission).claim("bob")).toBeUndefined();
    first.leave();
    expect(entered(admission).claim("alice")).toBeUndefined();
    expect(entered(admission).claim("alice")).toBe("too-many-of-identity");
  });

  it("does not count an identity whose client has gone in the meantime", () => {
    const admission = new Admission({ ...none, maxConnectionsPerIdentity: 1 }, new ManualClock());
    const gone = entered(admission);
    gone.leave();
    gone.claim("alice");
    expect(entered(admission).claim("alice")).toBeUndefined();
  });

  it("limits how fast, with a burst of one second's worth", () => {
    const clock = new ManualClock();
    const admission = new Admission({ ...none, maxUpgradesPerSecond: 5 }, clock);
    for (let count = 0; count < 5; count += 1) entered(admission);
    expect(admission.enter("192.0.2.1")).toBe("too-fast");
    clock.advance(199);
    expect(admission.enter("192.0.2.1")).toBe("too-fast");
    clock.advance(1);
    entered(admission);
    clock.advance(60_000);
    for (let count = 0; count < 5; count += 1) entered(admission);
    expect(admission.enter("192.0.2.1")).toBe("too-fast");
  });

  it("a refusal takes no place", () => {
    const admission = new Admission({ ...none, maxConnectionsPerAddress: 1 }, new ManualClock());
    entered(admission);
    admission.enter("192.0.2.1");
    expect(admission.total).toBe(1);
  });
});
