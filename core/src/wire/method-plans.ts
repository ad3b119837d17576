/** The table of methods, in the form that the codec interprets. */

import type { FieldType, MethodDefinition, MethodName, SpokenBit } from "./method-types.ts";
import { methods } from "./methods.ts";

/** One field of a method. */
export interface FieldPlan {
  readonly name: string;
  readonly type: FieldType;
  /** A bit that the caller has to say, because neither value is a safe default. */
  readonly spoken: boolean;
  /** What the field is, for error messages: `"queue.declare arguments"`. */
  readonly where: string;
}

/** One method. */
export interface MethodPlan {
  readonly name: MethodName;
  readonly id: number;
  readonly fields: readonly FieldPlan[];
}

const spokenBits: Readonly<Record<SpokenBit, true>> = { requeue: true, active: true };

const plans: readonly MethodPlan[] = Object.entries(methods as Readonly<Record<MethodName, MethodDefinition>>).map(
  ([name, { id, fields }]) => ({
    name: name as MethodName,
    id,
    fields: Object.entries(fields).map(([field, type]) => ({
      name: field,
      type,
      spoken: Object.hasOwn(spokenBits, field),
      where: `${name} ${field}`,
    })),
  }),
);

/** By name. */
export const planOf: ReadonlyMap<string, MethodPlan> = new Map(plans.map((plan) => [plan.name, plan]));

/** By class and method id, as {@link MethodPlan.id} has them. */
export const planOfId: ReadonlyMap<number, MethodPlan> = new Map(plans.map((plan) => [plan.id, plan]));
