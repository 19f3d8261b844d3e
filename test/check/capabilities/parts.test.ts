/** Properties of the kernel's tables: what each says of a state in which one thing is wrong, and that parts are judged as the whole. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mutableCopy, NONE, packed, type Plain } from "../../../src/base/state.ts";
import { createModel, type Model } from "../../../src/check/model.ts";
import { properties, type PropertyName } from "../../../src/check/properties/properties.ts";
import { CB, CNODE, FRAME, kinds, NULL, READ_WRITE, SID, UNTYPED } from "../../../src/kernel/capability.ts";
import { cofferdam, type Profile, profileNamed } from "../../../src/kernel/profile.ts";
import type { KernelShape } from "../../../src/kernel/state.ts";
import { bootOf, slotOf } from "../../kernel/fixture.ts";

type Slots = { -readonly [F in keyof Plain<KernelShape>["slot"][number]]: number }[];
interface Wrong {
  readonly model: Model;
  readonly state: Plain<KernelShape>;
  readonly slot: Slots;
  /** Row of a component's slot by its name in the layout. */
  readonly row: (component: string, name: string) => number;
  /** The first empty row of a component. */
  readonly empty: (component: string) => number;
}
const ofParts = properties.filter(({ parts }) => parts !== undefined);

const spoilt = (system: string, profile: Profile = cofferdam): Wrong => {
  const booted = bootOf(system, {}, profile);
  const model = createModel(booted, properties);
  const state = mutableCopy(model.packed.unpack(model.initial, 0));
  const cnodeOf = (component: string) => booted.plan.cnodes[booted.layout.components.findIndex(({ name }) => name === component)]!;
  return {
    model,
    state,
    slot: state.slot as Slots,
    row: (component, name) => cnodeOf(component).firstRow + cnodeOf(component).indices.indexOf(slotOf(booted, component, name)),
    empty: (component) => cnodeOf(component).indices.map((_, at) => cnodeOf(component).firstRow + at).find((at) => state.slot[at]!.kind === NULL)!,
  };
};
/** Property and message of everything that is wrong, of the properties of parts. */
const found = ({ model, state }: Wrong): Partial<Record<PropertyName, string>> => {
  const words = new Uint32Array(model.words);
  packed(model.booted.shape).pack(state, words, 0);
  const mask = model.judge(words, 0);
  const view = model.viewAt(words, 0);
  const messages = ofParts.flatMap((property) => {
    const message = property.violation(view)?.message;
    expect(message !== undefined, property.name).toBe(((mask >>> properties.indexOf(property)) & 1) === 1);
    return message === undefined ? [] : [[property.name, message]];
  });
  return Object.fromEntries(messages) as Partial<Record<PropertyName, string>>;
};
const rowOfKind = ({ slot }: Wrong, kind: number, object = 0): number => slot.findIndex((row) => row.kind === kind && row.object === object);

describe("a state in which one thing is wrong", () => {
  it("none, is right", () => {
    for (const system of ["one-driver", "shared-config", "two-spaces", "self-service", "two-vms"]) expect(found(spoilt(system))).toEqual({});
  });

  it("a capability where nothing leads is a leak, and so are more rights", () => {
    const leak = spoilt("one-driver");
    const [from, to] = [leak.row("vault", "secrets_0"), leak.empty("nic-driver")];
    leak.slot[to] = { ...leak.slot[from]!, parent: from, revocable: 0, asid: NONE, address: 0 };
    expect(Object.keys(found(leak))).toEqual(["authority-confinement"]);
    const grown = spoilt("shared-config");
    grown.slot[grown.row("nic-driver", "config_0")]!.rights = READ_WRITE;
    expect(found(grown)).toEqual({ "authority-confinement": expect.stringContaining("more rights") as string });
  });

  it("a stream or memory that is made twice is found, whoever holds it", () => {
    const twice = spoilt("self-service");
    const [from, to] = [rowOfKind(twice, SID), twice.empty("nic-driver")];
    twice.slot[to] = { ...twice.slot[from]! };
    expect(found(twice)).toEqual({ "authority-confinement": expect.stringContaining("the same object") as string });
    const memory = spoilt("one-driver");
    const untyped = memory.slot[rowOfKind(memory, UNTYPED)]!;
    const heap = memory.model.booted.plan.pages.findIndex((page) => page.untyped === untyped.object);
    const cnode = memory.model.booted.plan.cnodes.findIndex(({ address }) => address === memory.model.booted.plan.pages[heap]!.pa);
    untyped.watermark = 1;
    const made = { object: heap, rights: READ_WRITE, asid: NONE, address: 0, guard: 0, badge: 0, watermark: 0, parent: rowOfKind(memory, UNTYPED), revocable: 1 };
    const [first, second] = [memory.empty("nic-driver"), memory.row("nic-driver", "ring_0")];
    memory.slot[first] = { ...made, kind: FRAME };
    memory.slot[second] = { ...made, kind: CNODE, object: cnode, rights: 0 };
    expect(found(memory)["authority-confinement"]).toContain("the same memory");
  });

  it("a link of the tree that is wrong is named", () => {
    const tree = (change: (wrong: Wrong, original: number, copy: number) => void): string | undefined => {
      const wrong = spoilt("one-driver");
      const original = rowOfKind(wrong, SID);
      change(wrong, original, wrong.slot.findIndex((row, at) => row.kind === SID && at !== original));
      return found(wrong)["derivation-tree"];
    };
    expect(tree(({ slot }, original, copy) => void (slot[copy]!.parent = slot[original]!.parent))).toContain("not below the original");
    expect(tree((wrong, _, copy) => void (wrong.slot[copy]!.parent = wrong.empty("nic-driver")))).toContain("a slot that is empty");
    expect(tree((wrong, _, copy) => void (wrong.slot[copy]!.parent = rowOfKind(wrong, CB)))).toContain("no part in it");
    expect(tree((wrong, original) => void (wrong.slot[rowOfKind(wrong, FRAME)]!.parent = rowOfKind(wrong, original < 0 ? CB : UNTYPED)))).toContain("no part in it");
    expect(tree(({ slot }, original, copy) => {
      slot[copy]!.revocable = 1;
      slot[original]!.parent = copy;
    })).toContain("derived from itself");
  });

  it("what the kernel notes and what is held are compared both ways", () => {
    const lost = spoilt("one-driver");
    for (const row of lost.slot) if (row.kind === SID) Object.assign(row, { kind: NULL, parent: NONE, revocable: 0, object: 0 });
    expect(found(lost)).toEqual({ counters: expect.stringContaining("nobody holds") as string });
    const unnoted = spoilt("one-driver");
    (unnoted.state.cb[0] as { issued: number }).issued = 0;
    expect(found(unnoted)).toEqual({ counters: expect.stringContaining("does not note") as string });
    const counted = spoilt("one-driver", profileNamed("smmuv3-talk"));
    (counted.state.asid[0] as { banks: number }).banks = 1;
    expect(found(counted)).toEqual({ counters: expect.stringContaining("counts 1 bank(s), and 0 use it") as string });
  });
});

describe("judging in parts", () => {
  it("what is judged in parts is what is judged whole, in whatever order states come and whatever is damaged in them", () => {
    const models = [spoilt("one-driver"), spoilt("self-service"), spoilt("two-vms")].map(({ model }) => model);
    let violating = 0;
    let right = 0;
    fc.assert(
      fc.property(fc.nat(models.length - 1), fc.array(fc.record({ choice: fc.nat(10_000), collapsed: fc.boolean(), damage: fc.option(fc.record({ row: fc.nat(10_000), from: fc.nat(10_000), field: fc.constantFrom("kind", "parent", "revocable", "whole") }), { freq: 4 }) }), { maxLength: 20 }), (which, path) => {
        const model = models[which]!;
        const numbers = new Uint32Array(model.collapse.numbers);
        const at = (state: Uint32Array, collapsed: boolean): void => {
          model.collapse.collapse(state, 0, numbers);
          const mask = collapsed ? model.collapsed.judge(numbers, 0) : model.judge(state, 0);
          const view = model.viewAt(state, 0);
          for (const property of ofParts) expect(property.violation(view) !== undefined, property.name).toBe(((mask >>> properties.indexOf(property)) & 1) === 1);
          if (mask === 0) right += 1;
          else violating += 1;
        };
        let state: Uint32Array = model.initial;
        for (const { choice, collapsed, damage } of path) {
          const next: Uint32Array[] = [];
          model.expand(state, 0, (successor) => void next.push(successor.slice(0, model.words)));
          state = next[choice % next.length] ?? state;
          at(state, collapsed);
          if (damage === null) continue;
          const plain = mutableCopy(model.packed.unpack(state, 0));
          const slot = plain.slot as Slots;
          const [row, from] = [slot[damage.row % slot.length]!, slot[damage.from % slot.length]!];
          if (damage.field === "whole") Object.assign(row, from);
          else row[damage.field] = damage.field === "kind" ? damage.from % kinds.indexOf("asidControl") : from[damage.field];
          const words = new Uint32Array(model.words);
          model.packed.pack(plain, words, 0);
          // A kind without such an object is no state.
          if (row.kind !== NULL && row.object >= ([1, model.booted.plan.untypeds.length, model.booted.plan.cnodes.length, model.booted.plan.pages.length, model.booted.plan.pages.length, model.booted.plan.vspaces.length, 1, model.booted.plan.sids.length, 1, model.booted.plan.cbs.length][row.kind] ?? 0)) continue;
          at(words, collapsed);
          // What was judged last in the same way is not always what was judged last.
          at(state, !collapsed);
          at(words, collapsed);
        }
      }),
      { numRuns: 60 },
    );
    expect(right).toBeGreaterThan(100);
    expect(violating).toBeGreaterThan(20);
  });
});
