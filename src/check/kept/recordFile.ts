/**
 * A file of records, for checkpoints: a first line that says what it is, records in order (a name of four letters, a
 * length, so many bytes), and a last one with the SHA-256 of all before it. It is written beside its name and renamed, so
 * that whoever dies while writing leaves the last whole file; it is read only after all of it was summed.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, openSync, readSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import type { Diagnostic } from "../../base/diagnostic.ts";
import { readAll, writeAll } from "../engine/levels.ts";
import { Refusal } from "../refusal.ts";

const FORMAT = "cofferdam-exploration";
const VERSION = 2;
const FIRST_LINE = `${FORMAT} ${VERSION}\n`;
const LAST = "last";
const SUM_BYTES = 32;
const HEAD_BYTES = 8;
/** No record is longer, so that a file is written and read in pieces. */
const MOST_BYTES = 1 << 20;
/** Words are written as this machine has them. */
export const BYTE_ORDER = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? "little" : "big";

export const checkpointFault = (file: string, message: string, hint: string): Diagnostic => ({ id: "bad-checkpoint", severity: "error", message, place: { file }, hint });
export const damaged = (file: string, why: string): Refusal => new Refusal(checkpointFault(file, `the checkpoint is damaged: ${why}`, "check the system from the start"));

const code = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);
const partOf = (file: string): string => `${file}.part`;

const beginsAsOurs = (file: string): boolean => {
  const opened = openSync(file, "r");
  try {
    const first = Buffer.alloc(FORMAT.length);
    return readSync(opened, first, 0, first.length, 0) === first.length && first.toString("latin1") === FORMAT;
  } finally {
    closeSync(opened);
  }
};

/** Why a user may not want a checkpoint here: another run's would be lost, unless it is the one to go on from. */
export const objectionToReplacing = (file: string, resume: string | undefined): Diagnostic | undefined => {
  try {
    if (!statSync(file).isFile() || !beginsAsOurs(file) || (resume !== undefined && realpathSync(file) === realpathSync(resume))) return undefined;
  } catch {
    return undefined;
  }
  return checkpointFault(file, "there is the checkpoint of an earlier run, which would be lost", `go on with it by --resume ${file}, or remove it, or give --checkpoint another name`);
};

/** Why nothing should be written here, before hours are spent: no room for it, or something else that is in the way. */
export const objectionTo = (file: string): Diagnostic | undefined => {
  try {
    const there = statSync(file, { throwIfNoEntry: false });
    if (there !== undefined && (!there.isFile() || !beginsAsOurs(file))) return checkpointFault(file, "there is something else than a checkpoint", "give --checkpoint the name of a file that is not there, or of a checkpoint");
    closeSync(openSync(partOf(file), "w"));
    rmSync(partOf(file));
    return undefined;
  } catch (error) {
    return checkpointFault(file, `no checkpoint can be written: ${code(error)}`, "give --checkpoint a file in a folder that is there and can be written");
  }
};

export class RecordWriter {
  private readonly file: string;
  private readonly opened: number;
  private readonly hash = createHash("sha256");
  private at = 0;

  constructor(file: string) {
    this.file = file;
    this.opened = openSync(partOf(file), "w");
    this.put(Buffer.from(FIRST_LINE));
  }

  private put(bytes: Uint8Array): void {
    this.hash.update(bytes);
    writeAll(this.opened, bytes, this.at);
    this.at += bytes.length;
  }
  private record(name: string, bytes: Uint8Array): void {
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(name, "latin1");
    head.writeUInt32LE(bytes.length, 4);
    this.put(head);
    this.put(bytes);
  }
  /** Numbers of any kind, in as many records as they need. */
  numbers({ buffer, byteOffset, byteLength }: Uint32Array | Int32Array | Float64Array, name: string): void {
    for (let at = 0; at < byteLength; at += MOST_BYTES) this.record(name, new Uint8Array(buffer, byteOffset + at, Math.min(MOST_BYTES, byteLength - at)));
  }
  json(value: unknown, name: string): void {
    const bytes = Buffer.from(JSON.stringify(value));
    for (let at = 0; at < bytes.length; at += MOST_BYTES) this.record(name, bytes.subarray(at, at + MOST_BYTES));
  }
  /** Makes it the file of that name. */
  finish(): void {
    this.record(LAST, this.hash.copy().digest());
    fsyncSync(this.opened);
    closeSync(this.opened);
    renameSync(partOf(this.file), this.file);
  }
  abandon(): void {
    closeSync(this.opened);
    rmSync(partOf(this.file), { force: true });
  }
}

export class RecordReader {
  readonly file: string;
  private readonly opened: number;
  private readonly size: number;
  private at = FIRST_LINE.length;

  /** Refuses what is no whole file of records. */
  constructor(file: string) {
    this.file = file;
    const refuse = (message: string): never => {
      throw new Refusal(checkpointFault(file, message, "give --resume a file that check --checkpoint wrote"));
    };
    try {
      if (!statSync(file).isFile()) refuse("it is no regular file");
      this.opened = openSync(file, "r");
    } catch (error) {
      throw error instanceof Refusal ? error : new Refusal(checkpointFault(file, `the checkpoint can't be read: ${code(error)}`, "give --resume a file that check --checkpoint wrote"));
    }
    this.size = fstatSync(this.opened).size;
    try {
      const first = this.bytes(0, Math.min(FIRST_LINE.length, this.size)).toString("latin1");
      if (first !== FIRST_LINE) {
        const version = /^cofferdam-exploration (\d{1,9})\n?/.exec(first)?.[1];
        refuse(version === undefined ? "it is no checkpoint of check" : `it is a checkpoint of version ${version}, and this program reads version ${VERSION}`);
      }
      this.verify();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private bytes(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    readAll(this.opened, bytes, at);
    return bytes;
  }
  private verify(): void {
    const end = this.size - HEAD_BYTES - SUM_BYTES;
    if (end < FIRST_LINE.length) throw damaged(this.file, "it ends early");
    const hash = createHash("sha256");
    for (let at = 0; at < end; at += MOST_BYTES) hash.update(this.bytes(at, Math.min(MOST_BYTES, end - at)));
    const last = this.bytes(end, HEAD_BYTES);
    const sum = this.bytes(end + HEAD_BYTES, SUM_BYTES);
    if (last.toString("latin1", 0, 4) !== LAST) throw damaged(this.file, "it ends early");
    if (!hash.digest().equals(sum)) throw damaged(this.file, "its checksum is wrong");
  }

  /** The next record if it has this name. */
  private next(name: string): Buffer | undefined {
    if (this.at + HEAD_BYTES > this.size) return undefined;
    const head = this.bytes(this.at, HEAD_BYTES);
    if (head.toString("latin1", 0, 4) !== name) return undefined;
    const length = head.readUInt32LE(4);
    if (length > MOST_BYTES || this.at + HEAD_BYTES + length > this.size) throw damaged(this.file, "a record is too long");
    const bytes = this.bytes(this.at + HEAD_BYTES, length);
    this.at += HEAD_BYTES + length;
    return bytes;
  }
  /** The bytes of all records of this name that come next, in pieces. */
  *pieces(name: string): Generator<Buffer> {
    for (let piece = this.next(name); piece !== undefined; piece = this.next(name)) yield piece;
  }
  json(name: string): unknown {
    try {
      return JSON.parse(Buffer.concat([...this.pieces(name)]).toString("utf8")) as unknown;
    } catch (error) {
      throw error instanceof Refusal ? error : damaged(this.file, `its part \`${name}\` can't be read`);
    }
  }
  /** All numbers of this name. */
  integers(name: string): Int32Array {
    const bytes = Buffer.concat([...this.pieces(name)]);
    if (bytes.length % 4 !== 0) throw damaged(this.file, `its part \`${name}\` ends within a number`);
    return new Int32Array(Uint8Array.from(bytes).buffer);
  }
  /** The same, so many at a time; each array is valid until the next is asked for. */
  *rows(name: string, width: number): Generator<Int32Array> {
    const row = new Int32Array(width);
    const bytes = new Uint8Array(row.buffer);
    let filled = 0;
    for (const piece of this.pieces(name))
      for (let at = 0; at < piece.length; ) {
        const length = Math.min(bytes.length - filled, piece.length - at);
        bytes.set(piece.subarray(at, at + length), filled);
        filled = (filled + length) % bytes.length;
        at += length;
        if (filled === 0) yield row;
      }
    if (filled !== 0) throw damaged(this.file, `its part \`${name}\` ends within a row`);
  }
  close(): void {
    closeSync(this.opened);
  }
}
