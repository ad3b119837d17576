import { describe, expect, it } from "vitest";
import { AddressRate, maxRemembered } from "./address-rate.ts";
import { ManualClock } from "./testing/manual-clock.ts";

function start(perMinute: number) {
  const clock = new ManualClock();
  const limited: string[] = [];
  const rate = new AddressRate(clock, perMinute, (address) => limited.push(address));
  /** How many of so many attempts were granted. */
  const take = (address: string, times: number): number => {
    let granted = 0;
    for (let time = 0; time < times; time += 1) if (rate.tryTake(address)) granted += 1;
    return granted;
  };
  return { clock, limited, rate, take };
}

describe("the rate of an address", () => {
  it("is so many a minute, with a burst of one minute's worth", () => {
    const { clock, take } = start(60);
    expect(take("192.0.2.1", 100)).toBe(60);
    clock.advance(999);
    expect(take("192.0.2.1", 1)).toBe(0);
    clock.advance(1);
    expect(take("192.0.2.1", 2)).toBe(1);
    clock.advance(10_000);
    expect(take("192.0.2.1", 100)).toBe(10);
    clock.advance(3_600_000);
    expect(take("192.0.2.1", 100)).toBe(60);
  });

  it("may be less than one a second", () => {
    const { clock, take } = start(2);
    expect(take("192.0.2.1", 5)).toBe(2);
    for (let passed = 0; passed < 10; passed += 1) {
      clock.advance(29_999);
      expect(take("192.0.2.1", 1)).toBe(0);
      clock.advance(1);
      expect(take("192.0.2.1", 5)).toBe(1);
    }
  });

  it("is of one address alone, however it is written, and of a subscriber's IPv6 addresses together", () => {
    const { take } = start(2);
    expect(take("192.0.2.1", 5)).toBe(2);
    expect(take("::ffff:192.0.2.1", 5)).toBe(0);
    expect(take("192.0.2.2", 5)).toBe(2);
    expect(take("2001:db8:0:1::1", 1) + take("2001:db8:0:1:ffff::2", 5)).toBe(2);
    expect(take("2001:db8:0:2::1", 5)).toBe(2);
  });

  it("is told of once, until the address was quiet", () => {
    const { clock, limited, take } = start(60);
    take("192.0.2.1", 100);
    take("192.0.2.2", 60);
    clock.advance(1_000);
    take("192.0.2.1", 100);
    expect(limited).toEqual(["192.0.2.1"]);
    clock.advance(60_000);
    take("192.0.2.1", 100);
    expect(limited).toEqual(["192.0.2.1", "192.0.2.1"]);
  });

  it("is forgotten when it is the one of an address never seen", () => {
    const { clock, rate, take } = start(60);
    take("192.0.2.1", 60);
    clock.advance(59_999);
    take("192.0.2.2", 1);
    expect(rate.size).toBe(2);
    clock.advance(1);
    take("192.0.2.2", 1);
    expect(rate.size).toBe(1);
  });

  it("takes no more memory than for a number of addresses, and forgets who was not seen for longest", () => {
    const { rate, take } = start(1);
    for (let index = 0; index < maxRemembered; index += 1)
      take(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, 1);
    take("192.0.2.1", 1);
    expect(rate.size).toBe(maxRemembered);
    expect(take("192.0.2.1", 1)).toBe(0);
    expect(take("10.0.0.255", 1)).toBe(0);
    expect(take("10.0.0.0", 1)).toBe(1);
  });

  it("is none where none was asked for", () => {
    const { rate, take } = start(0);
    expect(take("192.0.2.1", 1_000)).toBe(1_000);
    expect(rate.size).toBe(0);
  });
});
