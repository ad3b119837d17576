import fc from "fast-check";
import { expect, it } from "vitest";
import { PassingMap } from "./passing-map.ts";

it("is a Map to whoever uses it", () => {
  const key = fc.integer({ min: 0, max: 5 });
  const step = fc.oneof(
    fc.record({ do: fc.constant("set"), key }),
    fc.record({ do: fc.constant("delete"), key }),
    fc.record({ do: fc.constant("pass"), key }),
    fc.record({ do: fc.constant("clear"), key }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const map = new PassingMap<number, object>();
      const model = new Map<number, object>();
      for (const { do: name, key: at } of steps) {
        const value = {};
        switch (name) {
          case "set":
            map.set(at, value);
            model.set(at, value);
            break;
          case "delete":
            expect(map.delete(at)).toBe(model.delete(at));
            break;
          case "pass":
            // More than are deleted before the map is replaced.
            for (let passing = 1000; passing < 2500; passing += 1) {
              map.set(passing, value);
              map.delete(passing);
            }
            break;
          default:
            map.clear();
            model.clear();
        }
        expect([map.size, [...map.values()]]).toEqual([model.size, [...model.values()]]);
        expect(map.get(at)).toBe(model.get(at));
      }
    }),
    { numRuns: 50 },
  );
});
