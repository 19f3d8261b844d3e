/** Systems booted for kernel tests, and a kernel over a plain state that keeps what it emitted. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mutableCopy, type Plain, viewOf } from "../../src/base/state.ts";
import type { Step } from "../../src/base/step.ts";
import { type Answer, invoke, type Message } from "../../src/kernel/api.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { cofferdam, type Profile } from "../../src/kernel/profile.ts";
import type { KernelShape } from "../../src/kernel/state.ts";
import { boot, type Booted } from "../../src/system/boot.ts";
import type { Layout } from "../../src/system/layout.ts";
import { planSystem } from "../../src/system/plan.ts";
import { defaultScope, scale, type Scope } from "../../src/system/scale.ts";

const systems = join(import.meta.dirname, "../../specs/systems");

/** The layout of a shipped system, its spec edited as text when `edit` is given. */
export const layoutOf = (name: string, edit: (spec: string) => string = (spec) => spec): Layout => {
  const folder = join(systems, name);
  const specText = edit(readFileSync(join(folder, "system.yaml"), "utf8"));
  const { value, diagnostics } = planSystem({ specText, specFile: "system.yaml", readBoard: (relative) => readFileSync(join(folder, relative)) });
  if (value === undefined) throw new Error(diagnostics.map(({ message }) => message).join("; "));
  return value.layout;
};

export const bootOf = (name: string, scope: Partial<Scope> = {}, profile: Profile = cofferdam, edit?: (spec: string) => string): Booted =>
  boot(scale(layoutOf(name, edit), { ...defaultScope, ...scope }), profile);

export interface Running {
  readonly booted: Booted;
  readonly kernel: Kernel;
  readonly state: Plain<KernelShape>;
  /** Steps of the last invocation. */
  readonly steps: Step[];
  /** Invokes as a component by name; words and caps in the definition's order. */
  readonly call: (who: string, cptr: number, label: string, words?: readonly (bigint | number)[], caps?: readonly number[]) => Answer;
}

/** A kernel that runs on a mutable plain state. */
export const run = (booted: Booted): Running => {
  const state = mutableCopy(booted.state);
  const steps: Step[] = [];
  const kernel: Kernel = { plan: booted.plan, profile: booted.profile, driver: booted.driver, tables: viewOf(state), emit: (given) => void steps.push(...given) };
  return {
    booted,
    kernel,
    state,
    steps,
    call: (who, cptr, label, words = [], caps = []) => {
      steps.length = 0;
      const message: Message = { cptr: BigInt(cptr), label, words: words.map(BigInt), caps: caps.map(BigInt) };
      return invoke(kernel, booted.plan.subjects.findIndex(({ name }) => name === who), message);
    },
  };
};

/** one-driver with an untyped of two pages. */
export const twoPages = (spec: string): string => spec.replace("heap: { size: 4KiB", "heap: { size: 8KiB");

/** The slot number of a capability by its name in the layout. */
export const slotOf = (booted: Booted, component: string, name: string): number => {
  const slot = booted.layout.components.find((candidate) => candidate.name === component)?.slots.find((candidate) => candidate.name === name);
  if (slot === undefined) throw new Error(`${component} has no ${name}`);
  return slot.slot;
};
