/** Walks by walk.ts in both stages, put together as a transaction does: what walks on lanes are held against. */
import { Event, eventTypes } from "../../specs/smmuv3/event.ts";
import type { Stage2 } from "../../src/smmuv3/configuration.ts";
import type { Context } from "../../src/smmuv3/context.ts";
import { TRANSLATED } from "../../src/smmuv3/laneWalk.ts";
import type { Read } from "../../src/smmuv3/memory.ts";
import { type Asked, type Placed, walkStage1, walkStage2 } from "../../src/smmuv3/walk.ts";

/** Stage 1, stage 2, or both. */
export type Regime = { readonly context: Context; readonly stage2?: Stage2 } | { readonly context?: undefined; readonly stage2: Stage2 };

/** What a walk says, in numbers of events; addresses where the answer has them. `size` is log2 of bytes. */
export interface Said {
  readonly fault: number;
  readonly stage?: number;
  readonly class?: number;
  readonly pa?: bigint;
  readonly size?: number;
  readonly ipa?: bigint;
  readonly fetch?: bigint;
}
const { TT, IN } = Event.fields.CLASS.is;
const log2 = (size: bigint): number => size.toString(2).length - 1;

/** A walk by walk.ts, with stage 2 as transaction.ts asks it; `updates` is set where hardware would write. */
export const bigintWalk = (read: Read, { context, stage2 }: Regime, address: bigint, asked: Asked): { readonly said: Said; readonly updates: boolean } => {
  let updates = false;
  const second = (regime: Stage2, ipa: bigint, wanted: Asked, of: number) => {
    const walked = walkStage2(read, regime, ipa, wanted);
    const base = { stage: 2, class: of, ipa };
    if (walked.result === "external") return { said: { ...base, fault: eventTypes.F_WALK_EABT, fetch: walked.fetch } };
    if (walked.result === "fault") return { said: { ...base, fault: eventTypes[walked.fault] } };
    if (of === TT && regime.protectedWalk && (walked.leaf.memory.memAttr & (regime.forcesWriteBack ? 0b0100 : 0b1100)) === 0) return { said: { ...base, fault: eventTypes.F_PERMISSION } };
    updates ||= walked.update !== undefined;
    return { leaf: walked.leaf, pa: walked.leaf.pa + (ipa - walked.leaf.ipa), said: undefined };
  };
  const through = (ipa: bigint, size?: number): Said => {
    const found = second(stage2!, ipa, asked, IN);
    return found.said ?? { fault: TRANSLATED, pa: found.pa, ipa, size: Math.min(log2(found.leaf.size), size ?? 64) };
  };
  const first = (one: Context): Said => {
    const place = (at: bigint): Placed<Said> => {
      if (stage2 === undefined) return { result: "at", addr: at };
      const found = second(stage2, at, { op: "read", priv: true }, TT);
      return found.said === undefined ? { result: "at", addr: found.pa } : { result: "refused", refusal: found.said };
    };
    const walked = walkStage1({ read, place }, one, address, asked);
    if (walked.result === "refused") return walked.refusal;
    if (walked.result === "external") return { fault: eventTypes.F_WALK_EABT, stage: 1, class: TT, fetch: walked.fetch };
    if (walked.result === "fault") return { fault: eventTypes[walked.fault], stage: 1, class: IN };
    updates ||= walked.update !== undefined;
    const output = walked.leaf.output + (address & (walked.leaf.size - 1n));
    return stage2 === undefined ? { fault: TRANSLATED, pa: output, size: log2(walked.leaf.size) } : through(output, log2(walked.leaf.size));
  };
  const said = context === undefined ? through(address) : first(context);
  return { said, updates };
};
