/**
 * Look-ups of an SMMU that may have kept anything: each asks the adversary which of the possible answers it gives, and
 * leaves what it fetched, for whoever collects that.
 */
import { stage1Memory, type Stage2Memory, stage2Memory } from "./attributes.ts";
import type { Caches, Kept, Tag, Walker } from "./caches.ts";
import type { Choose } from "./choices.ts";
import type { Stage2 } from "./configuration.ts";
import type { Context } from "./context.ts";
import { byteSwapped, contiguousRun, type Hierarchy, leafFlags, levelShift, shapeOf, stage1Leaf, type Stage2Rights, stage2Rights } from "./descriptor.ts";
import { type KeptTable, type KeptWords, type Kit, type MayKeep, streamsOf, tablesIn, translationsIn, wordsIn } from "./mayKept.ts";
import { Refused } from "./journey.ts";
import type { Read } from "./memory.ts";
import type { Quirks } from "./quirks.ts";
import type { Settings } from "./registers.ts";
import type { Located, Structure } from "./streamTable.ts";
import { type Begin, formOf, type Regime1, rightsUnder, type Trail, walkStage2 } from "./walk.ts";

/** What one run of a transaction asks from and leaves; its owner changes it between runs. */
export interface Run {
  from: Kit;
  choose: Choose;
  left: MayKeep[];
}
export interface MayHooksOptions {
  readonly run: Run;
  readonly quirks: Quirks;
  readonly settings: () => Settings;
  readonly read: Read;
  /** Told of every structure that was fetched, with its words in memory. */
  readonly fetching: (structure: Structure, located: Located) => void;
}
export interface MayHooks extends Caches {
  /** Memory or the kit changed: what was worked out of them is forgotten. */
  readonly forget: () => void;
}

/** One of the answers of stage 2: how the walk begins, or a kept leaf instead of a walk. */
type Answer2 = { readonly begin: Begin | "root" } | { readonly kept: Kept };
const translationKey = (pa: bigint, { read, write, executeNever }: Stage2Rights, { memAttr, shareability, forced }: Stage2Memory): string => `${pa} ${read} ${write} ${executeNever} ${memAttr} ${shareability} ${forced}`;
const regimeKey = ({ vmid, granule, root, inputBits, startLevel, outputBits, ignoreAccessFlag, setsAccessFlag, setsDirtyState, bigEndian, forcesWriteBack }: Stage2): string =>
  [vmid, granule, root, inputBits, startLevel, outputBits, ignoreAccessFlag, setsAccessFlag, setsDirtyState, bigEndian, forcesWriteBack].join(" ");
const judgedBy = ({ world, writableNeverExecutes, privilegedNever }: Context): Regime1 => ({ world, writableNeverExecutes, privilegedNever });

/** What a fetch comes to now: words, none, or a refusal on the way to them. */
type Now = { readonly located: Located | undefined } | { readonly refused: Refused };
const attempt = (fetch: () => Located | undefined): Now => {
  try {
    return { located: fetch() };
  } catch (error) {
    if (error instanceof Refused) return { refused: error };
    throw error;
  }
};
/** One of those that say the same. */
const distinctWords = (kept: readonly KeptWords[]): KeptWords[] => [...new Map(kept.map((entry) => [entry.words.join(","), entry])).values()];

export const createMayHooks = ({ run, quirks, settings, read, fetching }: MayHooksOptions): MayHooks => {
  /** Distinct answers of stage 2 to an address, while nothing changes. */
  const answers = new Map<string, readonly Answer2[]>();
  /** The kept table descriptor that the next walk begins with, once it was chosen. */
  let chosen: Begin | "root" | undefined;

  /** A hit is told otherwise than a walk that finds the same (quirks). */
  const hitsDiffer = quirks.hitWritesAsStage1 === true || quirks.hitReadsUnchecked === true;

  const pick = <T>(options: readonly T[]): T => options[run.choose(options.length)]!;
  const translationsFor = (tag: Tag, address: bigint): Kept[] => translationsIn(run.from, tag, address).map(({ kept }) => kept);
  const tablesFor = (tag: Tag, walker: Walker, address: bigint): KeptTable[] => {
    const { granule, startLevel } = walker.stage === 1 ? walker.half : walker.regime;
    return tablesIn(run.from, tag, address).filter((entry) => entry.granule === granule && entry.level >= startLevel);
  };

  /** Neighbours of a last descriptor that are marked contiguous: any of them may be kept for all. */
  const neighbours = (walker: Walker, address: bigint, level: number, at: bigint, above: Hierarchy): void => {
    if (quirks.contiguousIgnored) return;
    const regime = walker.stage === 1 ? walker.half : walker.regime;
    const { granule, outputBits } = regime;
    const joined = contiguousRun(level, granule);
    const group = at & ~(joined * 8n - 1n);
    for (let each = group; each < group + joined * 8n; each += 8n) {
      const stored = read(each);
      if (stored === undefined) continue;
      const value = (walker.stage === 1 ? walker.context.bigEndian : walker.regime.bigEndian) ? byteSwapped(stored) : stored;
      const shape = shapeOf(value, level, formOf(regime), quirks);
      const flags = leafFlags(value);
      const ignoresFlag = walker.stage === 1 ? walker.context.ignoreAccessFlag || walker.context.setsAccessFlag : walker.regime.ignoreAccessFlag || walker.regime.setsAccessFlag;
      if (shape.is !== "leaf" || !flags.contiguous || shape.pa >> BigInt(outputBits) !== 0n || !(flags.accessed || ignoresFlag)) continue;
      const size = shape.size * joined;
      const common = { input: address & ~(size - 1n), size, pa: shape.pa & ~(size - 1n), level, granule, via: [{ what: "contiguous descriptor", addr: each, value }] };
      if (walker.stage === 2) run.left.push({ kind: "translation", tag: walker.tag, kept: { ...common, stage2: { rights: stage2Rights(value), executeByPrivilege: walker.regime.executeByPrivilege, memory: stage2Memory(value, walker.regime) } } });
      else {
        const leaf = stage1Leaf(value);
        const kept: Kept = { ...common, stage1: { rights: rightsUnder(leaf, above, walker.context, quirks), regime: judgedBy(walker.context), memory: stage1Memory(value, walker.context) }, ...(leaf.notGlobal ? {} : { global: true }) };
        run.left.push({ kind: "translation", tag: leaf.notGlobal || quirks.globalsTagged ? walker.tag : { ...walker.tag, global: true }, kept });
      }
    }
  };

  const recording = (walker: Walker, address: bigint): Omit<Trail, "begin"> => {
    const { granule } = walker.stage === 1 ? walker.half : walker.regime;
    return {
      table: (level, next, above, via) => {
        const size = 1n << levelShift(level, granule);
        run.left.push({ kind: "table", tag: walker.tag, granule, level, input: address & ~(size - 1n), size, next, above, via });
      },
      last: (level, at, above) => neighbours(walker, address, level, at, above),
    };
  };
  const beginsFor = (walker: Walker, address: bigint): Begin[] => tablesFor(walker.tag, walker, address).map(({ level, next, above, via }) => ({ level: level + 1, table: next, above, via }));

  /**
   * All answers of stage 2 to an address, each once: by a walk from the root, from a kept table, or by a kept leaf. Most
   * agree, and ways that agree are one.
   */
  const stage2Answers = (tag: Tag, regime: Stage2, address: bigint): readonly Answer2[] => {
    const key = `${regimeKey(regime)} ${address}`;
    const known = answers.get(key);
    if (known !== undefined) return known;
    const walker: Walker = { stage: 2, tag, regime };
    const found = new Map<string, Answer2>();
    for (const begin of [undefined, ...beginsFor(walker, address)]) {
      const walked = walkStage2(read, regime, address, { op: "read", probe: true }, quirks, { ...recording(walker, address), ...(begin === undefined ? {} : { begin }) });
      const name = walked.result === "ok" ? translationKey(walked.leaf.pa + (address - walked.leaf.ipa), walked.leaf.rights, walked.leaf.memory) : walked.result === "fault" ? walked.fault : `external ${walked.fetch}`;
      if (!found.has(name)) found.set(name, { begin: begin ?? "root" });
    }
    for (const kept of translationsFor(tag, address)) {
      const name = `${hitsDiffer ? "kept " : ""}${translationKey(kept.pa + (address - kept.input), kept.stage2!.rights, kept.stage2!.memory)}`;
      if (!found.has(name)) found.set(name, { kept });
    }
    const all = [...found.values()];
    answers.set(key, all);
    return all;
  };

  return {
    forget: () => answers.clear(),
    configured: (_sid, _ssid, decode) => decode(),
    fetched: (structure, fetch) => {
      const now = attempt(fetch);
      const kept = wordsIn(run.from, structure);
      if ("located" in now && now.located !== undefined) {
        const [first, last] = streamsOf(structure, settings());
        fetching(structure, now.located);
        run.left.push({ kind: "words", structure, first, last, ...now.located });
      }
      const text = "located" in now ? now.located?.words.join(",") : undefined;
      const answer = pick([now, ...distinctWords(kept.filter(({ words }) => words.join(",") !== text))]);
      if ("refused" in answer) throw answer.refused;
      return "located" in answer ? answer.located : answer;
    },
    lookUp: (tag, sought, address) => {
      if (tag.asid !== undefined) return pick([undefined, ...translationsFor(tag, address)]);
      // Stage 2 is looked up by its whole regime.
      const answer = pick(stage2Answers(tag, sought as Stage2, address));
      if ("kept" in answer) return answer.kept;
      chosen = answer.begin;
      return undefined;
    },
    keep: (tag, kept) => void run.left.push({ kind: "translation", tag, kept }),
    trail: (walker, address) => {
      const begin = walker.stage === 2 ? chosen : (pick([undefined, ...beginsFor(walker, address)]) ?? "root");
      if (walker.stage === 2) chosen = undefined;
      return { ...recording(walker, address), ...(begin === undefined || begin === "root" ? {} : { begin }) };
    },
  };
};
