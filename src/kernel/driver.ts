/**
 * The SMMUv3 driver: turns the kernel's decisions into steps (design D3b, D5). Each function is pure: equal arguments give
 * the very same array of the very same step objects, so that an explorer can tell step lists apart by identity.
 *
 * A stream table entry is one function of what the stream is bound to: V=1 Config=abort, or stage 2 with the VSpace's
 * root and the bank's VMID. Going to abort, the word that holds V and Config goes first and is made visible before the
 * others are cleared; going to stage 2 it goes last, behind a CFGI of its own: one fetch may combine words of any age since
 * the last CFGI (design D5), and a new VMID with an old root would fill the TLB with another's memory. A bank with a CD
 * table is the same with stage 1 before it. CFGI_STE takes the context descriptors of its stream along.
 */
import { NONE } from "../base/state.ts";
import type { Step } from "../base/step.ts";
import { hex, type Pa, pa } from "../base/words.ts";
import { CommandCfgi, CommandCfgiCd, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { LeafDescriptor, TableDescriptor } from "../../specs/smmuv3/stage2.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import { READ_ONLY, READ_WRITE } from "./capability.ts";
import { type CdTable, type Plan, streamIds } from "./plan.ts";
import type { Profile, Safeguard } from "./profile.ts";
import { abortSte, barrier, clearErrorSteps, command, disableSteps, enableSteps, resetSteps, skipCommandSteps, STE_BYTES } from "./smmuReset.ts";

/** What a kernel asks of the SMMU; each profile's machine has its own. */
export interface Driver {
  /** From reset to just before translation is on. */
  readonly reset: () => readonly Step[];
  /** Clears what the caches may hold from before, then turns translation on. */
  readonly enable: () => readonly Step[];
  /** The stream goes through a bank, which has a VSpace and perhaps a CD table. */
  readonly bindStream: (sid: number, cb: number, vspace: number, cdTable?: number) => readonly Step[];
  readonly unbindStream: (sid: number) => readonly Step[];
  /** `streams` are bound to the bank at this moment; `asid` is the number of the VSpace's ASID. */
  readonly assignBank: (cb: number, vspace: number, streams: readonly number[], asid: number) => readonly Step[];
  readonly disableBank: (cb: number, vspace: number, streams: readonly number[], asid: number) => readonly Step[];
  /** The bank, which has a VSpace, gets a CD table. */
  readonly nestBank: (cb: number, vspace: number, cdTable: number, streams: readonly number[]) => readonly Step[];
  /** What is cached of the streams' context descriptors goes. */
  readonly invalidateContexts: (streams: readonly number[]) => readonly Step[];
  readonly invalidateAll: () => readonly Step[];
  readonly invalidateBank: (cb: number, asid: number) => readonly Step[];
  /**
   * The first IOVA under a page-table entry. `leaf`: only the last level; otherwise table descriptors on the way, too.
   * `nested`: the bank has a CD table.
   */
  readonly invalidateIpa: (cb: number, entry: number, leaf: boolean, asid: number, nested?: boolean) => readonly Step[];
  /** `attributes`: CACHEABLE and EXECUTE_NEVER. */
  readonly writePage: (table: number, entry: number, page: number, rights: number, attributes: number) => readonly Step[];
  readonly writeTable: (table: number, entry: number, page: number) => readonly Step[];
  readonly clearEntry: (table: number, entry: number) => readonly Step[];
  /** `size` in bytes; `name` for people. */
  readonly clearMemory: (address: Pa, size: bigint, name: string) => readonly Step[];
  /** Of one SMMU, by number: translation off; set up anew, with no stream bound; errors (smmuReset.ts). */
  readonly disable: (smmu: number) => readonly Step[];
  readonly initialise: (smmu: number) => readonly Step[];
  readonly skipCommand: (smmu: number) => readonly Step[];
  readonly clearErrors: (smmu: number) => readonly Step[];
}

const PAGE_BITS = 12;
/** Words 1 to 3 say the rest of a stage-2 configuration; words 4 to 7 stay as the boot code left them, 0. */
const OTHER_WORDS = [1, 2, 3];

/**
 * Bound and assigned: 44-bit stage 2, four levels of 4 KiB tables. S2R=1, S2S=0: faults abort and are recorded
 * (design D3b). Every word is what Linux stores for a coherent stage-2 domain on the same SMMU (arm-smmu-v3.c
 * `arm_smmu_make_s2_domain_ste`), but for the root and the VMID.
 */
export const stage2Ste = (root: Pa, vmid: number): readonly bigint[] => Ste.encode({ V: 1n, Config: "s2", ...stage2Fields(root, vmid) });
const stage2Fields = (root: Pa, vmid: number) =>
  ({ S2VMID: BigInt(vmid), S2T0SZ: 20n, S2SL0: 2n, S2IR0: 1n, S2OR0: 1n, S2SH0: 3n, S2TG: "4K", S2PS: "44", S2AA64: 1n, S2PTW: 1n, S2R: 1n, S2TTB: root }) as const;

/**
 * With a CD table: stage 1 as the guest says, every address of it through the same stage 2. Descriptors are fetched as
 * Linux has it on a coherent SMMU: write-back, inner shareable. S1STALLD stays 0: an SMMU that cannot stall refuses a 1.
 */
export const nestedSte = (root: Pa, vmid: number, table: CdTable): readonly bigint[] =>
  Ste.encode({ V: 1n, Config: "nested", ...table, S1CIR: 1n, S1COR: 1n, S1CSH: 3n, ...stage2Fields(root, vmid) });

/** What a mapping says beyond rights: bits of `attributes`. */
export const CACHEABLE = 1;
export const EXECUTE_NEVER = 2;

/**
 * A stage-2 leaf: write-back memory or a device's, inner shareable, with the rights of the mapping; above the last level a
 * block. Stage 2 lets an instruction read through wherever XN is 0, whatever S2AP says (DDI 0487, stage 2 instruction access
 * permissions), so a page without rights is execute-never, too, unless the profile leaves that out.
 */
export const pageDescriptor = (page: Pa, rights: number, bits = PAGE_BITS, attributes = CACHEABLE, noRightsNoFetch = true): bigint => {
  const none = rights !== READ_WRITE && rights !== READ_ONLY;
  return LeafDescriptor.encode({
    Type: bits === PAGE_BITS ? "page" : "block",
    MemAttr: (attributes & CACHEABLE) === 0 ? "deviceNGnRnE" : "normalWriteBack",
    S2AP: rights === READ_WRITE ? "readWrite" : rights === READ_ONLY ? "readOnly" : "none",
    SH: "inner",
    AF: 1n,
    XN: (attributes & EXECUTE_NEVER) !== 0 || (none && noRightsNoFetch) ? XN_ALL : 0n,
    OutputAddress: page,
  })[0]!;
};
/** Neither privileged nor unprivileged; bit 54 alone, where privilege does not count. */
const XN_ALL = 2n;
/** The descriptor of a page or block: physical address, VM rights, bits of its size, attributes. */
export type LeafEncoder = (page: Pa, rights: number, bits: number, attributes: number) => bigint;

export const tableDescriptor = (page: Pa): bigint => TableDescriptor.encode({ Type: "table", NextTable: page })[0]!;

/** Remembers by a key of a few small integers, so that equal decisions are identical step lists. */
const rememberBelow = (limit: number) => (make: (...key: number[]) => Step[]): ((...key: number[]) => readonly Step[]) => {
  const known = new Map<number | string, readonly Step[]>();
  // At most five indices: one exact integer while they are small, text in a large system, which is not explored.
  const exact = limit ** 5 <= Number.MAX_SAFE_INTEGER;
  return (...key) => {
    const name = exact ? key.reduce((sum, index) => sum * limit + index, 0) : key.join(" ");
    let steps = known.get(name);
    if (steps === undefined) known.set(name, (steps = Object.freeze(make(...key))));
    return steps;
  };
};

/** Stores to tables and memory: the same for every SMMU. */
export const tableStores = (plan: Plan, leaf: LeafEncoder): Pick<Driver, "writePage" | "writeTable" | "clearEntry" | "clearMemory"> => {
  const remember = rememberBelow(indexLimit(plan));
  const pageAt = (page: number): Pa => plan.pages[page]!.pa;
  const storeEntry = (table: number, entry: number, value: bigint): Step => {
    const { level, index, vspace } = plan.entries[entry]!;
    return { kind: "store", addr: pa(pageAt(table) + BigInt(index * 8)), value, what: `L${level}[${index}] of ${plan.vspaces[vspace]!.name}` };
  };
  const writePage = remember((table, entry, page, rights, attributes) => [storeEntry(table, entry, leaf(pageAt(page), rights, plan.pages[page]!.bits, attributes)), barrier]);
  const writeTable = remember((table, entry, page) => [storeEntry(table, entry, tableDescriptor(pageAt(page))), barrier]);
  const clearEntry = remember((table, entry) => [storeEntry(table, entry, 0n), barrier]);
  const cleared = new Map<string, readonly Step[]>();
  return {
    writePage: (table, entry, page, rights, attributes) => writePage(table, entry, page, rights, attributes),
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
/** Leaves of a profile whose VSpaces are stage 2. */
export const stage2Leaf =
  ({ noRightsNoFetch }: Profile): LeafEncoder =>
  (page, rights, bits, attributes) =>
    pageDescriptor(page, rights, bits, attributes, noRightsNoFetch);

/** One more than the greatest index that a decision names. */
const indexLimit = (plan: Plan): number =>
  plan.open ? Number.POSITIVE_INFINITY : 1 + Math.max(plan.pages.length, plan.entries.length, plan.sids.length, plan.cbs.length, plan.vspaces.length, plan.cdTables.length, 3);

/** The steps of one system: a driver knows where its tables are. */
export const createDriver = (plan: Plan, profile: Profile): Driver => {
  const remember = rememberBelow(indexLimit(plan));
  const keeps = (safeguard: Safeguard) => profile.without !== safeguard;
  const aborts = profile.bootAborts && keeps("gbpa-aborts");
  /** StreamIDs of a SID that have an entry; the SMMU refuses those beyond the stream table. */
  const idsOf = (sid: number): readonly number[] => streamIds(plan.sids[sid]!).filter((id) => id < 2 ** plan.smmus[plan.sids[sid]!.smmu]!.log2Size);
  const forStream = (sid: number, make: (smmu: number, id: number) => readonly Step[]): Step[] => idsOf(sid).flatMap((id) => make(plan.sids[sid]!.smmu, id));
  const storeSte = (smmu: number, id: number, word: number, value: bigint): Step => ({
    kind: "store",
    addr: pa(plan.smmus[smmu]!.streamTable + BigInt(id) * STE_BYTES + BigInt(word * 8)),
    value,
    what: `STE[${hex(id)}].dw${word}`,
  });
  const otherWords = (smmu: number, id: number, ste: readonly bigint[]): Step[] => OTHER_WORDS.map((word) => storeSte(smmu, id, word, ste[word]!));
  const invalidateSte = (smmu: number, id: number): Step[] => {
    const words = CommandCfgi.encode({ Op: BigInt(opcodes.CFGI_STE.code), SID: BigInt(id), Leaf: 1n });
    return [...(keeps("barrier-before-cfgi") ? [barrier] : []), command(smmu, words, `CFGI_STE ${hex(id)}`), { kind: "sync", smmu }];
  };
  const tlbi = (cb: number, fields: Parameters<typeof CommandTlbi.encode>[0], what: string): Step[] => {
    const { smmu, vmid } = plan.cbs[cb]!;
    return [barrier, command(smmu, CommandTlbi.encode({ VMID: BigInt(vmid), ...fields }), `${what} VMID ${vmid}`), { kind: "sync", smmu }];
  };

  const abortStream = remember((sid) => forStream(sid, (smmu, id) => [storeSte(smmu, id, 0, abortSte[0]!), ...invalidateSte(smmu, id), ...otherWords(smmu, id, abortSte), barrier]));
  const publish = (smmu: number, id: number, ste: readonly bigint[]): Step[] => {
    // A fetch may mix words of different ages since the last CFGI, so the other words are made the only visible ones first.
    const published = keeps("ste-words-before-config") ? invalidateSte(smmu, id) : [barrier];
    return [...otherWords(smmu, id, ste), ...published, storeSte(smmu, id, 0, ste[0]!), ...invalidateSte(smmu, id)];
  };
  const rootOf = (vspace: number): Pa => plan.pages[plan.vspaces[vspace]!.page]!.pa;
  const routeStage2 = remember((sid, cb, vspace) => forStream(sid, (smmu, id) => publish(smmu, id, stage2Ste(rootOf(vspace), plan.cbs[cb]!.vmid))));
  const routeNested = remember((sid, cb, vspace, table) => forStream(sid, (smmu, id) => publish(smmu, id, nestedSte(rootOf(vspace), plan.cbs[cb]!.vmid, plan.cdTables[table]!))));
  const routeStream = (sid: number, cb: number, vspace: number, table: number): readonly Step[] => (table === NONE ? routeStage2(sid, cb, vspace) : routeNested(sid, cb, vspace, table));

  const invalidateContexts = remember((sid) =>
    forStream(sid, (smmu, id) => [barrier, command(smmu, CommandCfgiCd.encode({ Op: BigInt(opcodes.CFGI_CD_ALL.code), SID: BigInt(id) }), `CFGI_CD_ALL ${hex(id)}`), { kind: "sync", smmu }]),
  );
  const invalidateVmid = remember((cb) => tlbi(cb, { Op: BigInt(opcodes.TLBI_S12_VMALL.code) }, "TLBI_S12_VMALL"));
  // One address. As a range it would need a level where Num and Scale are 0 (IHI 0070 section 4.4.1.1).
  const extent = keeps("range-names-a-level") ? {} : ({ TG: "4K" } as const);
  const invalidateStage2 = remember((cb, entry, leaf) =>
    tlbi(cb, { Op: BigInt(opcodes.TLBI_S2_IPA.code), Address: plan.entries[entry]!.address, Leaf: BigInt(leaf), ...extent }, `TLBI_S2_IPA ${hex(plan.entries[entry]!.address)} Leaf=${leaf}`),
  );
  // Entries that hold both stages are found by the guest's address alone, so all of the VMID's go; behind a SYNC of the
  // first command, or one more could be made of what it has not removed yet.
  const invalidateBoth = remember((cb, entry, leaf) => [...invalidateStage2(cb, entry, leaf), ...tlbi(cb, { Op: BigInt(opcodes.TLBI_NH_ALL.code) }, "TLBI_NH_ALL").slice(1)]);
  const everything = remember((smmu) => [barrier, command(smmu, CommandTlbi.encode({ Op: BigInt(opcodes.TLBI_NSNH_ALL.code) }), "TLBI_NSNH_ALL"), { kind: "sync", smmu }]);
  const betweenVspaces = (cb: number): readonly Step[] => (keeps("vmid-cleared-between-vspaces") ? invalidateVmid(cb) : []);
  // Bound streams go to abort first (design D7 (a)), then what the VMID cached goes: in the other order a walk in
  // between would fill the cache again.
  const disableBank = (cb: number, streams: readonly number[]): readonly Step[] => [
    ...(profile.unassignAborts && keeps("unassign-aborts-streams") ? streams.flatMap((sid) => abortStream(sid)) : []),
    ...betweenVspaces(cb),
  ];
  const disable = remember((smmu) => disableSteps(smmu));
  const initialise = remember((smmu) => [...disableSteps(smmu), ...resetSteps(plan, smmu, aborts), ...enableSteps(smmu)]);
  const skipCommand = remember((smmu) => skipCommandSteps(smmu));
  const clearErrors = remember((smmu) => clearErrorSteps(smmu));
  return {
    ...tableStores(plan, stage2Leaf(profile)),
    reset: () => plan.smmus.flatMap((_, smmu) => resetSteps(plan, smmu, aborts)),
    enable: () => plan.smmus.flatMap((_, smmu) => enableSteps(smmu)),
    bindStream: (sid, cb, vspace, cdTable = NONE) => routeStream(sid, cb, vspace, cdTable),
    unbindStream: (sid) => (keeps("unbind-clears-ste") ? abortStream(sid) : []),
    assignBank: (cb, vspace, streams) => [...betweenVspaces(cb), ...streams.flatMap((sid) => routeStream(sid, cb, vspace, NONE))],
    disableBank: (cb, _, streams) => disableBank(cb, streams),
    // Off and on again (design D3b); what the VMID has cached goes once, between the two.
    nestBank: (cb, vspace, cdTable, streams) => [...disableBank(cb, streams), ...streams.flatMap((sid) => routeStream(sid, cb, vspace, cdTable))],
    invalidateContexts: (streams) => streams.flatMap((sid) => invalidateContexts(sid)),
    invalidateAll: () => plan.smmus.flatMap((_, smmu) => everything(smmu)),
    invalidateBank: (cb) => invalidateVmid(cb),
    invalidateIpa: (cb, entry, leaf, _, nested = false) => (nested ? invalidateBoth : invalidateStage2)(cb, entry, Number(leaf)),
    disable: (smmu) => disable(smmu),
    initialise: (smmu) => initialise(smmu),
    skipCommand: (smmu) => skipCommand(smmu),
    clearErrors: (smmu) => clearErrors(smmu),
  };
};
