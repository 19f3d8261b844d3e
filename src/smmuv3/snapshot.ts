/**
 * SMMU snapshots (design §6): `regs.json` and `pages.bin.gz` of one SMMU, as bytes; files are the caller's.
 * `regs.json` is `{"smmu": {"0x0": "0x…", …}, "ram"?: [{"addr", "size"}]}` with 32-bit values by offset; other keys are left
 * alone. `pages.bin.gz` is any number of records: page address, u64 little-endian, then 4096 bytes.
 */
import { gunzipSync, gzipSync } from "node:zlib";
import { offsets } from "../../specs/smmuv3/registers.ts";
import type { Checked, Diagnostic } from "../base/diagnostic.ts";
import { printable } from "../base/diagnostic.ts";
import { hex, PAGE_BYTES } from "../base/words.ts";
import { createImages, type Image, type Page } from "./image.ts";
import type { RegisterFile } from "./registers.ts";

export interface MemoryRange {
  readonly addr: bigint;
  readonly size: bigint;
}
export interface Snapshot {
  readonly registers: RegisterFile;
  readonly image: Image;
  /** Where memory answers; everywhere when absent. */
  readonly ram?: readonly MemoryRange[];
}
export interface SnapshotFiles {
  /** Text of `regs.json`. */
  readonly regs: string;
  /** Bytes of `pages.bin.gz`. */
  readonly pages: Uint8Array;
}

const PAGE = Number(PAGE_BYTES);
const RECORD = 8 + PAGE;
/** Unpacked bytes that are read or written at most: a quarter million pages. */
const MOST_BYTES = 2 ** 18 * RECORD;
const GZIP_OS = 9;

/** Ranges ascending and apart; those that touch are one. */
export const merged = (ranges: readonly MemoryRange[]): MemoryRange[] => {
  const apart: { addr: bigint; size: bigint }[] = [];
  for (const { addr, size } of ranges.toSorted((a, b) => (a.addr < b.addr ? -1 : Number(a.addr > b.addr)))) {
    const last = apart.at(-1);
    if (last === undefined || addr > last.addr + last.size) apart.push({ addr, size });
    else if (addr + size > last.addr + last.size) last.size = addr + size - last.addr;
  }
  return apart;
};

/** The 64-bit word at an address, or undefined where memory does not answer. */
export const reader = ({ image, ram }: Pick<Snapshot, "image" | "ram">): ((address: bigint) => bigint | undefined) => {
  if (ram === undefined) return image.read;
  const ranges = merged(ram);
  const answers = (address: bigint): boolean => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]!.addr <= address) low = middle + 1;
      else high = middle;
    }
    const range = ranges[low - 1];
    return range !== undefined && address + 8n <= range.addr + range.size;
  };
  return (address) => (answers(address) ? image.read(address) : undefined);
};

/** A snapshot as files; equal contents give equal bytes. Throws RangeError past a quarter million pages. */
export const writeSnapshot = ({ registers, image, ram }: Snapshot): SnapshotFiles => {
  const count = image.runs.reduce((sum, { first, end }) => sum + end - first, 0);
  if (count * RECORD > MOST_BYTES) throw new RangeError(`a snapshot of ${count} pages is too large; at most ${MOST_BYTES / RECORD}`);
  const bytes = new Uint8Array(count * RECORD);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { first, end, page } of image.runs)
    for (let number = first; number < end; number++, at += RECORD) {
      view.setBigUint64(at, BigInt(number) * PAGE_BYTES, true);
      for (const [index, value] of page.words) view.setBigUint64(at + 8 + index * 8, value, true);
    }
  const smmu = Object.fromEntries([...registers].toSorted(([a], [b]) => a - b).map(([offset, value]) => [hex(offset), hex(value >>> 0)]));
  const ranges = ram === undefined ? {} : { ram: ram.map(({ addr, size }) => ({ addr: hex(addr), size: hex(size) })) };
  const pages = new Uint8Array(gzipSync(bytes));
  // The header names the operating system; unknown (255) keeps the bytes equal on all of them.
  pages[GZIP_OS] = 255;
  return { regs: `${JSON.stringify({ smmu, ...ranges }, null, 1)}\n`, pages };
};

const fault = (message: string, path: string, hint?: string): Diagnostic => ({ id: "bad-snapshot", severity: "error", message, place: { path }, ...(hint === undefined ? {} : { hint }) });
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
/** A hex number below 2^bits, or undefined. */
const hexNumber = (text: unknown, bits: number): bigint | undefined => {
  if (typeof text !== "string" || !/^0x[0-9a-fA-F]{1,16}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >> BigInt(bits) === 0n ? value : undefined;
};
const shown = (value: unknown): string => {
  try {
    return printable(JSON.stringify(value)?.slice(0, 60) ?? "nothing");
  } catch {
    // Nested deeper than JSON.stringify can go.
    return "a deeply nested value";
  }
};

const readRegisters = (value: unknown, diagnostics: Diagnostic[]): RegisterFile => {
  const registers = new Map<number, number>();
  if (!isObject(value)) {
    diagnostics.push(fault("there is no register table", "smmu", 'expected "smmu": {"0x0": "0x…", …}'));
    return registers;
  }
  for (const [name, text] of Object.entries(value)) {
    const offset = hexNumber(name, 20);
    const word = hexNumber(text, 32);
    if (offset === undefined || offset % 4n !== 0n) diagnostics.push(fault(`${shown(name)} is not a register offset`, "smmu", "offsets are hex multiples of 4 below 0x100000"));
    else if (word === undefined) diagnostics.push(fault(`${shown(text)} is not a 32-bit register value`, `smmu.${name}`, "values are hex text below 2^32"));
    else if (registers.has(Number(offset))) diagnostics.push(fault(`register ${hex(offset)} is given twice`, `smmu.${name}`));
    else registers.set(Number(offset), Number(word));
  }
  return registers;
};

const readRam = (value: unknown, diagnostics: Diagnostic[]): MemoryRange[] => {
  if (!Array.isArray(value)) {
    diagnostics.push(fault(`${shown(value)} is not a list of memory ranges`, "ram"));
    return [];
  }
  return value.flatMap((range: unknown, index): MemoryRange[] => {
    const addr = isObject(range) ? hexNumber(range["addr"], 56) : undefined;
    const size = isObject(range) ? hexNumber(range["size"], 57) : undefined;
    if (addr !== undefined && size !== undefined) return [{ addr, size }];
    diagnostics.push(fault(`${shown(range)} is not a memory range`, `ram[${index}]`, 'expected {"addr": "0x…", "size": "0x…"}'));
    return [];
  });
};

const unpack = (pages: Uint8Array, diagnostics: Diagnostic[]): Uint8Array => {
  try {
    return gunzipSync(pages, { maxOutputLength: MOST_BYTES });
  } catch (error) {
    const tooLarge = error instanceof RangeError;
    diagnostics.push(fault(tooLarge ? `the pages unpack to more than ${MOST_BYTES} bytes` : "the pages are not a complete gzip file", "pages.bin.gz"));
    return new Uint8Array();
  }
};

const sameWords = (a: Page["words"], b: Page["words"]): boolean => a.length === b.length && a.every(([index, value], place) => b[place]![0] === index && b[place]![1] === value);

/** Pages in records, as memory and as the ranges that they are: a page that is given answers, whatever `ram` says. */
const readPages = (packed: Uint8Array, diagnostics: Diagnostic[]): { readonly image: Image; readonly given: readonly MemoryRange[] } => {
  const images = createImages();
  const bytes = unpack(packed, diagnostics);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length % RECORD !== 0) diagnostics.push(fault(`${bytes.length} bytes are not a whole number of ${RECORD}-byte records`, "pages.bin.gz"));
  const content = new Map<number, Page["words"]>();
  const wordsAt = (from: number): Page["words"] => {
    const words: [number, bigint][] = [];
    for (let word = 0; word < PAGE / 8; word++) {
      const value = view.getBigUint64(from + word * 8, true);
      if (value !== 0n) words.push([word, value]);
    }
    return words;
  };
  for (let at = 0; at + RECORD <= bytes.length; at += RECORD) {
    const address = view.getBigUint64(at, true);
    if (address % PAGE_BYTES !== 0n || address >> 56n !== 0n) {
      diagnostics.push(fault(`record ${at / RECORD}: ${hex(address)} is not the address of a page`, "pages.bin.gz"));
      continue;
    }
    const [number, words] = [Number(address / PAGE_BYTES), wordsAt(at + 8)];
    const before = content.get(number);
    if (before !== undefined && !sameWords(before, words)) diagnostics.push(fault(`record ${at / RECORD}: page ${hex(address)} is given twice, with other words`, "pages.bin.gz"));
    content.set(number, words);
  }
  const given = merged([...content.keys()].map((number) => ({ addr: BigInt(number) * PAGE_BYTES, size: PAGE_BYTES })));
  return { image: images.ofPages(content), given };
};

/** Without these an SMMU can do nothing: they say which stages, StreamIDs and addresses there are. */
const IDENTIFYING = ["IDR0", "IDR1", "IDR5"] as const;
const unidentified = (missing: readonly string[]): Diagnostic => ({
  id: "missing-registers",
  severity: "warning",
  message: `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not given, and so read as 0: an SMMU without what they say`,
  place: { path: "smmu" },
  hint: "take the identification registers into the snapshot, too",
});

/** Reads a snapshot strictly: anything malformed is a `bad-snapshot` diagnostic, and then there is no value. */
export const readSnapshot = ({ regs, pages }: SnapshotFiles): Checked<Snapshot> => {
  const diagnostics: Diagnostic[] = [];
  let json: unknown;
  try {
    json = JSON.parse(regs);
  } catch {
    diagnostics.push(fault("regs.json is not JSON", "regs.json"));
    return { value: undefined, diagnostics };
  }
  const fields = isObject(json) ? json : {};
  const registers = readRegisters(fields["smmu"], diagnostics);
  const ram = fields["ram"] === undefined ? undefined : readRam(fields["ram"], diagnostics);
  const { image, given } = readPages(pages, diagnostics);
  if (diagnostics.length > 0) return { value: undefined, diagnostics };
  const missing = IDENTIFYING.filter((name) => !registers.has(offsets[name]));
  if (missing.length > 0) diagnostics.push(unidentified(missing));
  return { value: { registers, image, ...(ram === undefined ? {} : { ram: merged([...ram, ...given]) }) }, diagnostics };
};
