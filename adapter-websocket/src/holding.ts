/** How much may be held for a paused owner. */

/**
 * Bytes. The standard WebSocket cannot be told to wait, so what a broker sends to a paused client piles up, and the
 * stream ends when it is more than this; a prefetch limit keeps it from happening.
 */
export const heldLimit: number = 64 * 1024 * 1024;

/**
 * Bytes that are read ahead for a paused owner where reading can be stopped.
 *
 * Not 0, because when the other side closes while nobody reads, Chromium's `WebSocketStream` drops what has not been
 * read, and says that all was well. So the last words of a broker get in, and only behind this much they can be lost.
 */
export const readAhead: number = 1024 * 1024;
