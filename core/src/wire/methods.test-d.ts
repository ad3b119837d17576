import { expectTypeOf, test } from "vitest";
import type { FieldTable } from "./field-values.ts";
import type {
  Arguments,
  ClientMethodName,
  ContentMethodName,
  Fields,
  Method,
  MethodDefinition,
  MethodName,
  ReplyName,
  RequestName,
  ServerMethodName,
} from "./method-types.ts";
import { methods } from "./methods.ts";

test("the table of methods is one", () => {
  methods satisfies Readonly<Record<string, MethodDefinition>>;
});

test("fields are what a decoded method has, and nothing reserved", () => {
  expectTypeOf<Fields<"basic.deliver">>().branded.toEqualTypeOf<{
    readonly consumerTag: string;
    readonly deliveryTag: number;
    readonly redelivered: boolean;
    readonly exchange: string;
    readonly routingKey: string;
  }>();
  expectTypeOf<keyof Fields<"basic.publish">>().toEqualTypeOf<"exchange" | "routingKey" | "mandatory" | "immediate">();
  expectTypeOf<keyof Fields<"channel.open-ok">>().toEqualTypeOf<never>();
  expectTypeOf<Fields<"connection.start">["serverProperties"]>().toEqualTypeOf<FieldTable>();
  expectTypeOf<Fields<"connection.start">["mechanisms"]>().toEqualTypeOf<Uint8Array>();
  expectTypeOf<Fields<"basic.nack">["requeue"]>().toEqualTypeOf<boolean>();
});

test("in arguments bits and tables may be left out, but for bits without a safe default", () => {
  expectTypeOf<{ queue: string }>().toExtend<Arguments<"queue.declare">>();
  expectTypeOf<{ queue: string; durable: undefined }>().toExtend<Arguments<"queue.declare">>();
  expectTypeOf<{ durable: boolean }>().not.toExtend<Arguments<"queue.declare">>();
  expectTypeOf<{ queue: number }>().not.toExtend<Arguments<"queue.declare">>();
  expectTypeOf<{ deliveryTag: number }>().not.toExtend<Arguments<"basic.nack">>();
  expectTypeOf<{ deliveryTag: number; requeue: boolean }>().toExtend<Arguments<"basic.nack">>();
  expectTypeOf<object>().not.toExtend<Arguments<"channel.flow">>();
  expectTypeOf<object>().toExtend<Arguments<"channel.open">>();
  // What was decoded can be sent.
  expectTypeOf<Fields<"queue.declare">>().toExtend<Arguments<"queue.declare">>();
});

test("names fall into groups", () => {
  expectTypeOf<ContentMethodName>().toEqualTypeOf<
    "basic.publish" | "basic.return" | "basic.deliver" | "basic.get-ok"
  >();
  expectTypeOf<"basic.cancel">().toExtend<ClientMethodName & ServerMethodName>();
  expectTypeOf<"queue.declare">().toExtend<RequestName & ClientMethodName>();
  expectTypeOf<"queue.declare">().not.toExtend<ServerMethodName>();
  expectTypeOf<"basic.publish">().not.toExtend<RequestName>();
  expectTypeOf<ReplyName<"basic.get">>().toEqualTypeOf<"basic.get-ok" | "basic.get-empty">();
  expectTypeOf<ReplyName<RequestName>>().toExtend<MethodName>();
});

test("a method is told apart by its name", () => {
  const describeMethod = (method: Method): string => {
    if (method.name === "basic.ack") expectTypeOf(method.fields).branded.toEqualTypeOf<Fields<"basic.ack">>();
    return method.name;
  };
  expectTypeOf(describeMethod).parameter(0).toEqualTypeOf<Method>();
});
