/**
 * The machine that a kernel's steps act on: memory, registers, may-cache sets and commands waiting for a SYNC. States are
 * immutable and interned, so executing a step list is a few look-ups once it has been seen (design D6).
 *
 * After every step the may-cache set is closed: the SMMU may fetch at any time, so between a store and the SYNC behind it
 * anything visible may have been kept. Commands reach the SMMU past the in-memory queue. A store is visible as soon as it is
 * made; that a command or SMMUEN=1 has no barrier before it is noted, and not acted upon.
 */
import { numbering, remember } from "../base/interning.ts";
import type { Step } from "../base/step.ts";
import { createImages, type Image } from "./image.ts";
import { illegalCommand, keepAfter, nameOf } from "./invalidate.ts";
import { type Cached, close, createMayCaches, holdStreamTable, keepOverwritten, type MayCache, releaseStreamTable, type SteFetch } from "./mayCache.ts";
import type { MachineState, Smmu } from "./machineState.ts";
import { type Reach, reachOf } from "./reach.ts";
import { type Identification, type RegisterFile, registersKey, resetRegisters, type Settings, settingsOf, writeRegister } from "./registers.ts";

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
  /** How a stream table entry is fetched; `whole` when left out. */
  readonly steFetch?: SteFetch;
}

interface Interned {
  readonly registers: RegisterFile;
  readonly settings: Settings;
  readonly id: number;
}

export const createMachine = (options: MachineOptions): MachineRun => {
  const images = createImages();
  const caches = createMayCaches();
  const fetch = options.steFetch ?? "whole";
  const imageIds = numbering();
  const cacheIds = numbering();
  const closedCaches = new Map<string, MayCache>();
  const byIds = new Map<number, Map<number, MachineState>>();
  const executed = new Map<MachineState, Map<Step, MachineState>>();
  let count = 0;

  let files = 0;
  const fileOf = remember(registersKey, (registers): Interned => ({ registers, settings: settingsOf(registers), id: files++ }));

  const intern = (image: Image, smmus: readonly Smmu[], loose: boolean): MachineState => {
    const imageId = imageIds(`${image.id}/${smmus.map(({ registers }) => fileOf(registers).id).join("/")}`);
    const cacheId = cacheIds(`${loose} ${smmus.map(({ cache, pending, wedged, overtook }) => `${cache.id} ${pending.map(({ words, early }) => `${words.join(" ")} ${early.id}`).join(" ")} ${wedged ?? ""} ${overtook ?? ""}`).join("/")}`);
    let row = byIds.get(imageId);
    if (row === undefined) byIds.set(imageId, (row = new Map()));
    let state = row.get(cacheId);
    if (state === undefined) row.set(cacheId, (state = { id: count++, imageId, cacheId, image, smmus, loose }));
    return state;
  };

  const closeOne = (image: Image, smmu: Smmu, cache: MayCache): MayCache => {
    const key = `${image.id} ${fileOf(smmu.registers).id} ${cache.id}`;
    let closed = closedCaches.get(key);
    if (closed === undefined) closedCaches.set(key, (closed = close(caches, image, smmu.settings, cache)));
    return closed;
  };
  const closed = (image: Image, smmus: readonly Smmu[], loose: boolean): MachineState => {
    if (options.cacheMode === "none") return intern(image, smmus, loose);
    const close1 = (smmu: Smmu): Smmu => ({
      ...smmu,
      cache: closeOne(image, smmu, smmu.cache),
      pending: smmu.pending.map(({ words, early }) => ({ words, early: closeOne(image, smmu, early) })),
    });
    return intern(image, smmus.map(close1), loose);
  };
  /** The same change to every set of an SMMU. */
  const changeCaches = (smmu: Smmu, change: (cache: MayCache) => MayCache): Smmu =>
    options.cacheMode === "none" ? smmu : { ...smmu, cache: change(smmu.cache), pending: smmu.pending.map(({ words, early }) => ({ words, early: change(early) })) };
  const without = (cache: MayCache, smmu: Smmu, words: readonly [bigint, bigint]): MayCache => caches.of([...cache.entries.values()].filter(keepAfter(words, smmu.settings)));

  const written = ({ image, smmus }: MachineState, after: Image, from: bigint, end: bigint): MachineState =>
    closed(after, smmus.map((smmu) => changeCaches(smmu, (cache) => keepOverwritten(caches, cache, smmu.settings, image, after, from, end, fetch))), true);
  const noting = (smmu: Smmu, loose: boolean, what: string): Smmu => (loose && smmu.overtook === undefined ? { ...smmu, overtook: what } : smmu);
  const issue = (smmu: Smmu, words: readonly [bigint, bigint]): Smmu => {
    if (smmu.wedged !== undefined) return smmu;
    const why = illegalCommand(words, smmu.settings);
    if (why !== undefined) return { ...smmu, wedged: why };
    return { ...smmu, pending: [...smmu.pending, { words, early: without(smmu.cache, smmu, words) }] };
  };
  /**
   * Every pending command took effect at some moment between its issue and now, in any order: what it names is still there
   * if it may have been fetched since it was issued, by way of what the other commands had not removed yet.
   */
  const complete = (smmu: Smmu): Smmu => {
    if (smmu.wedged !== undefined || smmu.pending.length === 0) return smmu;
    const done = smmu.pending.map(({ words, early }) => ({ keep: keepAfter(words, smmu.settings), early }));
    const survives = ([key, entry]: readonly [string, Cached]): boolean => done.every(({ keep, early }) => keep(entry) || early.entries.has(key));
    return { ...smmu, cache: caches.of([...smmu.cache.entries].filter(survives).map(([, entry]) => entry)), pending: [] };
  };
  const write = (image: Image, smmu: Smmu, offset: number, value: bigint, size: 4 | 8): Smmu => {
    const { registers, settings } = fileOf(writeRegister(smmu.registers, offset, value, size));
    const next: Smmu = { ...smmu, registers, settings };
    if (smmu.settings.enabled === settings.enabled) return next;
    return changeCaches(next, (cache) => (settings.enabled ? releaseStreamTable(caches, cache, settings, image) : holdStreamTable(caches, cache, smmu.settings, image)));
  };

  const run = (state: MachineState, step: Step): MachineState => {
    const { image, smmus, loose } = state;
    const change = (which: number, edit: (smmu: Smmu) => Smmu) => closed(image, smmus.map((smmu, index) => (index === which ? edit(smmu) : smmu)), loose);
    switch (step.kind) {
      case "store":
        return written(state, images.store(image, step.addr, step.value), step.addr, step.addr + 8n);
      case "fill":
        return written(state, images.fill(image, step.addr, step.size, step.pattern), step.addr, step.addr + step.size);
      case "register":
        return change(step.smmu, (smmu) => {
          const next = write(image, smmu, step.offset, step.value, step.size);
          return noting(next, loose && next.settings.enabled && !smmu.settings.enabled, "SMMUEN=1");
        });
      case "command":
        return change(step.smmu, (smmu) => noting(issue(smmu, step.words), loose, nameOf(step.words) ?? "a command"));
      case "sync":
        return change(step.smmu, complete);
      default:
        return loose ? intern(image, smmus, false) : state;
    }
  };
  const execute = (state: MachineState, step: Step): MachineState => {
    let known = executed.get(state);
    if (known === undefined) executed.set(state, (known = new Map()));
    let after = known.get(step);
    if (after === undefined) known.set(step, (after = run(state, step)));
    return after;
  };

  const nothingCached = (state: MachineState): MachineState => ({ ...state, smmus: state.smmus.map((smmu) => ({ ...smmu, cache: caches.empty })) });
  return {
    start: closed(
      images.empty,
      options.smmus.map((identification) => {
        const { registers, settings } = fileOf(resetRegisters(identification));
        return { registers, settings, cache: caches.empty, pending: [] };
      }),
      false,
    ),
    execute,
    executeAll: (state, steps) => {
      let at = state;
      for (const step of steps) at = execute(at, step);
      return at;
    },
    // Pending commands have no say: what they will remove may still be used.
    reach: remember(
      ({ imageId, smmus }: MachineState) => `${imageId} ${smmus.map(({ cache }) => cache.id).join(" ")}`,
      (state) => reachOf(caches, state),
    ),
    coldReach: remember(
      ({ imageId }: MachineState) => imageId,
      (state) => reachOf(caches, nothingCached(state)),
    ),
    state: (imageId, cacheId) => byIds.get(imageId)?.get(cacheId),
    size: () => count,
  };
};
