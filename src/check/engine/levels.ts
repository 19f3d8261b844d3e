/**
 * The levels of a breadth-first search: all states in order of discovery, level after level. States that were expanded
 * may lie in a file, so that only the frontier takes memory; that works where the table holds the states itself
 * (visited.ts), since otherwise the queue is what states are compared with.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import type { Memory } from "./visited.ts";

export interface Spill {
  readonly folder: string;
  /** The queue is written out when it would take more than this. */
  readonly bytes: number;
}

const PIECE = 1 << 18;

export class Levels {
  /** First state of each level, counted from the first state of all. The last level is the one being found. */
  readonly starts: number[] = [0];
  /** States before this one are in the file; it is the first of the queue. */
  base = 0;
  private readonly words: number;
  private readonly folder: string | undefined;
  private file: number | undefined;
  private path = "";

  constructor(words: number, folder?: string) {
    this.words = words;
    this.folder = folder;
  }

  get spills(): boolean {
    return this.folder !== undefined;
  }

  /** Writes the queue's first `count` states out and moves the rest (up to `tail`) to its start. */
  drop(queue: Int32Array, count: number, tail: number): void {
    this.append(queue, count);
    queue.copyWithin(0, count * this.words, tail * this.words);
  }

  /** Writes out states that follow those of the file. */
  append(states: Int32Array, count: number): void {
    if (this.file === undefined) {
      this.path = mkdtempSync(`${this.folder!}/cofferdam-levels-`);
      this.file = openSync(`${this.path}/states`, "w+");
    }
    const bytes = new Uint8Array(states.buffer, states.byteOffset, count * this.words * 4);
    // The files API takes no shared memory, so pieces are copied out of it.
    for (let at = 0; at < bytes.length; at += PIECE) writeAll(this.file, bytes.slice(at, at + PIECE), this.base * this.words * 4 + at);
    this.base += count;
  }

  /** Visits states `from`..`to` in order, in pieces: an array and the range of states in it. */
  read({ queue }: Memory, from: number, to: number, visit: (states: Int32Array, first: number, end: number) => void): void {
    const piece = new Int32Array(from < this.base ? Math.min(PIECE, to - from) * this.words : 0);
    let at = from;
    while (at < Math.min(to, this.base)) {
      const count = Math.min(PIECE, Math.min(to, this.base) - at);
      readAll(this.file!, new Uint8Array(piece.buffer, 0, count * this.words * 4), at * this.words * 4);
      visit(piece, 0, count);
      at += count;
    }
    if (at < to) visit(queue, at - this.base, to - this.base);
  }

  close(): void {
    if (this.file === undefined) return;
    closeSync(this.file);
    rmSync(this.path, { recursive: true });
  }
}

export const writeAll = (file: number, bytes: Uint8Array, at: number): void => {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
};
export const readAll = (file: number, bytes: Uint8Array, at: number): void => {
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(file, bytes, done, bytes.length - done, at + done);
    if (count === 0) throw new Error("a file of states ends early");
    done += count;
  }
};
