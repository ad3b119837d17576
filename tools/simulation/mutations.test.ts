import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { mutations } from "./mutations.ts";

const root = new URL("../../", import.meta.url);

it("every deliberate bug has its place in the source, once", () => {
  const places = mutations.map(({ name, file, find }) => ({
    name,
    places: readFileSync(fileURLToPath(new URL(file, root)), "utf8").split(find).length - 1,
  }));
  expect(places.filter((place) => place.places !== 1)).toEqual([]);
});
