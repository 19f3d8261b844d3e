/**
 * The SMMUv3 driver: turns the kernel's decisions into steps (design D3b, D5). Each function is pure: equal arguments give
 * the very same array of the very same step objects, so that an explorer can tell step lists apart by identity.
 *
 * A stream table entry is one function of what the stream is bound to: V=1 Config=abort, or stage 2 with the VSpace's
 * root and the bank's VMID. Going to abort, the word that holds V and Config goes first and is made visible before the
 * others are cleared; going to stage 2 it goes last, behind a CFGI of its own: one fetch may combine words of any age since
 * the last CFGI (design D5), and a new VMID with an old root would fill the TLB with another's memory.
 */
import type { Step } from "../base/step.ts";
import { hex, type Pa, pa } from "../base/words.ts";
import { CommandCfgi, CommandCfgiRange, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { Cr0, Cr2, Gbpa, offsets, StrtabBase, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";
import { LeafDescriptor, TableDescriptor } from "../../specs/smmuv3/stage2.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import { READ_ONLY, READ_WRITE } from "./capability.ts";
import type { Plan } from "./plan.ts";
import type { Profile, Safeguard } from "./profile.ts";

/** What a kernel asks of the SMMU; each profile's machine has its own. */
export interface Driver {
  /** From reset to just before translation is on. */
  readonly reset: () => readonly Step[];
  /** Clears what the caches may hold from before, then turns translation on. */
  readonly enable: () => readonly Step[];
  /** The stream goes through a bank, which has a VSpace. */
  readonly bindStream: (sid: number, cb: number, vspace: number) => readonly Step[];
  readonly unbindStream: (sid: number) => readonly Step[];
  /** `streams` are bound to the bank at this moment; `asid` is the number of the VSpace's ASID. */
  readonly assignBank: (cb: number, vspace: number, streams: readonly number[], asid: number) => readonly Step[];
  readonly disableBank: (cb: number, vspace: number, streams: readonly number[], asid: number) => readonly Step[];
  readonly invalidateAll: () => readonly Step[];
  readonly invalidateBank: (cb: number, asid: number) => readonly Step[];
  /** The first IOVA under a page-table entry. `leaf`: only the last level; otherwise table descriptors on the way, too. */
  readonly invalidateIpa: (cb: number, entry: number, leaf: boolean, asid: number) => readonly Step[];
  readonly writePage: (table: number, entry: number, page: number, rights: number) => readonly Step[];
  readonly writeTable: (table: number, entry: number, page: number) => readonly Step[];
  readonly clearEntry: (table: number, entry: number) => readonly Step[];
  /** `size` in bytes; `name` for people. */
  readonly clearMemory: (address: Pa, size: bigint, name: string) => readonly Step[];
}

const STE_BYTES = 64n;
const PAGE_BITS = 12;
/** Words 1 to 3 say the rest of a stage-2 configuration; words 4 to 7 stay as the boot code left them, 0. */
const OTHER_WORDS = [1, 2, 3];

/** Unbound, or bound to a bank without a VSpace: valid, and every transaction aborts without an event. */
export const abortSte: readonly bigint[] = Ste.encode({ V: 1n, Config: "abort" });

/**
 * Bound and assigned: 44-bit stage 2, four levels of 4 KiB tables. S2R=1, S2S=0: faults abort and are recorded
 * (design D3b). Every word is what Linux stores for a coherent stage-2 domain on the same SMMU (arm-smmu-v3.c
 * `arm_smmu_make_s2_domain_ste`), but for the root and the VMID.
 */
export const stage2Ste = (root: Pa, vmid: number): readonly bigint[] =>
  Ste.encode({
    V: 1n,
    Config: "s2",
    S2VMID: BigInt(vmid),
    S2T0SZ: 20n,
    S2SL0: 2n,
    S2IR0: 1n,
    S2OR0: 1n,
    S2SH0: 3n,
    S2TG: "4K",
    S2PS: "44",
    S2AA64: 1n,
    S2PTW: 1n,
    S2R: 1n,
    S2TTB: root,
  });

/** A leaf: normal write-back memory, inner shareable, with the rights of the mapping; above the last level a block. */
export const pageDescriptor = (page: Pa, rights: number, bits = PAGE_BITS): bigint =>
  LeafDescriptor.encode({
    Type: bits === PAGE_BITS ? "page" : "block",
    MemAttr: "normalWriteBack",
    S2AP: rights === READ_WRITE ? "readWrite" : rights === READ_ONLY ? "readOnly" : "none",
    SH: "inner",
    AF: 1n,
    OutputAddress: page,
  })[0]!;
/** The descriptor of a page or block: physical address, VM rights, bits of its size. */
export type LeafEncoder = (page: Pa, rights: number, bits: number) => bigint;

export const tableDescriptor = (page: Pa): bigint => TableDescriptor.encode({ Type: "table", NextTable: page })[0]!;

const barrier: Step = { kind: "barrier" };

/** Remembers by a key of a few small integers, so that equal decisions are identical step lists. */
const rememberBelow = (limit: number) => (make: (...key: number[]) => Step[]): ((...key: number[]) => readonly Step[]) => {
  const known = new Map<number | string, readonly Step[]>();
  // At most four indices: one exact integer while they are small, text in a large system, which is not explored.
  const exact = limit ** 4 <= Number.MAX_SAFE_INTEGER;
  return (...key) => {
    const name = exact ? key.reduce((sum, index) => sum * limit + index, 0) : key.join(" ");
    let steps = known.get(name);
    if (steps === undefined) known.set(name, (steps = Object.freeze(make(...key))));
    return steps;
  };
};

const command = (smmu: number, words: readonly bigint[], what: string): Step => ({ kind: "command", smmu, words: [words[0]!, words[1]!], what });
const register = (smmu: number, offset: number, value: bigint, size: 4 | 8 = 4): Step => ({ kind: "register", smmu, offset, value, size });

/** Stores to tables and memory: the same for every SMMU. */
export const tableStores = (plan: Plan, leaf: LeafEncoder = pageDescriptor): Pick<Driver, "writePage" | "writeTable" | "clearEntry" | "clearMemory"> => {
  const remember = rememberBelow(indexLimit(plan));
  const pageAt = (page: number): Pa => plan.pages[page]!.pa;
  const storeEntry = (table: number, entry: number, value: bigint): Step => {
    const { level, index, vspace } = plan.entries[entry]!;
    return { kind: "store", addr: pa(pageAt(table) + BigInt(index * 8)), value, what: `L${level}[${index}] of ${plan.vspaces[vspace]!.name}` };
  };
  const writePage = remember((table, entry, page, rights) => [storeEntry(table, entry, leaf(pageAt(page), rights, plan.pages[page]!.bits)), barrier]);
  const writeTable = remember((table, entry, page) => [storeEntry(table, entry, tableDescriptor(pageAt(page))), barrier]);
  const clearEntry = remember((table, entry) => [storeEntry(table, entry, 0n), barrier]);
  const cleared = new Map<string, readonly Step[]>();
  return {
    writePage: (table, entry, page, rights) => writePage(table, entry, page, rights),
    writeTable: (table, entry, page) => writeTable(table, entry, page),
    clearEntry: (table, entry) => clearEntry(table, entry),
    clearMemory: (address, size, name) => {
      const key = `${address} ${size}`;
      let steps = cleared.get(key);
      if (steps === undefined) cleared.set(key, (steps = Object.freeze([{ kind: "fill", addr: address, size, pattern: [0n], what: `clear ${name}` }, barrier] as const)));
      return steps;
    },
  };
};
/** One more than the greatest index that a decision names. */
const indexLimit = (plan: Plan): number =>
  plan.open ? Number.POSITIVE_INFINITY : 1 + Math.max(plan.pages.length, plan.entries.length, plan.sids.length, plan.cbs.length, plan.vspaces.length, 3);

/** The steps of one system: a driver knows where its tables are. */
export const createDriver = (plan: Plan, profile: Profile): Driver => {
  const remember = rememberBelow(indexLimit(plan));
  const keeps = (safeguard: Safeguard) => profile.without !== safeguard;
  const steAt = (sid: number): Pa => {
    const { smmu, sid: number } = plan.sids[sid]!;
    return pa(plan.smmus[smmu]!.streamTable + BigInt(number) * STE_BYTES);
  };
  const storeSte = (sid: number, word: number, value: bigint): Step => ({
    kind: "store",
    addr: pa(steAt(sid) + BigInt(word * 8)),
    value,
    what: `STE[${hex(plan.sids[sid]!.sid)}].dw${word}`,
  });
  const invalidateSte = (sid: number): Step[] => {
    const { smmu, sid: number } = plan.sids[sid]!;
    const words = CommandCfgi.encode({ Op: BigInt(opcodes.CFGI_STE.code), SID: BigInt(number), Leaf: 1n });
    return [barrier, command(smmu, words, `CFGI_STE ${hex(number)}`), { kind: "sync", smmu }];
  };
  const tlbi = (cb: number, fields: Parameters<typeof CommandTlbi.encode>[0], what: string): Step[] => {
    const { smmu, vmid } = plan.cbs[cb]!;
    return [barrier, command(smmu, CommandTlbi.encode({ VMID: BigInt(vmid), ...fields }), `${what} VMID ${vmid}`), { kind: "sync", smmu }];
  };
  const otherWords = (sid: number, ste: readonly bigint[]): Step[] => OTHER_WORDS.map((word) => storeSte(sid, word, ste[word]!));

  const abortStream = remember((sid) => [storeSte(sid, 0, abortSte[0]!), ...invalidateSte(sid), ...otherWords(sid, abortSte)]);
  const routeStream = remember((sid, cb, vspace) => {
    const ste = stage2Ste(plan.pages[plan.vspaces[vspace]!.page]!.pa, plan.cbs[cb]!.vmid);
    // A fetch may mix words of different ages since the last CFGI, so the other words are made the only visible ones first.
    const published = keeps("ste-words-before-config") ? invalidateSte(sid) : [barrier];
    return [...otherWords(sid, ste), ...published, storeSte(sid, 0, ste[0]!), ...invalidateSte(sid)];
  });
  const invalidateVmid = remember((cb) => tlbi(cb, { Op: BigInt(opcodes.TLBI_S12_VMALL.code) }, "TLBI_S12_VMALL"));
  const invalidateIpa = remember((cb, entry, leaf) =>
    tlbi(cb, { Op: BigInt(opcodes.TLBI_S2_IPA.code), Address: plan.entries[entry]!.address, Leaf: BigInt(leaf) }, `TLBI_S2_IPA ${hex(plan.entries[entry]!.address)} Leaf=${leaf}`),
  );
  const everything = remember((smmu) => [barrier, command(smmu, CommandTlbi.encode({ Op: BigInt(opcodes.TLBI_NSNH_ALL.code) }), "TLBI_NSNH_ALL"), { kind: "sync", smmu }]);
  const betweenVspaces = (cb: number): readonly Step[] => (keeps("vmid-cleared-between-vspaces") ? invalidateVmid(cb) : []);
  return {
    ...tableStores(plan),
    reset: () => plan.smmus.flatMap((_, smmu) => resetSteps(plan, smmu)),
    enable: () => plan.smmus.flatMap((_, smmu) => enableSteps(smmu)),
    bindStream: (sid, cb, vspace) => routeStream(sid, cb, vspace),
    unbindStream: (sid) => (keeps("unbind-clears-ste") ? abortStream(sid) : []),
    assignBank: (cb, vspace, streams) => [...betweenVspaces(cb), ...streams.flatMap((sid) => routeStream(sid, cb, vspace))],
    // Bound streams go to abort first (design D7 (a)), then what the VMID cached goes: in the other order a walk in
    // between would fill the cache again.
    disableBank: (cb, _, streams) => [
      ...(profile.unassignAborts && keeps("unassign-aborts-streams") ? streams.flatMap((sid) => abortStream(sid)) : []),
      ...betweenVspaces(cb),
    ],
    invalidateAll: () => plan.smmus.flatMap((_, smmu) => everything(smmu)),
    invalidateBank: (cb) => invalidateVmid(cb),
    invalidateIpa: (cb, entry, leaf) => invalidateIpa(cb, entry, Number(leaf)),
  };
};

/** Before translation is on: abort what comes (design D7 (d)), write an abort entry for every stream, name the table. */
const resetSteps = (plan: Plan, smmu: number): Step[] => {
  const { streamTable, log2Size } = plan.smmus[smmu]!;
  return [
    register(smmu, offsets.GBPA, Gbpa.encode({ ABORT: 1n, SHCFG: 1n, Update: 1n })[0]!),
    { kind: "fill", addr: streamTable, size: STE_BYTES << BigInt(log2Size), pattern: abortSte, what: "stream table: every entry aborts" },
    register(smmu, offsets.CR2, Cr2.encode({ RECINVSID: 1n, PTM: 1n })[0]!),
    register(smmu, offsets.STRTAB_BASE, StrtabBase.encode({ ADDR: streamTable })[0]!, 8),
    register(smmu, offsets.STRTAB_BASE_CFG, StrtabBaseCfg.encode({ FMT: "linear", LOG2SIZE: BigInt(log2Size) })[0]!),
  ];
};

/** SMMUEN implies no invalidation: what the caches hold from before the boot must go first. */
const enableSteps = (smmu: number): Step[] => [
  barrier,
  command(smmu, CommandCfgiRange.encode({ Op: BigInt(opcodes.CFGI_STE_RANGE.code), Range: 31n }), "CFGI_ALL"),
  command(smmu, CommandTlbi.encode({ Op: BigInt(opcodes.TLBI_NSNH_ALL.code) }), "TLBI_NSNH_ALL"),
  { kind: "sync", smmu },
  register(smmu, offsets.CR0, Cr0.encode({ SMMUEN: 1n })[0]!),
];
