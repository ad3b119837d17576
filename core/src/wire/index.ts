/** The wire format of AMQP 0-9-1, as RabbitMQ speaks it: methods, contents, tables and frames as bytes. */

export * from "./constants.ts";
export * from "./decode.ts";
export * from "./encode.ts";
export * from "./errors.ts";
export * from "./field-values.ts";
export * from "./frame-reader.ts";
export * from "./greeting.ts";
export type * from "./method-types.ts";
export * from "./methods.ts";
export * from "./output.ts";
export * from "./properties.ts";
export * from "./short-strings.ts";
export * from "./table.ts";
export { encodeText, decodeText } from "./text.ts";
