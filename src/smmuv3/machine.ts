/**
 * The machine that a kernel's steps act on: memory, registers, may-cache sets and commands waiting for a SYNC. States are
 * immutable and interned, so executing a step list is a few look-ups once it has been seen (design D6).
 *
 * After every step the may-cache set is closed: the SMMU may fetch at any time, so between a store and the SYNC behind it
 * anything visible may have been kept.
 */
import type { Step } from "../base/step.ts";
import type { Image } from "./image.ts";
import { createImages } from "./image.ts";
import { illegalCommand, keepAfter } from "./invalidate.ts";
import { close, createMayCaches, type MayCache } from "./mayCache.ts";
import { type Reach, reachOf } from "./reach.ts";
import { type Identification, type RegisterFile, resetRegisters, type Settings, settingsOf, writeRegister } from "./registers.ts";

/** One SMMU's part of a machine state. */
export interface Smmu {
  readonly registers: RegisterFile;
  readonly settings: Settings;
  readonly cache: MayCache;
  /** Commands issued since the last SYNC. */
  readonly pending: readonly (readonly [bigint, bigint])[];
  /** Why the command queue stopped, if it did: nothing further is consumed. */
  readonly wedged?: string;
}
export interface MachineState {
  readonly id: number;
  /** Memory and registers. */
  readonly imageId: number;
  /** May-cache sets, pending commands, stopped queues. */
  readonly cacheId: number;
  readonly image: Image;
  readonly smmus: readonly Smmu[];
}

export interface MachineRun {
  /** After reset: memory reads zero, nothing is cached, SMMUEN=0. */
  readonly start: MachineState;
  readonly execute: (state: MachineState, step: Step) => MachineState;
  /** Remembered along the list by the identity of the step objects. */
  readonly executeAll: (state: MachineState, steps: readonly Step[]) => MachineState;
  /** What every stream reaches through memory and the may-cache sets. */
  readonly reach: (state: MachineState) => Reach;
  /** What every stream reaches through memory alone. */
  readonly coldReach: (state: MachineState) => Reach;
  readonly state: (imageId: number, cacheId: number) => MachineState | undefined;
  /** How many machine states this run has met. */
  readonly size: () => number;
}

export interface MachineOptions {
  readonly smmus: readonly Partial<Identification>[];
  /** `may`: the may-cache set. `none`: nothing is ever cached, for teaching what caches change. */
  readonly cacheMode: "may" | "none";
}

/** Small ids for strings. */
const numbering = (): ((key: string) => number) => {
  const ids = new Map<string, number>();
  return (key) => {
    let id = ids.get(key);
    if (id === undefined) ids.set(key, (id = ids.size));
    return id;
  };
};

const remember = <V>(make: (state: MachineState) => V): ((state: MachineState) => V) => {
  const known = new Map<MachineState, V>();
  return (state) => {
    let value = known.get(state);
    if (value === undefined) known.set(state, (value = make(state)));
    return value;
  };
};

export const createMachine = (options: MachineOptions): MachineRun => {
  const images = createImages();
  const caches = createMayCaches();
  const imageIds = numbering();
  const cacheIds = numbering();
  const byIds = new Map<number, Map<number, MachineState>>();
  const executed = new Map<MachineState, Map<Step, MachineState>>();
  let count = 0;

  const intern = (image: Image, smmus: readonly Smmu[]): MachineState => {
    const imageId = imageIds(`${image.id}/${smmus.map(({ registers }) => [...registers].toSorted(([a], [b]) => a - b).join(" ")).join("/")}`);
    const cacheId = cacheIds(smmus.map(({ cache, pending, wedged }) => `${cache.id} ${pending.join(" ")} ${wedged ?? ""}`).join("/"));
    let row = byIds.get(imageId);
    if (row === undefined) byIds.set(imageId, (row = new Map()));
    let state = row.get(cacheId);
    if (state === undefined) row.set(cacheId, (state = { id: count++, imageId, cacheId, image, smmus }));
    return state;
  };

  const closed = (image: Image, smmus: readonly Smmu[]): MachineState =>
    intern(image, options.cacheMode === "none" ? smmus : smmus.map((smmu) => ({ ...smmu, cache: close(caches, image, smmu.settings, smmu.cache) })));

  const issue = (smmu: Smmu, words: readonly [bigint, bigint]): Smmu => {
    if (smmu.wedged !== undefined) return smmu;
    const why = illegalCommand(words, smmu.settings);
    return why === undefined ? { ...smmu, pending: [...smmu.pending, words] } : { ...smmu, wedged: why };
  };
  const complete = (smmu: Smmu): Smmu =>
    smmu.wedged !== undefined ? smmu : { ...smmu, cache: smmu.pending.reduce((cache, words) => caches.filter(cache, keepAfter(words)), smmu.cache), pending: [] };
  const write = (smmu: Smmu, offset: number, value: bigint, size: 4 | 8): Smmu => {
    const registers = writeRegister(smmu.registers, offset, value, size);
    return { ...smmu, registers, settings: settingsOf(registers) };
  };

  const run = ({ image, smmus }: MachineState, step: Step): MachineState => {
    const change = (which: number, edit: (smmu: Smmu) => Smmu) => closed(image, smmus.map((smmu, index) => (index === which ? edit(smmu) : smmu)));
    switch (step.kind) {
      case "store":
        return closed(images.store(image, step.addr, step.value), smmus);
      case "fill":
        return closed(images.fill(image, step.addr, step.size, step.pattern), smmus);
      case "register":
        return change(step.smmu, (smmu) => write(smmu, step.offset, step.value, step.size));
      case "command":
        return change(step.smmu, (smmu) => issue(smmu, step.words));
      case "sync":
        return change(step.smmu, complete);
      default:
        // At this grain a store is visible as soon as it is made; a barrier orders what is ordered already.
        return intern(image, smmus);
    }
  };
  const execute = (state: MachineState, step: Step): MachineState => {
    let known = executed.get(state);
    if (known === undefined) executed.set(state, (known = new Map()));
    let after = known.get(step);
    if (after === undefined) known.set(step, (after = run(state, step)));
    return after;
  };

  return {
    start: closed(
      images.empty,
      options.smmus.map((identification) => {
        const registers = resetRegisters(identification);
        return { registers, settings: settingsOf(registers), cache: caches.empty, pending: [] };
      }),
    ),
    execute,
    executeAll: (state, steps) => {
      let at = state;
      for (const step of steps) at = execute(at, step);
      return at;
    },
    reach: remember((state) => reachOf(state, true)),
    coldReach: remember((state) => reachOf(state, false)),
    state: (imageId, cacheId) => byIds.get(imageId)?.get(cacheId),
    size: () => count,
  };
};
