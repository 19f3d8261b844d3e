/** Runs of many scenes on both, until so many transactions agreed or a scene did not. */
import fc from "fast-check";
import type { HistoryOutcome } from "../../../src/smmuv3/device.ts";
import type { History } from "../../../src/smmuv3/history.ts";
import type { Quirk, Quirks } from "../../../src/smmuv3/quirks.ts";
import { carriedOut, coldModel, DeviceRead, deviceWith, lineOf, type Machine, USUAL } from "./answers.ts";
import { differenceIn, playedLines, qemu10, type Running } from "./comparing.ts";
import { coldly } from "./later.ts";
import { type Scene, scene } from "./scene.ts";
import { createTally, type Tally } from "./tally.ts";
import { settle, type WarmScene, warmScene } from "./warm.ts";

export interface Wanted {
  readonly transactions: number;
  readonly seed: number;
  /** The model's; QEMU's own when left out. */
  readonly quirks?: Quirks;
}
/** The first difference of a run: what it is, and the scene with the seed that it was drawn from. */
export interface Difference {
  readonly what: string;
  readonly scene: WarmScene;
  readonly seed: number;
}
export interface Run {
  readonly tally: Tally;
  readonly difference?: Difference;
}

/** Scenes are drawn by so many, each time from the next seed. */
const DRAWN = 100;
/** Of so many scenes one is looked at for the quirks that decided it, more rarely in long runs. */
const lookedAt = (transactions: number): number => Math.max(2, Math.ceil(transactions / 10_000));
export const without = (quirk: Quirk): Quirks => {
  const { [quirk]: _, ...others } = qemu10;
  return others;
};
const ALL = Object.keys(qemu10) as Quirk[];

/** Of 16 draws, one is for an SMMU of stage 1 alone, and one for stage 2 alone. */
const machineAt = (seed: number): Partial<Machine> => (seed % 16 === 3 ? { stage: "1" } : seed % 16 === 11 ? { stage: "2" } : {});

/** Each transaction with nothing kept before it. */
export const runCold = async (running: Running, { transactions: most, seed: first, quirks = qemu10 }: Wanted): Promise<Run> => {
  const { tally, ...count } = createTally();
  const every = lookedAt(most);
  const decided = (boot: Scene["boot"], machine: Machine, { transaction, outcome }: { readonly transaction: Parameters<typeof coldly>[0]; readonly outcome: HistoryOutcome }): void => {
    const differs = (set: Quirks): boolean => {
      const other = coldModel(boot, set, machine)(transaction);
      return other === undefined || lineOf(other) !== lineOf(outcome);
    };
    if (differs({})) for (const quirk of ALL) if (differs(without(quirk))) count.quirk(quirk);
  };
  for (let seed = first; tally.transactions < most; seed++) {
    const machine = { ...USUAL, ...machineAt(seed) };
    for (const { boot, transactions } of fc.sample(scene, { seed, numRuns: DRAWN })) {
      const ask = coldModel(boot, quirks, machine);
      const asked = transactions.flatMap(({ transaction }) => {
        const outcome = ask(transaction);
        return outcome === undefined || !carriedOut(outcome) ? [] : [{ transaction, outcome }];
      });
      const drafted = [...boot, ...asked.flatMap(({ transaction }) => coldly(transaction))];
      const lines = await playedLines(running, drafted, machine);
      const apart = asked.findIndex(({ outcome }, at) => lineOf(outcome) !== lines[at]);
      if (apart >= 0) return { tally, difference: { what: `transaction ${apart + 1}: the model says ${lineOf(asked[apart]!.outcome)}, QEMU says ${lines[apart] ?? "nothing"}`, scene: { drafted, machine }, seed } };
      count.scene(transactions.length - asked.length);
      for (const each of asked) {
        count.outcome(each.outcome);
        if (tally.scenes % every === 0) decided(boot, machine, each);
      }
    }
  }
  return { tally };
};

/** What the model answers under other quirks or without caches; nothing where a table leads to a device then. */
const answers = (machine: Machine, set: Quirks, history: History, caches: "qemu" | "none" = "qemu"): string[] => {
  try {
    return deviceWith(machine, set, caches).play(history).map(lineOf);
  } catch (error) {
    if (error instanceof DeviceRead) return [];
    throw error;
  }
};

/** Histories in which caches are warm: outcomes, and registers at the end. */
export const runWarm = async (running: Running, { transactions: most, seed: first, quirks = qemu10 }: Wanted): Promise<Run> => {
  const { tally, ...count } = createTally();
  const every = 2 * lookedAt(most);
  for (let seed = first; tally.transactions < most; seed++)
    for (const drawn of fc.sample(warmScene, { seed, numRuns: DRAWN })) {
      const each = { ...drawn, machine: { ...drawn.machine, ...machineAt(seed) } };
      const settled = settle(each, quirks);
      const what = await differenceIn(running, settled, each.machine);
      if (what !== undefined) return { tally, difference: { what, scene: each, seed } };
      count.scene(settled.dropped);
      for (const outcome of settled.outcomes) count.outcome(outcome);
      const lines = settled.outcomes.map(lineOf);
      const cold = answers(each.machine, quirks, settled.history, "none");
      count.kept(lines.filter((line, at) => line !== cold[at]).length);
      if (tally.scenes % every !== 0) continue;
      for (const quirk of ALL) if (answers(each.machine, without(quirk), settled.history).join() !== lines.join()) count.quirk(quirk);
    }
  return { tally };
};
