/** A module for `authModule`. */

import type { Authenticate } from "../authentication.ts";

export const authenticate: Authenticate = (request) =>
  request.query.get("token") === "good" ? { allow: true, identity: "good" } : { allow: false };
