/**
 * A small SMMU for tests against the architecture text: a Map as memory, everything implemented that the core models, and
 * builders for stream table entries, context descriptors and tables of any granule. Nothing of it comes from `src`, but
 * the port itself.
 */
import { Cd } from "../../specs/smmuv3/cd.ts";
import { Event, EventWalkAbort } from "../../specs/smmuv3/event.ts";
import { Cr2, Idr0, Idr1, Idr3, Idr5, offsets, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { Transaction } from "../../src/base/transaction.ts";
import { iova, streamId } from "../../src/base/words.ts";
import { type RegisterFile, resetRegisters, setRegister, settingsOf } from "../../src/smmuv3/registers.ts";
import { translate, type Translation } from "../../src/smmuv3/transaction.ts";

export type Values = Readonly<Record<string, bigint>>;

/** Memory: words by address, 0 where nothing was stored; a page of `holes` does not answer. */
export interface Memory {
  readonly words: Map<bigint, bigint>;
  readonly holes: Set<bigint>;
  readonly read: (address: bigint) => bigint | undefined;
}
export const memory = (): Memory => {
  const words = new Map<bigint, bigint>();
  const holes = new Set<bigint>();
  return { words, holes, read: (address) => (holes.has(address >> 12n) ? undefined : (words.get(address) ?? 0n)) };
};
export const put = ({ words }: Memory, at: bigint, values: readonly bigint[]): void => {
  for (const [word, value] of values.entries()) words.set(at + BigInt(8 * word), value);
};

export const SID = 5;
export const STREAM_TABLE = 0x8000_0000n;
export const CONTEXTS = 0x8100_0000n;
export const TABLES = 0x9000_0000n;

/** What is implemented, by field; a test changes a few. */
const implemented: Values = {
  S1P: 1n, S2P: 1n, TTF: 2n, HTTU: 2n, ASID16: 1n, VMID16: 1n, CD2L: 1n, ST_LEVEL: 1n, HYP: 1n,
  SIDSIZE: 16n, SSIDSIZE: 20n, ATTR_PERMS_OVR: 1n, CMDQS: 8n, EVENTQS: 8n,
  HAD: 1n, XNX: 1n, STT: 1n, E0PD: 1n, RIL: 1n, OAS: 5n, GRAN4K: 1n, GRAN16K: 1n, GRAN64K: 1n, VAX: 1n, STALL_MAX: 4n,
};
const encoded = (record: { readonly fields: object; readonly encode: (values: Values) => bigint[] }, values: Values): number =>
  Number(record.encode(Object.fromEntries(Object.entries(values).filter(([name]) => name in record.fields)))[0]);
export const identity = (change: Values = {}) => {
  const values = { ...implemented, ...change };
  return { IDR0: encoded(Idr0, values), IDR1: encoded(Idr1, values), IDR3: encoded(Idr3, values), IDR5: encoded(Idr5, values), AIDR: 2 };
};
export const withRegisters = (registers: RegisterFile, values: Readonly<Record<number, number>>): RegisterFile =>
  Object.entries(values).reduce((file, [offset, value]) => setRegister(file, Number(offset), value), registers);
/** An enabled SMMU with a linear stream table of 64 entries. */
export const enabled = (change: Values = {}): RegisterFile =>
  withRegisters(resetRegisters(identity(change)), {
    [offsets.STRTAB_BASE]: Number(STREAM_TABLE),
    [offsets.STRTAB_BASE_CFG]: Number(StrtabBaseCfg.encode({ LOG2SIZE: 6n })[0]),
    [offsets.CR2]: Number(Cr2.encode({ RECINVSID: 1n, E2H: change["E2H"] ?? 0n })[0]),
    [offsets.CR0]: 1,
  });

/** Stage 1 of 48 bits at 4 KiB, one CD; lower half alone. */
export const s1: Values = { V: 1n, Config: 5n, S1ContextPtr: CONTEXTS };
/** Stage 2 of 40 bits at 4 KiB from level 1: two tables side by side. */
export const s2: Values = { V: 1n, Config: 6n, S2VMID: 7n, S2T0SZ: 24n, S2SL0: 1n, S2PS: 5n, S2AA64: 1n, S2R: 1n };
export const cd: Values = { V: 1n, AA64: 1n, T0SZ: 16n, EPD1: 1n, IPS: 5n, A: 1n, R: 1n, ASID: 9n };
export const storeSte = (store: Memory, values: Values, sid = SID, table = STREAM_TABLE): void => put(store, table + BigInt(sid) * 64n, Ste.encode(values));
export const storeCd = (store: Memory, values: Values, at = CONTEXTS): void => put(store, at, Cd.encode(values));

export type Granule = 12 | 14 | 16;
/** Bits of an address below the index into a table of a level. */
export const shiftOf = (level: number, granule: Granule): bigint => BigInt(granule + (3 - level) * (granule - 3));
/** The level at which a walk of so many bits starts: one level for each granule's worth of index, the first one possibly partial. */
export const startOf = (bits: number, granule: Granule): number => 4 - Math.ceil((bits - granule) / (granule - 3));

/** Where tables lie. `place` gives the physical address of an entry, where stage 2 translates it. */
export interface Tables {
  readonly root: bigint;
  readonly granule: Granule;
  readonly bits: number;
  readonly start: number;
  readonly place?: (address: bigint) => bigint;
  /** Bits of table descriptors besides type and address, by level. */
  readonly above?: (level: number) => bigint;
}
/** Address of the entry for `address` at `level`: the root, then one table for each level, 64 KiB apart. */
export const entryAt = ({ root, granule, bits, start }: Tables, address: bigint, level: number): bigint => {
  const within = (address & ((1n << BigInt(bits)) - 1n)) >> shiftOf(level, granule);
  return root + 0x10_0000n * BigInt(level - start) + 8n * (level === start ? within : within & ((1n << BigInt(granule - 3)) - 1n));
};
/** Puts `value` as the descriptor of `address` at `level`, with tables above it. */
export const map = (store: Memory, tables: Tables, address: bigint, level: number, value: bigint): void => {
  const place = tables.place ?? ((at: bigint) => at);
  for (let at = tables.start; at < level; at++) store.words.set(place(entryAt(tables, address, at)), (tables.root + 0x10_0000n * BigInt(at + 1 - tables.start)) | (tables.above?.(at) ?? 0n) | 3n);
  store.words.set(place(entryAt(tables, address, level)), value);
};

export const AF = 1n << 10n;
export const ask = (store: Memory, registers: RegisterFile, address: bigint, rest: Partial<Transaction> = {}): Translation =>
  translate(store.read, settingsOf(registers), { sid: streamId(SID), op: "read", iova: iova(address), size: 4, ...rest });

const hex = (value: bigint): string => `0x${value.toString(16)}`;
/**
 * An outcome in a line, from the record's own bits: type; R or W, P or U, I or D; stage; class; input address; IPA of a
 * stage-2 fault; address of a failed fetch.
 */
export const brief = (translation: Translation): string => {
  if (translation.result === "ok") return `pa ${hex(translation.pa)}`;
  if (translation.result === "unsupported") return `unsupported: ${translation.why}`;
  const raz = translation.result === "abort" && translation.raz === true ? "raz" : translation.result;
  if (translation.event === undefined) return raz;
  const { raw, type } = translation.event;
  const ending = raz === "abort" ? "" : `${raz} `;
  if (type === "F_STE_FETCH" || type === "F_CD_FETCH") return `${ending}${type} at ${hex(raw[3])}`;
  if (!type.startsWith("F_") || type === "F_STREAM_DISABLED") return `${ending}${type}`;
  const { RnW, PnU, InD, S2, CLASS, InputAddr } = EventWalkAbort.decode(raw);
  const last = type === "F_WALK_EABT" ? ` at ${hex(raw[3])}` : S2 === 1n ? ` ipa ${hex(raw[3])}` : "";
  return `${ending}${type} ${RnW === 1n ? "R" : "W"}${PnU === 1n ? "P" : "U"}${InD === 1n ? "I" : "D"} s${S2 === 1n ? 2 : 1} ${String(CLASS)} ${hex(InputAddr)}${last}`;
};
/** The words of a record, as the architecture prints them. */
export const recordOf = (values: Parameters<typeof Event.encode>[0]): bigint[] => Event.encode(values);
