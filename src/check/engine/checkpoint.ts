/**
 * Checkpoints: all states found so far, in order, with what a search needs to go on as if it had never stopped. The table
 * is not written; it is made again from the states. A file is written beside its name and renamed, so that a machine that
 * dies leaves the last whole one. Layout: a first line with the length of the header, the header as JSON, the states'
 * words, the SHA-256 of all that.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, openSync, renameSync } from "node:fs";
import { type Levels, readAll, writeAll } from "./levels.ts";
import type { Memory } from "./visited.ts";

const FORMAT = "cofferdam-checkpoint";
const VERSION = 1;
const FIRST_LINE = /^cofferdam-checkpoint (\d+) ([0-9a-f]{8})\n$/;
const FIRST_LENGTH = `${FORMAT} 1 00000000\n`.length;
const PIECE = 1 << 20;
/** Words are written as this machine has them. */
const BYTE_ORDER = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? "little" : "big";

export interface Standing {
  /** States found: length of the list. */
  readonly states: number;
  readonly starts: readonly number[];
  /** States before this one were expanded. */
  readonly cursor: number;
  /** Where the level that is being expanded ends. */
  readonly levelEnd: number;
  readonly edges: readonly number[];
  /** The same when this level began. */
  readonly levelEdges: readonly number[];
}
interface Header extends Standing {
  readonly model: string;
  readonly words: number;
  readonly byteOrder: string;
}

/** The file can't be used; says why in one sentence. */
export class CheckpointRefused extends Error {
  override readonly name = "CheckpointRefused";
}

export const writeCheckpoint = (path: string, model: string, words: number, standing: Standing, levels: Levels, memory: Memory): void => {
  const header = Buffer.from(JSON.stringify({ model, words, byteOrder: BYTE_ORDER, ...standing } satisfies Header));
  const temporary = `${path}.part`;
  const file = openSync(temporary, "w");
  try {
    const hash = createHash("sha256");
    let at = 0;
    const write = (bytes: Uint8Array): void => {
      hash.update(bytes);
      writeAll(file, bytes, at);
      at += bytes.length;
    };
    write(Buffer.from(`${FORMAT} ${VERSION} ${header.length.toString(16).padStart(8, "0")}\n`));
    write(header);
    levels.read(memory, 0, standing.states, (states, first, end) => {
      const bytes = new Uint8Array(states.buffer, states.byteOffset + first * words * 4, (end - first) * words * 4);
      for (let from = 0; from < bytes.length; from += PIECE) write(bytes.slice(from, from + PIECE));
    });
    writeAll(file, hash.digest(), at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
};

/**
 * Reads a checkpoint of this model. `begin` is told what it holds before states come to `take`, in order and in pieces;
 * nothing that was taken counts until this returns, because the checksum comes last.
 */
export const readCheckpoint = (path: string, model: string, words: number, begin: (standing: Standing) => void, take: (states: Int32Array, count: number) => void): Standing => {
  const refuse = (why: string): never => {
    throw new CheckpointRefused(`${path} ${why}`);
  };
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    return refuse(`can't be read: ${(error as Error).message}`);
  }
  try {
    const { size } = fstatSync(file);
    const first = Buffer.alloc(FIRST_LENGTH);
    if (size < FIRST_LENGTH) return refuse("is no checkpoint");
    readAll(file, first, 0);
    const [, version, length] = FIRST_LINE.exec(first.toString("latin1")) ?? refuse("is no checkpoint");
    if (Number(version) !== VERSION) return refuse(`is a checkpoint of version ${version}; this program reads version ${VERSION}`);
    const headerLength = Number.parseInt(length!, 16);
    if (FIRST_LENGTH + headerLength > size) return refuse("is damaged: it ends in its header");
    const headerBytes = Buffer.alloc(headerLength);
    readAll(file, headerBytes, FIRST_LENGTH);
    const header = parsed(headerBytes) ?? refuse("is damaged: its header can't be read");
    if (header.model !== model || header.words !== words) return refuse("is a checkpoint of another model");
    if (header.byteOrder !== BYTE_ORDER) return refuse("comes from a machine of the other byte order");
    const dataStart = FIRST_LENGTH + headerLength;
    const dataLength = header.states * words * 4;
    if (size !== dataStart + dataLength + 32) return refuse(`is damaged: it has ${size} bytes and should have ${dataStart + dataLength + 32}`);
    // Counts are small numbers and were written by us; the states themselves are trusted only after the checksum.
    const hash = createHash("sha256").update(first).update(headerBytes);
    begin(header);
    const piece = new Int32Array((PIECE / 4) * words);
    const bytes = new Uint8Array(piece.buffer);
    for (let at = 0; at < dataLength; at += bytes.length) {
      const part = bytes.subarray(0, Math.min(bytes.length, dataLength - at));
      readAll(file, part, dataStart + at);
      hash.update(part);
      take(piece, part.length / 4 / words);
    }
    const sum = Buffer.alloc(32);
    readAll(file, sum, dataStart + dataLength);
    if (!hash.digest().equals(sum)) return refuse("is damaged: its checksum is wrong");
    return header;
  } finally {
    closeSync(file);
  }
};

const parsed = (bytes: Buffer): Header | undefined => {
  try {
    return JSON.parse(bytes.toString("utf8")) as Header;
  } catch {
    return undefined;
  }
};
