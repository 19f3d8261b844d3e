/**
 * Table walks over the bits in memory (DDI 0487 "VMSAv8-64"; IHI 0070 section 7.3.22 for which fault comes first: level by
 * level External abort, Translation, Address size; then Access flag and Permission of the last descriptor).
 */
import type { Access } from "../base/transaction.ts";
import { type Stage1Memory, stage1Memory, type Stage2Memory, stage2Memory } from "./attributes.ts";
import { rootBytes, type Stage2 } from "./configuration.ts";
import type { Context, Half } from "./context.ts";
import { byteSwapped, type Descriptor, type Form, type Granule, type Hierarchy, hierarchyOf, leafFlags, type LeafFlags, levelShift, NO_HIERARCHY, shapeOf, type Stage1Leaf, stage1Leaf, type Stage2Rights, stage2Rights, under } from "./descriptor.ts";
import type { Read, Via } from "./memory.ts";
import type { Quirks } from "./quirks.ts";

/** A store that hardware makes to a descriptor: an access flag, a dirty state. */
export interface Update {
  readonly addr: bigint;
  readonly value: bigint;
}

/** Where a walk begins below its root, by a table descriptor that was kept. */
export interface Begin {
  readonly level: number;
  readonly table: bigint;
  readonly above: Hierarchy;
  readonly via: Via;
}
/** What a walk meets that may be kept. */
export interface Trail {
  readonly begin?: Begin;
  /** A table descriptor at `level`; the table is one level further. */
  readonly table: (level: number, next: bigint, above: Hierarchy, via: Via) => void;
  /** The descriptor at physical address `at` that ended the walk, leaf or not: its neighbours may be marked contiguous. */
  readonly last: (level: number, at: bigint, above: Hierarchy) => void;
}
/** What is asked of the walk: a read or a write, and for reads whether it fetches instructions, and for whom. */
export interface Asked {
  readonly op: Access;
  readonly priv?: boolean;
  readonly instr?: boolean;
  /** The SMMU's own look-ahead: no right stops it. */
  readonly probe?: true;
}

export type WalkFault = "F_TRANSLATION" | "F_ADDR_SIZE" | "F_ACCESS" | "F_PERMISSION";

const below = (bits: bigint): bigint => (1n << bits) - 1n;
const AF = 1n << 10n;
const READ_ONLY = 1n << 7n;

export const formOf = ({ granule, wide }: Form): Form => ({ granule, wide });
const wordAt = (read: Read, at: bigint, bigEndian: boolean): bigint | undefined => {
  const value = read(at);
  return value === undefined || !bigEndian ? value : byteSwapped(value);
};

// Stage 2.

/** The fault that a stage-2 descriptor is in a regime, before access rights are asked. */
export const descriptorFault = (descriptor: Descriptor, regime: Stage2): "F_TRANSLATION" | "F_ADDR_SIZE" | "F_ACCESS" | undefined => {
  if (descriptor.is === "invalid") return "F_TRANSLATION";
  const address = descriptor.is === "table" ? descriptor.next : descriptor.pa;
  if (address >> BigInt(regime.outputBits) !== 0n) return "F_ADDR_SIZE";
  return descriptor.is === "leaf" && !descriptor.accessed && !regime.ignoreAccessFlag && !regime.setsAccessFlag ? "F_ACCESS" : undefined;
};

/** XN[1:0] with XNX: 0 all may execute, 1 only unprivileged, 2 none, 3 only privileged; without XNX bit 1 alone forbids. */
const mayExecute = (executeNever: number, privileged: boolean, byPrivilege: boolean): boolean => {
  if (!byPrivilege) return executeNever < 2;
  return executeNever === 0 || (executeNever === 1 && !privileged) || (executeNever === 3 && privileged);
};
/** Whether stage 2 allows an access. An instruction read asks for execution alone (DDI 0487 J1.1 AArch64.S2CheckPermissions). */
export const permits2 = (rights: Stage2Rights, executeByPrivilege: boolean, { op, priv, instr, probe }: Asked, quirks: Quirks = {}): boolean =>
  probe === true ||
  (op === "read" && instr === true && quirks.privilegedDataOnly !== true ? mayExecute(rights.executeNever, priv === true, executeByPrivilege) : rights[op]);
/** Whether some transaction may read: as data, or as an instruction of whatever privilege. */
export const readable2 = (rights: Stage2Rights, executeByPrivilege: boolean): boolean =>
  rights.read || mayExecute(rights.executeNever, true, executeByPrivilege) || mayExecute(rights.executeNever, false, executeByPrivilege);

/** A leaf that stage 2 found. */
export interface Leaf2 {
  readonly ipa: bigint;
  readonly pa: bigint;
  readonly size: bigint;
  readonly level: number;
  readonly rights: Stage2Rights;
  readonly memory: Stage2Memory;
  readonly via: Via;
}
export type Walk2 =
  | { readonly result: "ok"; readonly leaf: Leaf2; readonly via: readonly Via[]; readonly update?: Update }
  | { readonly result: "fault"; readonly fault: WalkFault; readonly via: readonly Via[] }
  /** A table fetch met a bus abort. */
  | { readonly result: "external"; readonly fetch: bigint; readonly via: readonly Via[] };

export const descriptorName = (level: number, stage: 1 | 2 = 2): string => `stage-${stage} level ${level} descriptor`;

/** Address of the entry for `address` in a stage-2 table at `level`; the root may be several tables side by side. */
const entry2 = (regime: Stage2, table: bigint, level: number, address: bigint, quirks: Quirks): bigint => {
  const stride = BigInt(regime.granule - 3);
  const index = address >> levelShift(level, regime.granule);
  if (level !== regime.startLevel) return table + 8n * (index & below(stride));
  const joined = index >> stride;
  if (!quirks.concatenationIgnored || joined === 0n) return table + 8n * index;
  // Aligned to all tables together after the index was added: the first table, or one that a misaligned base leads to.
  const aligned = (regime.base + (joined << (stride + 3n))) & ~(rootBytes(regime) - 1n);
  return aligned + 8n * (index & below(stride));
};

/** A leaf's rights as this access changes them: a write makes a page dirty where hardware manages that. */
const updated2 = (value: bigint, rights: Stage2Rights, flags: LeafFlags, regime: Stage2, { op }: Asked): { readonly rights: Stage2Rights; readonly value: bigint } => {
  const dirties = op === "write" && flags.dirtyModifier && !rights.write && regime.setsDirtyState;
  const touched = !flags.accessed && regime.setsAccessFlag ? value | AF : value;
  return dirties ? { rights: { ...rights, write: true }, value: touched | (1n << 7n) } : { rights, value: touched };
};

type LeafFault = "F_ADDR_SIZE" | "F_ACCESS" | "F_PERMISSION" | undefined;
/** Which of three faults is told of a leaf that may have several. */
const firstOf = (size: LeafFault, access: LeafFault, permission: LeafFault, quirks: Quirks): LeafFault => (quirks.addressSizeLast ? (access ?? permission ?? size) : (size ?? access ?? permission));

/** Translates one intermediate physical address. */
export const walkStage2 = (read: Read, regime: Stage2, address: bigint, asked: Asked, quirks: Quirks = {}, trail?: Trail): Walk2 => {
  const via: Via[] = [];
  if (address >> BigInt(regime.inputBits) !== 0n) return { result: "fault", fault: "F_TRANSLATION", via };
  const form = formOf(regime);
  const begin = trail?.begin;
  if (begin !== undefined) via.push(begin.via);
  let table = begin?.table ?? regime.root;
  for (let level = begin?.level ?? regime.startLevel; ; level++) {
    const at = entry2(regime, table, level, address, quirks);
    const value = wordAt(read, at, regime.bigEndian);
    if (value === undefined) return { result: "external", fetch: at, via };
    const step: Via = { what: descriptorName(level), addr: at, value };
    via.push(step);
    const shape = shapeOf(value, level, form, quirks);
    if (shape.is !== "table") trail?.last(level, at, NO_HIERARCHY);
    if (shape.is === "invalid") return { result: "fault", fault: "F_TRANSLATION", via };
    const target = shape.is === "table" ? shape.next : shape.pa;
    const size: LeafFault = target >> BigInt(regime.outputBits) === 0n ? undefined : "F_ADDR_SIZE";
    if (shape.is === "table") {
      if (size !== undefined && !quirks.addressSizeLast) return { result: "fault", fault: size, via };
      table = shape.next;
      trail?.table(level, table, NO_HIERARCHY, step);
      continue;
    }
    const flags = leafFlags(value);
    const { rights, value: now } = updated2(value, stage2Rights(value), flags, regime, asked);
    const access: LeafFault = flags.accessed || regime.ignoreAccessFlag || regime.setsAccessFlag ? undefined : "F_ACCESS";
    const permission: LeafFault = permits2(rights, regime.executeByPrivilege, asked, quirks) ? undefined : "F_PERMISSION";
    const fault = firstOf(size, access, permission, quirks);
    if (fault !== undefined) return { result: "fault", fault, via };
    const leaf: Leaf2 = { ipa: address & ~(shape.size - 1n), pa: shape.pa, size: shape.size, level, rights, memory: stage2Memory(value, regime), via: step };
    return { result: "ok", leaf, via, ...(now === value ? {} : { update: { addr: at, value: regime.bigEndian ? byteSwapped(now) : now } }) };
  }
};

// Stage 1.

/** Rights of a stage-1 leaf with those of the tables above it. */
export interface Stage1Rights {
  readonly readOnly: boolean;
  readonly unprivileged: boolean;
  readonly privilegedExecuteNever: boolean;
  readonly unprivilegedExecuteNever: boolean;
  /** Writable as soon as it is written (DBM): counts as writable where that forbids execution. */
  readonly writableClean: boolean;
}
/** What of a context decides about rights; part of what is kept, since rights are judged at a TLB hit, too. */
export type Regime1 = Pick<Context, "world" | "writableNeverExecutes" | "privilegedNever">;

const mayFetch = (rights: Stage1Rights, { world, writableNeverExecutes }: Regime1, privileged: boolean): boolean => {
  const writable = !rights.readOnly || rights.writableClean;
  if (world === "EL2") return !rights.unprivilegedExecuteNever && !(writableNeverExecutes && writable);
  const unprivilegedWrites = rights.unprivileged && writable;
  if (privileged) return !rights.privilegedExecuteNever && !unprivilegedWrites && !(writableNeverExecutes && writable);
  return !rights.unprivilegedExecuteNever && !(writableNeverExecutes && unprivilegedWrites);
};
/** Whether stage 1 allows an access (DDI 0487 section D8.4 "Memory access control"). A write is data, whatever it says. */
export const permits1 = (rights: Stage1Rights, regime: Regime1, { op, priv, instr, probe }: Asked, quirks: Quirks = {}): boolean => {
  if (probe === true) return true;
  if (quirks.privilegedDataOnly) return op === "read" || !rights.readOnly;
  const privileged = priv === true || regime.world === "EL2";
  if (op === "read" && instr === true) return mayFetch(rights, regime, privileged);
  if (privileged && regime.privilegedNever && rights.unprivileged) return false;
  return (privileged || rights.unprivileged) && (op === "read" || !rights.readOnly);
};

/** A leaf that stage 1 found; its output is an IPA where stage 2 follows. */
export interface Leaf1 {
  readonly iova: bigint;
  readonly output: bigint;
  readonly size: bigint;
  readonly level: number;
  readonly granule: Granule;
  readonly rights: Stage1Rights;
  readonly notGlobal: boolean;
  readonly memory: Stage1Memory;
  readonly via: Via;
}

/** Where a table entry lies in physical memory, or a refusal that is the caller's. */
export type Placed<R> = { readonly result: "at"; readonly addr: bigint } | { readonly result: "refused"; readonly refusal: R };
/** How stage-1 tables are reached: as they are, or through stage 2. */
export interface Tables<R> {
  readonly read: Read;
  /** The physical address of an entry of a table, or of a whole table; to be written where hardware updates it. */
  readonly place: (address: bigint, op: Access) => Placed<R>;
  /** Physical address of the root, where it was translated before (a quirk). */
  readonly root?: bigint;
}
export type Walk1<R> =
  | { readonly result: "ok"; readonly leaf: Leaf1; readonly via: readonly Via[]; readonly update?: Update }
  | { readonly result: "fault"; readonly fault: WalkFault; readonly via: readonly Via[] }
  | { readonly result: "external"; readonly fetch: bigint; readonly via: readonly Via[] }
  | { readonly result: "refused"; readonly refusal: R; readonly via: readonly Via[] };

const TAG_LOW = 56n;
/** The half that an address lies in, by its sign (IHI 0070 section 3.4.1); undefined outside both, or where walks are disabled. */
export const halfFor = (context: Context, address: bigint): Half | undefined => {
  const which = (address >> 55n) & 1n;
  const half = which === 1n ? context.halves[1] : context.halves[0];
  if (half === undefined) return undefined;
  const top = context.tagged[which === 1n ? 1 : 0] ? TAG_LOW : 64n;
  const upper = (address & below(top)) >> BigInt(half.inputBits);
  return upper === (which === 1n ? below(top - BigInt(half.inputBits)) : 0n) ? half : undefined;
};

/** An address with its ignored top byte as the sign: what is translated and kept (IHI 0070 section 3.4.1). */
export const untagged = (context: Context, address: bigint): bigint => {
  const upper = (address >> 55n) & 1n;
  if (!context.tagged[upper === 1n ? 1 : 0]) return address;
  return upper === 1n ? address | (0xffn << TAG_LOW) : address & below(TAG_LOW);
};

const updated1 = (value: bigint, leaf: Stage1Leaf, context: Context, { op }: Asked, tablesReadOnly: boolean): { readonly readOnly: boolean; readonly value: bigint } => {
  const dirties = op === "write" && leaf.dirtyModifier && leaf.readOnly && context.setsDirtyState && !tablesReadOnly;
  const touched = !leaf.accessed && context.setsAccessFlag ? value | AF : value;
  return dirties ? { readOnly: false, value: touched & ~READ_ONLY } : { readOnly: leaf.readOnly, value: touched };
};

/** Rights as they are judged and kept; a quirk leaves the tables' out, having judged them on the way. */
const rightsOf = (leaf: Stage1Leaf, readOnly: boolean, above: Hierarchy, context: Context, quirks: Quirks): Stage1Rights =>
  quirks.tableRightsNotKept
    ? { ...leaf, readOnly, writableClean: false }
    : {
        writableClean: leaf.dirtyModifier && context.setsDirtyState && !above.readOnly,
        readOnly: readOnly || above.readOnly,
        unprivileged: leaf.unprivileged && !above.noUnprivileged,
        privilegedExecuteNever: leaf.privilegedExecuteNever || above.privilegedExecuteNever,
        unprivilegedExecuteNever: leaf.unprivilegedExecuteNever || above.unprivilegedExecuteNever,
      };

/** Rights of a leaf that no access is judged by yet. */
export const rightsUnder = (leaf: Stage1Leaf, above: Hierarchy, context: Context, quirks: Quirks): Stage1Rights => rightsOf(leaf, leaf.readOnly, above, context, quirks);

/** Translates one virtual address by tables that may themselves lie behind stage 2. */
export const walkStage1 = <R>(tables: Tables<R>, context: Context, address: bigint, asked: Asked, quirks: Quirks = {}, trail?: Trail): Walk1<R> => {
  const via: Via[] = [];
  const half = halfFor(context, address);
  if (half === undefined || (half.unprivilegedDenied && asked.priv !== true)) return { result: "fault", fault: "F_TRANSLATION", via };
  const { granule } = half;
  const form = formOf(half);
  const within = address & below(BigInt(half.inputBits));
  const begin = trail?.begin;
  if (begin !== undefined) via.push(begin.via);
  let table = begin?.table ?? half.root;
  let above = begin?.above ?? NO_HIERARCHY;
  /** The place of an entry; a quirk translates the table's base alone. */
  const placed = (offset: bigint, level: number): Placed<R> => {
    if (level === half.startLevel && tables.root !== undefined) return { result: "at", addr: tables.root + offset };
    if (!quirks.tablePageTranslatedOnce) return tables.place(table + offset, "read");
    const base = tables.place(table, "read");
    return base.result === "at" ? { result: "at", addr: base.addr + offset } : base;
  };
  for (let level = begin?.level ?? half.startLevel; ; level++) {
    const index = (within >> levelShift(level, granule)) & below(BigInt(granule - 3));
    const entry = placed(8n * index, level);
    if (entry.result === "refused") return { result: "refused", refusal: entry.refusal, via };
    const value = wordAt(tables.read, entry.addr, context.bigEndian);
    if (value === undefined) return { result: "external", fetch: entry.addr, via };
    const step: Via = { what: descriptorName(level, 1), addr: entry.addr, value };
    via.push(step);
    const shape = shapeOf(value, level, form, quirks);
    if (shape.is !== "table") trail?.last(level, entry.addr, above);
    if (shape.is === "invalid") return { result: "fault", fault: "F_TRANSLATION", via };
    const target = shape.is === "table" ? shape.next : shape.pa;
    const size: LeafFault = target >> BigInt(half.outputBits) === 0n ? undefined : "F_ADDR_SIZE";
    if (shape.is === "table") {
      const hierarchy = half.hierarchyIgnored ? NO_HIERARCHY : hierarchyOf(value);
      if (quirks.tableRightsAtOnce && hierarchy.readOnly && asked.op === "write") return { result: "fault", fault: "F_PERMISSION", via };
      if (size !== undefined && !quirks.addressSizeLast) return { result: "fault", fault: size, via };
      above = under(above, hierarchy);
      table = shape.next;
      trail?.table(level, table, above, step);
      continue;
    }
    const leaf = stage1Leaf(value);
    const { readOnly, value: now } = updated1(value, leaf, context, asked, above.readOnly);
    const rights = rightsOf(leaf, readOnly, above, context, quirks);
    const access: LeafFault = leaf.accessed || context.ignoreAccessFlag || context.setsAccessFlag ? undefined : "F_ACCESS";
    const fault = firstOf(size, access, permits1(rights, context, asked, quirks) ? undefined : "F_PERMISSION", quirks);
    if (fault !== undefined) return { result: "fault", fault, via };
    const found: Leaf1 = { iova: address & ~(shape.size - 1n), output: shape.pa, size: shape.size, level, granule, rights, notGlobal: leaf.notGlobal, memory: stage1Memory(value, context), via: step };
    if (now === value) return { result: "ok", leaf: found, via };
    // Hardware writes the descriptor, so its own place must be writable (IHI 0070 section 3.13).
    const written = tables.place(table + 8n * index, "write");
    if (written.result === "refused") return { result: "refused", refusal: written.refusal, via };
    return { result: "ok", leaf: found, via, update: { addr: entry.addr, value: context.bigEndian ? byteSwapped(now) : now } };
  }
};
