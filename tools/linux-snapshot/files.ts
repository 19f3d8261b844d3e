/** The two files of a snapshot: `regs.json`, and `pages.bin.gz` with records of page address (u64 little-endian) and 4096 bytes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { fail } from "./failure.ts";
import type { ItsRegisters } from "./its.ts";
import type { Memory, PageTags } from "./memory.ts";
import type { Registers } from "./streams.ts";

export interface Range {
  readonly addr: bigint;
  readonly size: bigint;
}
export interface Opened {
  readonly memory: Memory;
  readonly registers: Registers;
  readonly its: ItsRegisters | undefined;
  readonly ram: readonly Range[];
}

const PAGE = 4096;
const RECORD = 8 + PAGE;
const MOST_BYTES = 2 ** 18 * RECORD;

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
const table = (values: ReadonlyMap<number, bigint | number>): Record<string, string> => Object.fromEntries([...values].map(([offset, value]) => [hex(offset), hex(value)]));

/** Text of `regs.json`. `its` has 64-bit values, `pageTags` says what each kept page is. */
export const registersText = (smmu: ReadonlyMap<number, number>, its: ReadonlyMap<number, bigint>, ram: readonly Range[], tags: PageTags): string => {
  const pageTags = Object.fromEntries([...tags].map(([address, names]) => [hex(address), [...names]]));
  return `${JSON.stringify({ smmu: table(smmu), its: table(its), ram: ram.map(({ addr, size }) => ({ addr: hex(addr), size: hex(size) })), pageTags }, null, 1)}\n`;
};

/** Bytes of `pages.bin.gz`: the tagged pages, lowest first. */
export const pagesBytes = (memory: Memory, tags: PageTags): Buffer => {
  const records = [...tags.keys()].toSorted((a, b) => (a < b ? -1 : 1)).flatMap((address) => {
    const bytes = memory.page(address);
    if (bytes === undefined) return [];
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(address);
    return [head, bytes];
  });
  return gzipSync(Buffer.concat(records));
};

const valuesOf = (json: unknown, key: string): Map<number, bigint> | undefined => {
  const found = (json as Record<string, unknown> | null)?.[key];
  if (typeof found !== "object" || found === null) return undefined;
  return new Map(
    Object.entries(found).map(([offset, value]) => {
      if (!/^0x[0-9a-f]{1,5}$/i.test(offset) || !/^0x[0-9a-f]{1,16}$/i.test(String(value))) return fail(`regs.json: "${key}" has a line that is not of the form "0x0": "0x0"`);
      return [Number(offset), BigInt(String(value))];
    }),
  );
};

const rangesOf = (json: unknown): Range[] => {
  const found = (json as Record<string, unknown> | null)?.["ram"];
  if (!Array.isArray(found)) return [];
  return found.map((range: unknown) => {
    const { addr, size } = (range ?? {}) as Record<string, unknown>;
    if (![addr, size].every((value) => /^0x[0-9a-f]{1,16}$/i.test(String(value)))) return fail('regs.json: "ram" has a range that is not of the form {"addr": "0x0", "size": "0x0"}');
    return { addr: BigInt(String(addr)), size: BigInt(String(size)) };
  });
};

const readIn = (folder: string, name: string): Buffer => {
  try {
    return readFileSync(join(folder, name));
  } catch {
    return fail(`cannot read ${name} in ${folder}`);
  }
};

/** Opens the snapshot in a folder. Throws Failure. */
export const openSnapshot = (folder: string): Opened => {
  let json: unknown;
  let bytes: Buffer;
  const text = readIn(folder, "regs.json").toString();
  const packed = readIn(folder, "pages.bin.gz");
  try {
    json = JSON.parse(text);
    bytes = gunzipSync(packed, { maxOutputLength: MOST_BYTES });
  } catch {
    return fail(`regs.json is not JSON, or pages.bin.gz is not gzip, in ${folder}`);
  }
  const pages = new Map(Array.from({ length: Math.floor(bytes.length / RECORD) }, (_, index) => [bytes.readBigUInt64LE(index * RECORD), bytes.subarray(index * RECORD + 8, (index + 1) * RECORD)]));
  const smmu = valuesOf(json, "smmu") ?? fail('regs.json has no "smmu"');
  const its = valuesOf(json, "its");
  const ram = rangesOf(json);
  const zeros = new Uint8Array(PAGE);
  const inRam = (address: bigint): boolean => ram.length === 0 || ram.some(({ addr, size }) => address >= addr && address < addr + size);
  return {
    memory: { page: (address) => pages.get(address) ?? (inRam(address) ? zeros : undefined) },
    registers: (offset) => Number((smmu.get(offset) ?? 0n) & 0xffff_ffffn),
    its: its === undefined ? undefined : (offset) => its.get(offset) ?? 0n,
    ram,
  };
};
