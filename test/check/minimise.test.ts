/** Traces made short and alike, and several of them from one exploration. */
import { describe, expect, it } from "vitest";
import { breadthFirst, type Explorable } from "../../src/check/search/breadth.ts";
import { checkLayout } from "../../src/check/check.ts";
import { defaultBounds } from "../../src/check/checkOptions.ts";
import { minimised, normalised } from "../../src/check/traces/minimise.ts";
import { createModel, type Model } from "../../src/check/model.ts";
import { type Move, moveIn, moveOf, traceOfMoves } from "../../src/check/traces/moves.ts";
import { properties } from "../../src/check/properties/properties.ts";
import { replay } from "../../src/check/traces/replay.ts";
import { messagesOf, traceModel } from "../../src/check/traces/trace.ts";
import { cofferdam, mutantOf, type Safeguard } from "../../src/kernel/profile.ts";
import { defaultScope } from "../../src/system/scale.ts";
import { bootOf, layoutOf } from "../kernel/fixture.ts";

const noDangling = properties.find(({ name }) => name === "no-dangling")!;
const failClosed = properties.find(({ name }) => name === "fail-closed")!;
const modelWithout = (without: Safeguard) => createModel(bootOf("one-driver", {}, mutantOf(cofferdam, without)), properties);

const move = (op: string, args: Readonly<Record<string, string>>, actor = "nic-driver"): Move => moveOf({ actor, op, args })!;
const assign = move("ARMCBAssignVspace", { cptr: "0x3", vspace: "0x4" });
const unassign = move("ARMCBUnassignVspace", { cptr: "0x3" });
const bind = move("ARMSIDBindCB", { cptr: "0x2", cb: "0x3" });
const unmap = move("ARMPageUnmap", { cptr: "0x5" });
const deletion = (index: string) => move("CNodeDelete", { cptr: "0x1", index, depth: "0x40" });
const names = (moves: readonly Move[]) => moves.map(({ message }) => message.label);

/** The state after moves that must all be answered without an error. */
const endOf = (model: Model, moves: readonly Move[]): Uint32Array =>
  moves.reduce((state, each) => {
    const moved = moveIn(model, state, each);
    if ("error" in moved) throw new Error(`${each.message.label} answers ${moved.error}`);
    return moved.state;
  }, model.initial);
const breaks = (model: Model, moves: readonly Move[], property = noDangling): boolean => {
  try {
    return property.violation(model.viewAt(endOf(model, moves), 0)) !== undefined;
  } catch {
    return false;
  }
};

const LONGEST_WALK = 25;

/** Moves of a walk until some property fails, drawn by a linear congruential generator; walks that fail nothing are given up. */
const walk = (model: Model, seed: number): { moves: Move[]; violated: number } => {
  let random = seed;
  for (let tries = 0; tries < 2000; tries++) {
    let state = model.initial;
    const ordinals: number[] = [];
    while (ordinals.length < LONGEST_WALK) {
      const successors: { ordinal: number; state: Uint32Array }[] = [];
      model.expand(state, 0, (successor, ordinal) => void successors.push({ ordinal, state: successor.slice() }));
      if (successors.length === 0) break;
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      const next = successors[(random >>> 8) % successors.length]!;
      state = next.state;
      ordinals.push(next.ordinal);
      const violated = model.judge(state, 0);
      if (violated !== 0) return { moves: messagesOf(model, ordinals).map((message) => moveOf(message)!), violated };
    }
  }
  throw new Error("no walk broke anything");
};

describe("minimising", () => {
  const model = modelWithout("unmap-invalidates");
  const needed = [assign, bind, unmap, deletion("0x5")];

  it("leaves out loops, refused moves, moves that go in pairs, and what comes after the break", () => {
    const copy = move("CNodeCopy", { cptr: "0x1", dest_index: "0x7", dest_depth: "0x40", src_root: "0x1", src_index: "0x2", src_depth: "0x40" });
    const flush = move("ARMCBTLBInvalidate", { cptr: "0x3" });
    const noise = [assign, unassign, assign, move("ARMPageUnmap", { cptr: "0x9" }), copy, bind, flush, bind, unmap, deletion("0x5"), flush, unassign];
    const found = minimised(model, noDangling, noise)!;
    expect(found.complete).toBe(true);
    expect(names(found.moves).toSorted()).toEqual(names(needed).toSorted());
    expect(breaks(model, found.moves)).toBe(true);
  });

  it("takes two moves out together where neither can go alone, and they are not neighbours", () => {
    const moves = [assign, bind, unassign, deletion("0x6"), assign, unmap, deletion("0x5")];
    expect(breaks(model, moves)).toBe(true);
    for (const at of [2, 4]) expect(breaks(model, moves.toSpliced(at, 1))).toBe(false);
    expect(minimised(model, noDangling, moves)!.moves).toHaveLength(4);
  });

  it("cuts loops out first, so that a long walk costs little more than itself", () => {
    const long = [...Array.from({ length: 500 }, () => [assign, unassign]).flat(), ...needed];
    const found = minimised(model, noDangling, long, long.length + 200)!;
    expect(found.complete).toBe(true);
    expect(found.moves).toHaveLength(needed.length);
  });

  it("says undefined of moves that break nothing", () => {
    expect(minimised(model, noDangling, [assign, bind, unmap])).toBeUndefined();
    expect(minimised(createModel(bootOf("one-driver"), properties), noDangling, needed)).toBeUndefined();
  });

  it("stops at its budget with moves that still break the property, and says so", () => {
    const long = [assign, unassign, assign, bind, move("ARMCBTLBInvalidate", { cptr: "0x3" }), unmap, deletion("0x5")];
    const found = minimised(model, noDangling, long, long.length + 2)!;
    expect(found.complete).toBe(false);
    expect(breaks(model, found.moves)).toBe(true);
  });

  for (const [without, seed] of [["unmap-invalidates", 1], ["unmap-invalidates", 2], ["unbind-clears-ste", 3], ["frame-delete-invalidates", 4], ["unassign-aborts-streams", 5], ["revoke-finalises-kernel-copies", 6]] as const) {
    it(`a random walk without ${without} (seed ${seed}) comes down to moves of which none can go`, () => {
      const broken = modelWithout(without);
      const { moves, violated } = walk(broken, seed);
      const property = properties.find((_, bit) => ((violated >>> bit) & 1) !== 0)!;
      const found = minimised(broken, property, moves)!;
      expect(found.complete).toBe(true);
      expect(found.moves.length).toBeLessThanOrEqual(Math.min(moves.length, 12));
      expect(breaks(broken, found.moves, property)).toBe(true);
      expect(normalised(broken, found.moves)).toEqual(found.moves);
      for (const at of found.moves.keys()) expect(breaks(broken, found.moves.toSpliced(at, 1), property), `without move ${at + 1}`).toBe(false);
    });
  }

  it("gives a trace that replays to the same end, as check's own do", () => {
    const { booted } = model;
    const head = { model: traceModel(booted, defaultScope, "may"), spec: { hash: "" } };
    const { trace } = traceOfMoves(model, head, properties.indexOf(noDangling), needed);
    expect(replay(booted, noDangling, trace, trace.final)).toMatchObject({ result: "violated" });
    expect(replay(booted, noDangling, { ...trace, steps: trace.steps.slice(0, 3) })).toEqual({ result: "holds" });
    const shortest = checkLayout(layoutOf("one-driver"), { profile: booted.profile, properties: [noDangling] }).violations[0]!.trace!;
    expect(trace).toEqual({ ...shortest, spec: { hash: "" } });
  });
});

describe("the normal form", () => {
  const model = modelWithout("unmap-invalidates");
  const other = deletion("0x6");

  it("is one for all orders of moves that commute, and has the same end", () => {
    const orders = [[other, assign, bind, unmap], [assign, other, bind, unmap], [assign, bind, other, unmap], [assign, bind, unmap, other]];
    const ends = orders.map((moves) => endOf(model, moves));
    expect(new Set(ends.map((state) => state.join())).size).toBe(1);
    const forms = orders.map((moves) => normalised(model, moves));
    for (const form of forms) expect(form).toEqual(forms[0]);
    expect(endOf(model, forms[0]!)).toEqual(ends[0]);
    expect(normalised(model, forms[0]!)).toEqual(forms[0]);
  });

  it("keeps the order of moves that do not commute", () => {
    // Deleting comes before unmapping in declared order, but what was deleted cannot be unmapped.
    expect(names(normalised(model, [unmap, deletion("0x5")]))).toEqual(["ARMPageUnmap", "CNodeDelete"]);
    // Once the stream is bound, the page may be cached; before, it is not.
    expect(normalised(model, [assign, bind, unmap])).toEqual([assign, bind, unmap]);
    expect(normalised(model, [unmap, assign, bind])).not.toEqual([assign, bind, unmap]);
    // Both orders are possible and end otherwise: a bank that was unassigned at the end is not one that was assigned.
    expect(names(normalised(model, [assign, unassign, assign]))).toEqual(["ARMCBAssignVspace", "ARMCBUnassignVspace", "ARMCBAssignVspace"]);
  });
});

describe("several counterexamples", () => {
  it("are found behind the first, by different invocations, shortest first, none through a violating state", () => {
    const profile = mutantOf(cofferdam, "unbind-clears-ste");
    const { violations, properties: judged } = checkLayout(layoutOf("one-driver"), { profile, traces: 3 });
    expect(violations.map(({ property }) => property)).toEqual(["fail-closed", "fail-closed", "fail-closed", "refinement", "refinement", "refinement"]);
    const traces = violations.filter(({ property }) => property === "fail-closed").map(({ trace }) => trace!);
    expect(traces[0]).toEqual(checkLayout(layoutOf("one-driver"), { profile }).violations[0]!.trace);
    expect(new Set(traces.map(({ steps }) => steps.map(({ actor, op }) => `${actor} ${op}`).join())).size).toBe(3);
    expect(traces.map(({ steps }) => steps.length)).toEqual(traces.map(({ steps }) => steps.length).toSorted((a, b) => a - b));
    const model = createModel(bootOf("one-driver", {}, profile), properties);
    for (const { steps } of traces) {
      const moves = steps.map((step) => moveOf(step)!);
      for (let length = 0; length < moves.length; length++) expect(breaks(model, moves.slice(0, length), failClosed)).toBe(false);
      expect(breaks(model, moves, failClosed)).toBe(true);
    }
    // What lies behind violating states was not looked at, so nothing is said to hold.
    expect(judged.find(({ name }) => name === "dma-confinement")!.result).toBe("undecided");
  });

  /** A binary tree of depth 4, numbered from 1; the numbers of some nodes are bad. */
  const tree = (bad: readonly number[]): Explorable => ({
    words: 1,
    initial: Uint32Array.of(1),
    expand: (states, at, visit) => {
      if (states[at]! < 16) for (const side of [0, 1]) visit(Uint32Array.of(states[at]! * 2 + side), side, 1);
    },
    judge: (states, at) => Number(bad.includes(states[at]!)),
  });
  const signature = (ordinals: readonly number[]) => ordinals.join("");

  it("stop when there are enough, or when everything else was seen", () => {
    const wanted = (traces: number) => breadthFirst(tree([2, 4, 6, 25, 31]), defaultBounds, () => true, { traces, signature });
    expect(wanted(1).found.map(({ ordinals }) => ordinals)).toEqual([[0]]);
    expect(wanted(2).found.map(({ ordinals }) => ordinals)).toEqual([[0], [1, 0]]);
    // 4 lies behind 2, and 25 behind 6.
    expect(wanted(9)).toMatchObject({ end: "violated", found: [{ ordinals: [0] }, { ordinals: [1, 0] }, { ordinals: [1, 1, 1, 1] }] });
  });

  it("count once where the signature is one", () => {
    const { found } = breadthFirst(tree([8, 9, 15]), defaultBounds, () => true, { traces: 9, signature: (ordinals) => String(ordinals[0]) });
    expect(found.map(({ ordinals }) => ordinals)).toEqual([[0, 0, 0], [1, 1, 1]]);
  });
});
