/** The wire format. */

import { type ParitySection, row } from "./row.ts";

const wire = (file: string, title: string): string => `core/src/wire/${file}.test.ts > ${title}`;

export const wireRows: ParitySection = {
  title: "The wire format",
  rows: [
    row(
      "every method, both directions",
      "one table; encodings compared with other encoders",
      wire("methods", "has exactly the methods of the listing"),
      wire("peers", "encodes %s as we do"),
      wire("methods-codec", "is one frame, and arrives as it was sent"),
    ),
    row(
      "bits, lowest first, eight to an octet",
      "",
      wire("methods-codec", "share octets where they are bits, the first one lowest"),
    ),
    row(
      "short strings of at most 255 bytes",
      "refused at the call",
      wire("methods-codec", "of %s are refused with %s of %o; nothing is written, no value shown"),
    ),
    row(
      "field tables: every type",
      "also those that Pika cannot send: floats, shorts, unsigned",
      wire("table", "covers every field type"),
      "values: typed integers in a header comes back",
      "values: fractions in a header comes back",
      "values: a decimal in a header comes back",
    ),
    row(
      "integers by magnitude",
      "`bigint` where a number would lose digits",
      "values: integers beyond what a number holds in a header comes back",
      "values: large integers in a header comes back",
    ),
    row(
      "bytes, texts, dates, null",
      "",
      "values: bytes in a header comes back",
      "values: a text of the world in a header comes back",
      "values: a date, to the second in a header comes back",
      "values: null in a header comes back",
    ),
    row(
      "nested tables and arrays",
      "with a limit of depth",
      "values: tables in arrays in tables in a header comes back",
      wire("table", "does not exhaust the stack on 20 thousand levels, which fit into one frame"),
    ),
    row("a table that does not stop where it says", "is refused, where Pika reads on", wire("table", "refuses %s")),
    row("properties, in the order of their flags", "", wire("properties", "follow in the order of their flags")),
    row(
      "frames: incomplete, bad end, unknown type",
      "the same however the stream is cut",
      wire("frame-reader", "are the same however the stream is cut, and no chunk is referred to once it is parsed"),
      wire("frame-reader", "is a %s: %s, in one chunk and byte by byte; the reader stays failed"),
    ),
    row(
      "bodies of frame-max less 8",
      "",
      wire("content", "arrives as it was sent, cut into frames of the negotiated size, copied or by reference"),
    ),
    row("an empty body has no frame", "", wire("content", "without a body has no body frame")),
    row(
      "too long a body",
      "ends the connection; a limit is checked before memory is taken",
      "core/src/engine/content-assembler.test.ts > more than was announced",
      "core/src/engine/content-assembler.test.ts > a body over the limit, before it arrives",
    ),
    row(
      "inbound frames over frame-max, which Pika does not check",
      "",
      wire("frame-reader", "is found before the size of anything matters"),
    ),
    row(
      "hostile input, which Pika does not test",
      "",
      wire("frame-reader", "is a ProtocolError whatever the bytes are, and reading always ends"),
      "core/src/engine/any-bytes.test.ts > never break the engine when they are random",
    ),
  ],
};
