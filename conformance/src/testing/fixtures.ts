/** The certificates beside this file. */

import { fileURLToPath } from "node:url";

/** The path of a fixture, such as `"server.pem"`. */
export function fixtureFile(name: string): string {
  return fileURLToPath(new URL(`certificates/${name}`, import.meta.url));
}
