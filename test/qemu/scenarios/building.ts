/** What scenarios are made of: one stream, a place for each structure, and steps that write them from the layouts. */
import { Cd } from "../../../specs/smmuv3/cd.ts";
import { CommandCfgi, CommandCfgiCd, CommandCfgiRange, CommandSync, CommandTlbi, type CommandName, opcodes } from "../../../specs/smmuv3/command.ts";
import { offsets } from "../../../specs/smmuv3/registers.ts";
import { LeafDescriptor } from "../../../specs/smmuv3/stage2.ts";
import { Ste } from "../../../specs/smmuv3/ste.ts";
import type { Access } from "../../../src/base/transaction.ts";
import { iova, streamId } from "../../../src/base/words.ts";
import type { HistoryStep } from "../../../src/smmuv3/history.ts";

export const SID = 0x18;
export const STREAM_TABLE = 0x4200_0000n;
/** Second level of a stream table. */
export const STREAM_TABLE_2 = 0x4210_0000n;
export const CONTEXT = 0x4030_0000n;
/** Roots; the tables below a root follow it, 64 KiB apart. */
export const ROOT = 0x4049_0000n;
export const ROOT_UPPER = 0x4059_0000n;
export const ROOT_OTHER = 0x4069_0000n;
export const STAGE_2_ROOT = 0x4080_0000n;
export const TABLE_SPACING = 0x1_0000n;
/** Data, and a virtual address (39 bits) for it. */
export const DATA = 0x4100_3000n;
export const VA = 0x12_3456_7000n;
/** A physical address of 44 bits where nothing answers. */
export const HOLE = 0x800_0000_0000n;

export type Steps = readonly HistoryStep[];
export type SteFields = Parameters<typeof Ste.encode>[0];
export type CdFields = Parameters<typeof Cd.encode>[0];

// Memory.

export const store = (addr: bigint, value: bigint): HistoryStep => ({ kind: "store", addr, value });
export const storeAll = (addr: bigint, words: readonly bigint[]): HistoryStep[] => words.map((value, at) => store(addr + BigInt(at * 8), value));
/** The stream's entry of a linear stream table. */
export const entry = (fields: SteFields, sid = SID, table = STREAM_TABLE): HistoryStep[] => storeAll(table + BigInt(sid * 64), Ste.encode({ V: 1n, ...fields }));
export const context = (fields: CdFields, at = CONTEXT): HistoryStep[] => storeAll(at, Cd.encode(fields));

/** Stage-1 descriptors: AttrIdx 0, inner shareable. `AP` is AP[2:1]: bit 0 is for everyone, bit 1 read-only; `upper` bits 63:52. */
export const leaf = (output: bigint, { type = 3n, AP = 1n, AF = 1n, nG = 1n, upper = 0n } = {}): bigint => output | (upper << 52n) | (nG << 11n) | (AF << 10n) | (3n << 8n) | (AP << 6n) | type;
export const block = (output: bigint): bigint => leaf(output, { type: 1n });
export const leaf2 = (output: bigint, fields: Parameters<typeof LeafDescriptor.encode>[0] = {}): bigint =>
  output | LeafDescriptor.encode({ Type: "page", MemAttr: "normalWriteBack", S2AP: "readWrite", SH: "inner", AF: 1n, ...fields })[0]!;

export interface Shape {
  /** Bits of the granule. */
  readonly granule?: 12 | 14 | 16;
  /** Level of the root. */
  readonly start?: number;
  /** Root tables side by side. */
  readonly concatenated?: number;
  /** What table descriptors have besides their address. */
  readonly tableBits?: bigint;
  /** How much higher the tables' addresses are where the walk sees them. */
  readonly seenAt?: bigint;
}
/** What an input address leads to: a descriptor at a level, 3 when left out. */
export type Mapping = readonly [input: bigint, descriptor: bigint, level?: number];

/** Where the descriptor of an input is in the table of its level. */
export const indexAt = (input: bigint, level: number, granule = 12, tables = 1): bigint => {
  const stride = BigInt(granule - 3);
  return (input >> (BigInt(granule) + BigInt(3 - level) * stride)) & ((BigInt(tables) << stride) - 1n);
};

/** Tables from a root to each descriptor. The first mapping's tables follow the root in order of level. */
export const tables = (root: bigint, mappings: readonly Mapping[], { granule = 12, start = 1, concatenated = 1, tableBits = 0n, seenAt = 0n }: Shape = {}): HistoryStep[] => {
  const stores = new Map<bigint, bigint>();
  let last = root + (concatenated > 1 ? BigInt(concatenated - 1) << BigInt(granule) : 0n);
  last -= last % TABLE_SPACING;
  for (const [input, descriptor, level = 3] of mappings) {
    let table = root;
    for (let at = start; at < level; at++) {
      const place = table + indexAt(input, at, granule, at === start ? concatenated : 1) * 8n;
      const known = stores.get(place);
      table = known === undefined ? (last += TABLE_SPACING) : (known & 0xffff_ffff_f000n) - seenAt;
      stores.set(place, (table + seenAt) | tableBits | 3n);
    }
    stores.set(table + indexAt(input, level, granule, level === start ? concatenated : 1) * 8n, descriptor);
  }
  return [...stores].map(([addr, value]) => store(addr, value));
};

// Registers, commands, transactions.

export const register = (name: keyof typeof offsets, value: bigint, size: 4 | 8 = 4): HistoryStep => ({ kind: "register", offset: offsets[name], value, size });
/** CR0 with both queues on, as the player has it. */
export const enable = register("CR0", 0xdn);
export const disable = register("CR0", 0xcn);
/** A stream table of 64 entries with C_BAD_STREAMID recorded, or what else these registers say, and the SMMU on. */
export const bootWith = ({ base = STREAM_TABLE, config = 6n, CR2 = 2n } = {}): Steps => [register("CR2", CR2), register("STRTAB_BASE", base, 8), register("STRTAB_BASE_CFG", config), enable];
export const boot: Steps = bootWith();

export const command = (words: readonly bigint[]): HistoryStep => ({ kind: "command", words: [words[0]!, words[1] ?? 0n] });
const op = (name: CommandName): { Op: bigint } => ({ Op: BigInt(opcodes[name].code) });
export const bare = (name: CommandName): HistoryStep => command([op(name).Op]);
export const sync = command(CommandSync.encode(op("SYNC")));
/** A write to the same register's offset in page 1. */
export const inPage1 = (step: HistoryStep): HistoryStep => (step.kind === "register" ? { ...step, offset: step.offset + 0x1_0000 } : step);
export const cfgiSte = (sid = SID): HistoryStep => command(CommandCfgi.encode({ ...op("CFGI_STE"), SID: BigInt(sid), Leaf: 1n }));
export const cfgiCd = (sid = SID): HistoryStep => command(CommandCfgiCd.encode({ ...op("CFGI_CD"), SID: BigInt(sid), Leaf: 1n }));
export const cfgiAll = command(CommandCfgiRange.encode({ ...op("CFGI_STE_RANGE"), Range: 31n }));
export const tlbi = (name: CommandName, fields: Parameters<typeof CommandTlbi.encode>[0] = {}): HistoryStep => command(CommandTlbi.encode({ ...op(name), ...fields }));

const transaction = (access: Access, address: bigint, sid: number): HistoryStep => ({ kind: "transaction", transaction: { sid: streamId(sid), op: access, iova: iova(address), size: 4 } });
export const read = (address: bigint, sid = SID): HistoryStep => transaction("read", address, sid);
export const write = (address: bigint, sid = SID): HistoryStep => transaction("write", address, sid);

// Whole configurations.

/** Stage 1 of 39 bits, 4 KiB granule, the lower half only, ASID 5. */
export const contextFields = { V: 1n, AA64: 1n, A: 1n, R: 1n, T0SZ: 25n, TG0: "4K", EPD1: 1n, IPS: "44", ASID: 5n, TTB0: ROOT } as const;
export const usualContext = (fields: CdFields = {}): HistoryStep[] => context({ ...contextFields, ...fields });
/** Stage 1 on, with what differs from the usual descriptor. */
export const stage1 = (fields: CdFields = {}, mappings: readonly Mapping[] = [[VA, leaf(DATA)]], shape: Shape = {}): HistoryStep[] => [
  ...boot,
  ...entry({ Config: "s1", S1ContextPtr: CONTEXT }),
  ...usualContext(fields),
  ...tables(ROOT, mappings, shape),
];

/** Stage 2 of 39 bits, 4 KiB granule, VMID 0. */
export const stage2Fields = { S2T0SZ: 25n, S2SL0: 1n, S2PS: "44", S2AA64: 1n, S2R: 1n, S2TTB: STAGE_2_ROOT } as const;
export const stage2 = (fields: SteFields = {}, mappings: readonly Mapping[] = [[VA, leaf2(DATA)]], shape: Shape = {}): HistoryStep[] => [
  ...boot,
  ...entry({ Config: "s2", ...stage2Fields, ...fields }),
  ...tables(STAGE_2_ROOT, mappings, shape),
];
