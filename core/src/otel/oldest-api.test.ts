/** The same tests with the oldest `@opentelemetry/api` that the package declares to work with. */

import * as api from "@opentelemetry/api";
import * as oldest from "@opentelemetry/api-oldest";
import { describe, expect, it, vi } from "vitest";
import "./connection-spans.test.ts";
import "./operations.test.ts";
import "./otel.test.ts";

vi.mock("@opentelemetry/api", () => import("@opentelemetry/api-oldest"));

describe("this file", () => {
  it("tests with the oldest API", () => {
    expect(api.trace).toBe(oldest.trace);
  });
});
