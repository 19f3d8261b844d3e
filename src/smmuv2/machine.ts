/**
 * The machine that a kernel's steps act on: memory, registers, what each TLB could hold, and invalidations that wait for a
 * SYNC. States are immutable and interned, so executing a step list is a few look-ups once it has been seen (design D6).
 *
 * After every step the may-cache set is closed: an enabled bank may be walked at any time, used or not (IHI 0062 D.c section
 * 5.1). There is no command queue. A register write of an invalidation asks for it; a write of TLBGSYNC or TLBSYNC asks for
 * its completion; a `sync` step is the wait that follows. A driver that does not wait has nothing to rely on. Transactions
 * are taken as atomic: one that was translated before a step lands before it.
 */
import { numbering, remember } from "../base/interning.ts";
import { impossible } from "../base/diagnostic.ts";
import type { RegisterWrite, Step } from "../base/step.ts";
import type { Transaction } from "../base/transaction.ts";
import { contextOf, type Regime } from "./contextBank.ts";
import { type Identification, locate, tegraX2 } from "./identification.ts";
import { acceptedIn, invalidationKey, invalidationOf, removes, type Scope, syncScope } from "./invalidate.ts";
import type { MachineState, Pending, Smmu } from "./machineState.ts";
import { createMayCaches, type Kept, type MayCache, tagKey } from "./mayCache.ts";
import type { Image, Images } from "./memory.ts";
import { type Reach, reachOf } from "./reach.ts";
import { readRegister, type RegisterFile, resetRegisters, type Told, writeRegister } from "./registerFile.ts";
import { createReader, descriptorsOf } from "./tables.ts";
import { judge, type Judged } from "./transaction.ts";

export interface MachineRun<I extends Image = Image> {
  /** After reset: memory reads zero, TLBs are empty, clients bypass. */
  readonly start: MachineState<I>;
  readonly execute: (state: MachineState<I>, step: Step) => MachineState<I>;
  readonly executeAll: (state: MachineState<I>, steps: readonly Step[]) => MachineState<I>;
  /** What every stream reaches through registers, memory and the TLBs. */
  readonly reach: (state: MachineState<I>) => Reach;
  /** What every stream reaches with empty TLBs. */
  readonly coldReach: (state: MachineState<I>) => Reach;
  /** One transaction, with empty TLBs, and the state that it leaves: faults show in registers. */
  readonly transact: (state: MachineState<I>, smmu: number, transaction: Transaction) => Pick<Judged, "outcome" | "via"> & { readonly after: MachineState<I> };
  readonly readRegister: (state: MachineState<I>, smmu: number, offset: number, size: 4 | 8) => bigint;
  readonly state: (imageId: number, cacheId: number) => MachineState<I> | undefined;
  readonly size: () => number;
}
export interface MachineOptions<I extends Image> {
  /** What differs from a Tegra X2. */
  readonly smmus: readonly Partial<Identification>[];
  readonly images: Images<I>;
  /** `may`: everything that the TLBs could hold. `none`: they hold nothing, for teaching what that changes. */
  readonly cacheMode: "may" | "none";
}

const inScope = (accepted: Scope, scope: Scope): boolean => scope === "global" || accepted === scope;

/** Regimes that walks may be made by now: those of enabled banks, whether a stream uses them or not. */
const regimesOf = (identification: Identification, registers: RegisterFile): Regime[] => {
  const regimes = new Map<string, Regime>();
  for (let bank = 0; bank < identification.banks; bank++) {
    const context = contextOf(identification, registers, bank);
    if (context.is !== "on") continue;
    const { tag, root, inputBits, startLevel, outputBits, accessFlagIgnored, writableNeverExecutes, noWalk } = context.regime;
    regimes.set(`${tagKey(tag)} ${root} ${inputBits} ${startLevel} ${outputBits} ${accessFlagIgnored} ${writableNeverExecutes} ${noWalk}`, context.regime);
  }
  return [...regimes.values()];
};

export const createMachine = <I extends Image>(options: MachineOptions<I>): MachineRun<I> => {
  const { images } = options;
  const caches = createMayCaches();
  const read = createReader(caches);
  const imageIds = numbering();
  const cacheIds = numbering();
  const fileIds = numbering();
  const byIds = new Map<number, Map<number, MachineState<I>>>();
  const executed = new Map<MachineState<I>, Map<Step, MachineState<I>>>();
  let count = 0;

  const files = new Map<string, RegisterFile>();
  const uniqueFile = (file: RegisterFile): RegisterFile => {
    const known = files.get(file.key);
    if (known === undefined) files.set(file.key, file);
    return known ?? file;
  };
  const pendingKey = ({ invalidation, scope, syncing, early }: Pending): string => `${invalidationKey(invalidation)} ${scope} ${syncing} ${early.id}`;
  const intern = (image: I, smmus: readonly Smmu[]): MachineState<I> => {
    const imageId = imageIds(`${image.id}/${smmus.map(({ registers }) => fileIds(registers.key)).join("/")}`);
    const cacheId = cacheIds(smmus.map(({ cache, pending }) => `${cache.id} ${pending.map(pendingKey).join(",")}`).join("/"));
    let row = byIds.get(imageId);
    if (row === undefined) byIds.set(imageId, (row = new Map()));
    let state = row.get(cacheId);
    if (state === undefined) row.set(cacheId, (state = { id: count++, imageId, cacheId, image, smmus }));
    return state;
  };

  const regimes = remember(
    ({ registers, which }: { readonly identification: Identification; readonly registers: RegisterFile; readonly which: number }) => `${which} ${fileIds(registers.key)}`,
    ({ identification, registers }) => regimesOf(identification, registers),
  );
  /** Adds every descriptor that could be fetched now. */
  const close = (image: Image, walked: readonly Regime[], cache: MayCache): MayCache => {
    const held = new Set<Kept>(cache.entries);
    let size: number;
    do {
      size = held.size;
      const kept = [...held].filter((entry) => entry.kind === "table");
      for (const regime of walked) {
        const { found, merged } = descriptorsOf(read, image, regime, kept);
        for (const { entry } of found) held.add(entry);
        for (const leaf of merged) held.add(leaf);
      }
      // Banks that share a tag may use each other's table descriptors.
    } while (held.size > size && walked.length > 1);
    return held.size === cache.entries.size ? cache : caches.of(held);
  };
  const closedCaches = new Map<string, MayCache>();
  const closeOne = (image: I, smmu: Smmu, which: number, cache: MayCache): MayCache => {
    const key = `${which} ${image.id} ${fileIds(smmu.registers.key)} ${cache.id}`;
    let closed = closedCaches.get(key);
    if (closed === undefined) closedCaches.set(key, (closed = close(image, regimes({ identification: smmu.identification, registers: smmu.registers, which }), cache)));
    return closed;
  };
  const closed = (image: I, smmus: readonly Smmu[]): MachineState<I> => {
    if (options.cacheMode === "none") return intern(image, smmus);
    const each = smmus.map((smmu, which) => ({
      ...smmu,
      cache: closeOne(image, smmu, which, smmu.cache),
      pending: smmu.pending.map((one) => ({ ...one, early: closeOne(image, smmu, which, one.early) })),
    }));
    return intern(image, each);
  };

  const ask = (smmu: Smmu, told: Told): Smmu => {
    const scope = syncScope(told);
    if (scope !== undefined) return { ...smmu, pending: smmu.pending.map((one) => (inScope(one.scope, scope) ? { ...one, syncing: true } : one)) };
    const invalidation = invalidationOf(smmu.identification, told, smmu.registers);
    if (invalidation === undefined || options.cacheMode === "none") return smmu;
    const early = caches.of([...smmu.cache.entries].filter((entry) => !removes(invalidation, entry)));
    const key = invalidationKey(invalidation);
    // Asked for again before a SYNC: both complete together, and the later one leaves less.
    const others = smmu.pending.filter((one) => one.syncing || one.scope !== acceptedIn(told) || invalidationKey(one.invalidation) !== key);
    return { ...smmu, pending: [...others, { invalidation, scope: acceptedIn(told), syncing: false, early }] };
  };
  const write = (smmu: Smmu, { offset, value, size }: RegisterWrite): Smmu => {
    const { file, told } = writeRegister(smmu.identification, smmu.registers, offset, value, size);
    return told === undefined ? { ...smmu, registers: uniqueFile(file) } : ask(smmu, told);
  };
  /** The wait: what was asked for has happened, at some moment between the asking and now. */
  const complete = (smmu: Smmu): Smmu => {
    const done = smmu.pending.filter(({ syncing }) => syncing);
    if (done.length === 0) return smmu;
    // An entry is still there if each invalidation that names it may have come before the entry was last fetched.
    const survives = (entry: Kept): boolean => done.every(({ invalidation, early }) => !removes(invalidation, entry) || early.entries.has(entry));
    const left = (cache: MayCache): MayCache => caches.of([...cache.entries].filter(survives));
    return { ...smmu, cache: left(smmu.cache), pending: smmu.pending.filter(({ syncing }) => !syncing).map((one) => ({ ...one, early: left(one.early) })) };
  };

  const run = (state: MachineState<I>, step: Step): MachineState<I> => {
    const { image, smmus } = state;
    const change = (which: number, edit: (smmu: Smmu) => Smmu): MachineState<I> => closed(image, smmus.map((smmu, index) => (index === which ? edit(smmu) : smmu)));
    switch (step.kind) {
      case "store":
        return closed(images.store(image, step.addr, step.value), smmus);
      case "fill":
        return closed(images.fill(image, step.addr, step.size, step.pattern), smmus);
      case "register":
        return change(step.smmu, (smmu) => write(smmu, step));
      case "sync":
        return change(step.smmu, complete);
      case "command":
        return impossible("an SMMUv2 has no command queue");
      default:
        // At this grain a store is visible as soon as it is made; a barrier orders what is ordered already.
        return state;
    }
  };
  const execute = (state: MachineState<I>, step: Step): MachineState<I> => {
    let known = executed.get(state);
    if (known === undefined) executed.set(state, (known = new Map()));
    let after = known.get(step);
    if (after === undefined) known.set(step, (after = run(state, step)));
    return after;
  };
  const reached = ({ image, smmus }: MachineState<I>): Reach => {
    const each = smmus.map((smmu, which) => reachOf(read, image, smmu, which));
    return { streams: each.flatMap(({ streams }) => streams), tables: each.flatMap(({ tables }) => tables), streamTables: [] };
  };
  return {
    start: closed(
      images.empty,
      options.smmus.map((identification) => ({ identification: { ...tegraX2, ...identification }, registers: uniqueFile(resetRegisters()), cache: caches.empty, pending: [] })),
    ),
    execute,
    executeAll: (state, steps) => steps.reduce(execute, state),
    // Pending invalidations have no say: what they will remove may still be used.
    reach: remember(({ imageId, smmus }: MachineState<I>) => `${imageId} ${smmus.map(({ cache }) => cache.id).join(" ")}`, reached),
    coldReach: remember(
      ({ imageId }: MachineState<I>) => imageId,
      (state) => reached({ ...state, smmus: state.smmus.map((smmu) => ({ ...smmu, cache: caches.empty })) }),
    ),
    transact: (state, which, transaction) => {
      const { image, smmus } = state;
      const { outcome, file, via } = judge(image, smmus[which]!.identification, smmus[which]!.registers, transaction);
      return { outcome, via, after: intern(image, smmus.map((smmu, index) => (index === which ? { ...smmu, registers: uniqueFile(file) } : smmu))) };
    },
    readRegister: ({ smmus }, which, offset, size) => {
      const { identification, registers, pending } = smmus[which]!;
      const located = locate(identification, offset);
      const scope = located?.name === "TLBGSTATUS" ? "global" : located?.name === "TLBSTATUS" ? located.n : undefined;
      if (scope === undefined) return readRegister(identification, registers, offset, size);
      return BigInt(pending.some((one) => one.syncing && inScope(one.scope, scope)));
    },
    state: (imageId, cacheId) => byIds.get(imageId)?.get(cacheId),
    size: () => count,
  };
};
