/** What a run met: counted, so that a run that meets nothing new does not pass for one that did. */
import type { HistoryOutcome } from "../../../src/smmuv3/device.ts";

export interface Tally {
  readonly scenes: number;
  readonly transactions: number;
  /** Transactions that were left out: to devices, or deadly to QEMU. */
  readonly leftOut: number;
  readonly kinds: ReadonlyMap<string, number>;
  /** Quirks without which the model would have answered otherwise, in the scenes that were looked at for them. */
  readonly quirks: ReadonlyMap<string, number>;
  /** Answers that caches made other than they would have been without. */
  readonly kept: number;
}

/** A kind of outcome: what must not stay unmet. */
export const kindOf = (outcome: HistoryOutcome): string => {
  if (outcome.result !== "abort" || outcome.event === undefined) return outcome.result;
  const { type, s2, class: what } = outcome.event;
  return what === undefined ? type : `${type} s2=${Number(s2)} ${what}`;
};

export const createTally = () => {
  const tally = { scenes: 0, transactions: 0, leftOut: 0, kept: 0, kinds: new Map<string, number>(), quirks: new Map<string, number>() };
  const add = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
  return {
    tally,
    scene: (leftOut: number): void => {
      tally.scenes++;
      tally.leftOut += leftOut;
    },
    outcome: (outcome: HistoryOutcome): void => {
      if (outcome.result === "ok" || outcome.result === "abort") tally.transactions++;
      add(tally.kinds, kindOf(outcome));
    },
    quirk: (name: string): void => add(tally.quirks, name),
    kept: (count: number): void => void (tally.kept += count),
  };
};

const counted = (counts: ReadonlyMap<string, number>): string => [...counts].toSorted(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(", ");
export const told = ({ scenes, transactions, leftOut, kinds, quirks, kept }: Tally, seed: number): string =>
  [
    `seed ${seed}: ${transactions} transactions in ${scenes} scenes agree${kept > 0 ? `, ${kept} of them answered from what was kept` : ""}; ${leftOut} left out (to devices, or deadly to QEMU)`,
    `outcomes: ${counted(kinds)}`,
    `quirks that decided, in the scenes looked at for them: ${counted(quirks)}`,
  ].join("\n");
