/**
 * What programs do with a connection that blocks. The broker lives in another process: this thread answers nobody while it
 * waits. Each case is a counterpart of Pika's tests of its BlockingConnection.
 */

import { blockingCallCases } from "./blocking-call-cases.ts";
import { blockingEventCases } from "./blocking-event-cases.ts";
import type { BlockingCase } from "./blocking-scene.ts";

export const blockingCases: readonly BlockingCase[] = [...blockingCallCases, ...blockingEventCases];
