/** A Chromium for tests. */

import { existsSync } from "node:fs";
import { installPackage } from "./lib/apt.ts";
import { UnavailableError } from "./lib/unavailable.ts";

const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

function find(): string | undefined {
  return places.find((place) => place !== undefined && place !== "" && existsSync(place));
}

/**
 * The path of a Chromium: that of the variable `CHROMIUM`, or the system's, which is installed where it is missing.
 *
 * @throws UnavailableError when there is none to be had.
 */
export async function ensureChromium(): Promise<string> {
  const found = find();
  if (found !== undefined) return found;
  try {
    await installPackage("chromium");
  } catch (cause) {
    if (!(cause instanceof UnavailableError)) throw cause;
    const remedy = "install the package chromium, or set CHROMIUM to the path of a Chromium or Chrome";
    throw new UnavailableError(`there is no Chromium (${cause.message}): ${remedy}`, { cause });
  }
  return find() as string;
}
