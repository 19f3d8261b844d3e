/**
 * The bound of authority: what each component may ever hold, computed from the first state alone (take-grant; l4v
 * spec/take-grant, `leak` and `authority_confinement` of Confine_S.thy).
 *
 * CNodes that reach one another by CNode capabilities are one island: whoever holds a capability into it can store in every
 * part of it. An island may hold what stands in it at first, what its untypeds may become, and what its control
 * capabilities may issue. Nothing else leads from one island to another: no endpoint is held in an explored state, so
 * nobody can grant.
 */
import { NONE } from "../../../base/state.ts";
import { CB, CB_CONTROL, CNODE, CNODE_ZOMBIE, FRAME, PAGE_TABLE, READ_WRITE, SID, SID_CONTROL, UNTYPED, VSPACE } from "../../../kernel/capability.ts";
import type { Plan } from "../../../kernel/plan.ts";
import type { Booted } from "../../../system/boot.ts";
import { isWithin, madeObjects, memoryOf } from "./memory.ts";

/** KERNEL_ONLY, READ_WRITE, READ_ONLY: how much each of them allows. */
const RANK: readonly number[] = [0, 2, 1];
/** Are these rights no more than those? Only frames have any in an explored state. */
export const dominates = (bound: number, kind: number, rights: number): boolean => kind !== FRAME || RANK[rights]! <= RANK[bound]!;

const keyOf = (kind: number, object: number): number => (kind === CNODE_ZOMBIE ? CNODE : kind) * 2 ** 24 + object;

/** What an island may hold, with the greatest rights. */
class Holdings {
  private readonly most = new Map<number, number>();
  private readonly plan: Plan;

  constructor(plan: Plan) {
    this.plan = plan;
  }
  /** Rights, or NONE. */
  get(kind: number, object: number): number {
    return this.most.get(keyOf(kind, object)) ?? NONE;
  }
  add(kind: number, object: number, rights: number): void {
    const key = keyOf(kind, object);
    const known = this.most.get(key);
    if (known !== undefined && dominates(known, kind, rights)) return;
    this.most.set(key, rights);
    if (known === undefined) this.follow(kind, object);
  }
  /** What the capability leads to. */
  private follow(kind: number, object: number): void {
    const { plan } = this;
    if (kind === SID_CONTROL) for (const sid of plan.sids.keys()) this.add(SID, sid, 0);
    if (kind === CB_CONTROL) for (const cb of plan.cbs.keys()) this.add(CB, cb, 0);
    if (kind !== UNTYPED) return;
    const whole = memoryOf(plan, UNTYPED, object)!;
    for (const made of madeObjects(plan)) if (made.kind !== VSPACE && isWithin(made.memory, whole)) this.add(made.kind, made.object, made.kind === FRAME ? READ_WRITE : 0);
    for (const untyped of plan.untypeds.keys()) if (isWithin(memoryOf(plan, UNTYPED, untyped)!, whole)) this.add(UNTYPED, untyped, 0);
  }
}

/** Of each CNode: the number of its island. */
const islandsOf = ({ plan, state }: Booted): number[] => {
  const island = plan.cnodes.map((_, cnode) => cnode);
  for (const [row, { kind, object }] of state.slot.entries()) {
    const place = plan.slots[row]!;
    if (kind !== CNODE || place.in !== "cnode") continue;
    const [kept, gone] = [island[place.cnode]!, island[object]!];
    for (const [cnode, of] of island.entries()) if (of === gone) island[cnode] = kept;
  }
  return island;
};

export interface Bound {
  /** The greatest rights with which a row may hold a capability to an object; NONE where it may hold none. */
  readonly at: (row: number, kind: number, object: number) => number;
  /** May anybody ever hold one? */
  readonly anywhere: (kind: number, object: number) => boolean;
}

const greatest = (kind: number, rights: readonly number[]): number => rights.reduce((most, next) => (most === NONE || (next !== NONE && dominates(next, kind, most)) ? next : most), NONE);

export const boundOf = (booted: Booted): Bound => {
  const { plan, state } = booted;
  const island = islandsOf(booted);
  const all = new Map<number, Holdings>();
  for (const of of island) if (!all.has(of)) all.set(of, new Holdings(plan));
  for (const [row, { kind, object, rights }] of state.slot.entries()) {
    const place = plan.slots[row]!;
    if (place.in === "cnode" && kind !== 0) all.get(island[place.cnode]!)!.add(kind, object, rights);
  }
  const holdings = [...all.values()];
  /** A CNode that is yet to be made belongs to whoever may make it. */
  const ofCnode = plan.cnodes.map((_, cnode) => [...new Set([all.get(island[cnode]!)!, ...holdings.filter((one) => one.get(CNODE, cnode) !== NONE)])]);
  const binds = (kind: number, object: number, over: number, target: number): boolean => holdings.some((one) => one.get(kind, object) !== NONE && one.get(over, target) !== NONE);
  const at: Bound["at"] = (row, kind, object) => {
    const place = plan.slots[row]!;
    switch (place.in) {
      case "cnode":
        return greatest(kind, ofCnode[place.cnode]!.map((one) => one.get(kind, object)));
      // The kernel's copies are there for whoever held both capabilities.
      case "sidNode":
        return kind === CB && binds(SID, place.sid, CB, object) ? 0 : NONE;
      case "cbNode":
        return kind === VSPACE && binds(CB, place.cb, VSPACE, object) ? 0 : NONE;
      default:
        return NONE;
    }
  };
  return { at, anywhere: (kind, object) => holdings.some((one) => one.get(kind, object) !== NONE) };
};
/** Kinds of which each object has one original, which only its maker can make. */
export const MADE_ONCE: ReadonlySet<number> = new Set([FRAME, PAGE_TABLE, CNODE, VSPACE, SID, CB]);
