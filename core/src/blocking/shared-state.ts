/** The few words of memory that a blocked thread and those who wake it share. */

/** A number that grows whenever there is something to look at. */
const sequence = 0;
/** 1 when the connection's thread is gone, or the connection was closed. */
const over = 1;
/** Calls from other threads that wait to be made. */
const waitingCalls = 2;

/** Memory that threads share. */
export class SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  /** Says that there is something to look at. */
  wake(): void {
    Atomics.add(this.#words, sequence, 1);
    Atomics.notify(this.#words, sequence);
  }

  /** What {@link wait} is to be given; to be read before looking, so that no wake-up is lost. */
  get sequence(): number {
    return Atomics.load(this.#words, sequence);
  }

  /** Blocks this thread until it is woken, or was since `seen` was read. */
  wait(seen: number, timeout: number): void {
    Atomics.wait(this.#words, sequence, seen, timeout);
  }

  get isOver(): boolean {
    return Atomics.load(this.#words, over) === 1;
  }

  end(): void {
    Atomics.store(this.#words, over, 1);
    this.wake();
  }

  /** Counts a call from another thread; false when too many wait. */
  enterCall(limit: number): boolean {
    if (Atomics.add(this.#words, waitingCalls, 1) < limit) return true;
    Atomics.sub(this.#words, waitingCalls, 1);
    return false;
  }

  leaveCall(): void {
    Atomics.sub(this.#words, waitingCalls, 1);
  }
}
