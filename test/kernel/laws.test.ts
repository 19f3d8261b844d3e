import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { change, NONE, packed, type Plain, viewOf } from "../../src/base/state.ts";
import type { Step } from "../../src/base/step.ts";
import { canonicalise } from "../../src/kernel/canonical.ts";
import { kinds, NULL } from "../../src/kernel/capability.ts";
import { forEachInstance } from "../../src/kernel/instances.ts";
import type { Invocation, Request } from "../../src/kernel/invocation.ts";
import { refusedBy } from "../../src/kernel/invocations.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { KernelShape, KernelTables } from "../../src/kernel/state.ts";
import type { Booted } from "../../src/system/boot.ts";
import { cofferdam } from "../../src/kernel/profile.ts";
import { bootOf, twoPages } from "./fixture.ts";

const everyone = ({ plan }: Booted) => plan.subjects.map((_, subject) => subject);

const kernelOver = (booted: Booted, tables: KernelTables, steps: Step[] = []): Kernel => ({
  plan: booted.plan,
  profile: booted.profile,
  driver: booted.driver,
  tables,
  emit: (given) => void steps.push(...given),
});

interface Chosen {
  readonly definition: Invocation;
  readonly request: Request;
  readonly refused: boolean;
}
/** Every instance in a state, refused or not; all subjects act, trusted ones too, so that more is met. */
const instances = (booted: Booted, state: Plain<KernelShape>): Chosen[] => {
  const kernel = kernelOver(booted, viewOf(state));
  const found: Chosen[] = [];
  forEachInstance(kernel, everyone(booted), (_, definition, request) => {
    const copy = { target: request.target, caps: [...request.caps], words: [...request.words] };
    found.push({ definition, request: copy, refused: refusedBy(kernel, definition, copy) !== undefined });
  });
  return found;
};

/** Random walks: at each state one of the instances that are not refused. */
const walk = (booted: Booted, choices: readonly number[], visit: (before: Plain<KernelShape>, chosen: Chosen, after: Plain<KernelShape>, steps: Step[]) => void): void => {
  let state = booted.state;
  for (const choice of choices) {
    const open = instances(booted, state).filter(({ refused }) => !refused);
    const chosen = open[choice % open.length]!;
    const steps: Step[] = [];
    const after = change(state, (tables) => chosen.definition.effect(kernelOver(booted, tables, steps), chosen.request));
    visit(state, chosen, after, steps);
    state = after;
  }
};

const systems = [bootOf("one-driver", { slots: 2 }, cofferdam, twoPages), bootOf("shared-config", { pages: 2 }), bootOf("two-vms")];
const choices = fc.array(fc.nat(10_000), { minLength: 1, maxLength: 25 });
const system = fc.constantFrom(...systems);

describe("laws", () => {
  it("every view of the state runs every invocation to the same state and the same steps", () => {
    fc.assert(
      fc.property(system, choices, (booted, path) => {
        const view = packed(booted.shape);
        const words = new Uint32Array(view.words);
        walk(booted, path, (before, { definition, request }, after, steps) => {
          view.pack(before, words, 0);
          view.window.set(words);
          const given: Step[] = [];
          const kernel = kernelOver(booted, view.tables, given);
          expect(refusedBy(kernel, definition, request)).toBeUndefined();
          definition.effect(kernel, request);
          expect(given).toEqual(steps);
          expect(view.unpack(Uint32Array.from(view.window), 0)).toEqual(after);
        });
      }),
      { numRuns: 60 },
    );
  });

  it("a refused invocation changes nothing, because refusals only read", () => {
    fc.assert(
      fc.property(system, choices, (booted, path) => {
        walk(booted, path, (state) => {
          const frozen = JSON.stringify(state);
          for (const { definition, request, refused } of instances(booted, state)) if (refused) refusedBy(kernelOver(booted, viewOf(state)), definition, request);
          expect(JSON.stringify(state)).toBe(frozen);
        });
      }),
      { numRuns: 10 },
    );
  });

  it("a state and its canonical form answer every invocation alike, and stay alike after it", () => {
    const canonical = (booted: Booted, state: Plain<KernelShape>) => change(state, (tables) => canonicalise(kernelOver(booted, tables)));
    fc.assert(
      fc.property(system, choices, (booted, path) => {
        walk(booted, path, (_, __, state) => {
          const form = canonical(booted, state);
          const [all, same] = [instances(booted, state), instances(booted, form)];
          expect(same.map(({ refused }) => refused)).toEqual(all.map(({ refused }) => refused));
          for (const { definition, request } of all.filter(({ refused }) => !refused)) {
            const after = (from: Plain<KernelShape>) => canonical(booted, change(from, (tables) => definition.effect(kernelOver(booted, tables), request)));
            expect(after(form)).toEqual(after(state));
          }
        });
      }),
      { numRuns: 12 },
    );
  });

  it("the derivation tree stays a tree: no cycle, no empty parent, and a parent that may have children of that kind", () => {
    const mayParent: Record<string, readonly string[]> = {
      untyped: ["untyped", "frame", "pageTable", "cnode"],
      sidControl: ["sid"],
      cbControl: ["cb"],
      ...Object.fromEntries(["cnode", "frame", "pageTable", "vspace", "sid", "cb"].map((kind) => [kind, [kind]])),
    };
    fc.assert(
      fc.property(system, choices, (booted, path) => {
        walk(booted, path, (_, __, { slot }) => {
          for (const [row, child] of slot.entries()) {
            if (child.parent === NONE) continue;
            expect(child.kind, `row ${row} is empty but has a parent`).not.toBe(NULL);
            const parent = slot[child.parent]!;
            expect(mayParent[kinds[parent.kind]!]).toContain(kinds[child.kind]);
            expect(parent.revocable).toBe(1);
            let at = row;
            for (let hops = 0; at !== NONE; hops++, at = slot[at]!.parent) expect(hops).toBeLessThan(slot.length);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  it("what is issued is what somebody holds, and a bound stream has a bank that exists", () => {
    fc.assert(
      fc.property(system, choices, (booted, path) => {
        walk(booted, path, (_, __, state) => {
          const held = (kind: string, object: number) => state.slot.some((slot) => kinds[slot.kind] === kind && slot.object === object);
          for (const [sid, { issued }] of state.sid.entries()) expect(issued === 1).toBe(held("sid", sid));
          for (const [cb, { issued }] of state.cb.entries()) expect(issued === 1).toBe(held("cb", cb));
          for (const [vspace, { asid }] of state.vspace.entries()) expect(asid >= 0 && state.asid[asid]!.vspace === vspace).toBe(held("vspace", vspace));
        });
      }),
      { numRuns: 60 },
    );
  });

  it("equal decisions give identical step objects", () => {
    const { driver } = systems[0]!;
    expect(driver.bindStream(0, 0, 0)).toBe(driver.bindStream(0, 0, 0));
    expect(driver.invalidateIpa(0, 0, true, 1)).toBe(driver.invalidateIpa(0, 0, true, 1));
    expect(driver.invalidateIpa(0, 0, true, 1)).not.toBe(driver.invalidateIpa(0, 0, false, 1));
  });
});
