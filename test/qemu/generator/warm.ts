/** Histories with warm caches: a scene and what comes after, as the model goes through it, with nothing in it that harms QEMU. */
import fc from "fast-check";
import { offsets } from "../../../specs/smmuv3/registers.ts";
import type { Device, HistoryOutcome } from "../../../src/smmuv3/device.ts";
import type { History, HistoryStep } from "../../../src/smmuv3/history.ts";
import { type Quirks, quirkSets } from "../../../src/smmuv3/quirks.ts";

import { carriedOut, coldModel, DeviceRead, deviceWith, type Machine, USUAL } from "./answers.ts";
import { weighted, always } from "./choosing.ts";
import { draft, later, type Drafted } from "./later.ts";
import { scene } from "./scene.ts";

export interface WarmScene {
  readonly drafted: readonly Drafted[];
  readonly machine: Machine;
}
const qemu10 = quirkSets["qemu-10.0"];
/** Scenes in which most transactions go through at first, so that there is something to keep. */
const fertile = scene.filter(({ boot, transactions }) => {
  const ask = coldModel(boot, qemu10);
  return 2 * transactions.filter(({ transaction }) => ask(transaction)?.result === "ok").length >= transactions.length;
});
export const warmScene: fc.Arbitrary<WarmScene> = fc
  .record({
    scene: weighted([3, fertile], [1, scene]),
    later: fc.array(later, { minLength: 2, maxLength: 16 }),
    machine: weighted<Machine>([4, always(USUAL)], [1, fc.nat(3).map((log2) => ({ log2, pileUp: true }))]),
  })
  .map(({ scene: made, later: choices, machine }) => {
    const ask = coldModel(made.boot, qemu10);
    const ways = made.transactions.map(({ transaction }) => (ask(transaction)?.via ?? []).map(({ addr }) => addr));
    return { drafted: [...made.boot, ...draft(made, ways, choices)], machine };
  });

export interface Settled {
  readonly history: History;
  readonly outcomes: readonly HistoryOutcome[];
  readonly device: Device;
  readonly dropped: number;
}
/** Without OVFLG, which `upper` may acknowledge. */
const INDEX = (1n << 20n) - 1n;
const consumed = (device: Device, upper = 0n): HistoryStep => ({ kind: "register", offset: offsets.EVENTQ_CONS, value: (BigInt(device.registers().get(offsets.EVENTQ_PROD) ?? 0) & INDEX) | upper, size: 4 });

const stepOf = (device: Device, step: HistoryStep): HistoryOutcome[] | undefined => {
  try {
    return device.step(step);
  } catch (error) {
    if (error instanceof DeviceRead) return undefined;
    throw error;
  }
};

/** Goes through a draft, makes its drains, and leaves out what would harm. */
export const settle = ({ drafted, machine }: WarmScene, quirks: Quirks): Settled => {
  let steps = [...drafted];
  for (let dropped = 0; ; dropped++) {
    const device = deviceWith(machine, quirks);
    const history: HistoryStep[] = [];
    const outcomes: HistoryOutcome[] = [];
    const bad = steps.findIndex((step) => {
      const made = step.kind === "drain" ? consumed(device, step.upper) : step;
      const came = stepOf(device, made);
      if (came === undefined || !came.every(carriedOut)) return true;
      history.push(made);
      outcomes.push(...came);
      if (!machine.pileUp && came.some((outcome) => outcome.result === "abort" && outcome.event !== undefined)) {
        const drain = consumed(device);
        device.step(drain);
        history.push(drain);
      }
      return false;
    });
    if (bad < 0) return { history, outcomes, device, dropped };
    steps = steps.toSpliced(bad, 1);
  }
};
