// The part of the Encoding standard that the wire may use. It is declared here, and the DOM's library is left out, so
// that nothing else of a platform can be reached by accident.

interface TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}

declare var TextEncoder: {
  prototype: TextEncoder;
  new (): TextEncoder;
};

interface TextDecoder {
  decode(input?: ArrayBufferView | ArrayBuffer, options?: { stream?: boolean }): string;
}

declare var TextDecoder: {
  prototype: TextDecoder;
  new (label?: "utf-8" | "latin1", options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder;
};
