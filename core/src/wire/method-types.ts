/** The types that follow from the table of methods. Nothing here exists at run time. */

import type { methods } from "./methods.ts";
import type { FieldTable } from "./field-values.ts";

type Table = typeof methods;

/** The name of any method of the protocol, such as `"queue.declare"`. */
export type MethodName = keyof Table;

/** The wire types of method fields, and how JavaScript sees them. Reserved fields are seen by nobody. */
interface FieldTypes {
  bit: boolean;
  octet: number;
  short: number;
  long: number;
  longlong: number;
  shortstr: string;
  longstr: Uint8Array;
  table: FieldTable;
}

/** A field type as the table of methods writes it. */
export type FieldType = keyof FieldTypes | "reserved-bit" | "reserved-short" | "reserved-shortstr" | "reserved-longstr";

/** One line of the table of methods. */
export interface MethodDefinition {
  readonly id: number;
  readonly from: "client" | "server" | "both";
  readonly replies?: readonly MethodName[];
  readonly content?: true;
  readonly fields: Readonly<Record<string, FieldType>>;
}

type WireFields<M extends MethodName> = Table[M]["fields"];

type VisibleField<M extends MethodName> = {
  [F in keyof WireFields<M>]: WireFields<M>[F] extends keyof FieldTypes ? F : never;
}[keyof WireFields<M>];

/** Bits that have no safe default, so a caller has to say them. */
export type SpokenBit = "requeue" | "active";

type OptionalField<M extends MethodName> = {
  [F in VisibleField<M>]: WireFields<M>[F] extends "table"
    ? F
    : WireFields<M>[F] extends "bit"
      ? Exclude<F, SpokenBit>
      : never;
}[VisibleField<M>];

type JavaScriptType<T> = T extends keyof FieldTypes ? FieldTypes[T] : never;

/** All fields of a decoded method. */
export type Fields<M extends MethodName> = {
  readonly [F in VisibleField<M>]: JavaScriptType<WireFields<M>[F]>;
};

/** The fields of a method to send: a bit that is left out is false, a table that is left out is empty. */
export type Arguments<M extends MethodName> = {
  readonly [F in Exclude<VisibleField<M>, OptionalField<M>>]: JavaScriptType<WireFields<M>[F]>;
} & {
  readonly [F in OptionalField<M>]?: JavaScriptType<WireFields<M>[F]> | undefined;
};

type NameWhere<Condition> = { [M in MethodName]: Table[M] extends Condition ? M : never }[MethodName];

/** The methods that carry a content: properties and a body. */
export type ContentMethodName = NameWhere<{ content: true }>;

/** The methods that a client may send. */
export type ClientMethodName = NameWhere<{ from: "client" | "both" }>;

/** The methods that a server may send. */
export type ServerMethodName = NameWhere<{ from: "server" | "both" }>;

/** The methods that are answered. */
export type RequestName = NameWhere<{ replies: readonly MethodName[] }>;

/** The methods that may answer `M`. */
export type ReplyName<M extends RequestName> = Table[M]["replies"][number];

/** A decoded method: its name, and its fields. */
export type Method<M extends MethodName = MethodName> = {
  [N in M]: { readonly name: N; readonly fields: Fields<N> };
}[M];
