/** Certificates for tests: an authority, a server that is localhost, and a client. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The path of one of the fixtures that the I/O contract uses. */
export function certificateFile(name: string): string {
  return fileURLToPath(new URL(`../../../../conformance/src/testing/certificates/${name}`, import.meta.url));
}

export function readCertificate(name: string): string {
  return readFileSync(certificateFile(name), "utf8");
}
