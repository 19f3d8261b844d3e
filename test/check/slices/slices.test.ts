/** Groups of components that are explored apart, against the same system explored as a whole. */
import { describe, expect, it } from "vitest";
import { breadthFirst } from "../../../src/check/search/breadth.ts";
import { bootAt, checkLayout } from "../../../src/check/check.ts";
import { type CheckOptions, defaultBounds } from "../../../src/check/checkOptions.ts";
import { createModel } from "../../../src/check/model.ts";
import { checkInParallel } from "../../../src/check/parallel/checkInParallel.ts";
import { properties } from "../../../src/check/properties/properties.ts";
import { exploreSlices } from "../../../src/check/slices/exploreSlices.ts";
import { groupsOf } from "../../../src/check/slices/groups.ts";
import { judgeable } from "../../../src/check/properties/userProperty.ts";
import type { Verdict } from "../../../src/check/verdict.ts";
import { cofferdam, mutantOf, type Profile, profileNamed, type Safeguard } from "../../../src/kernel/profile.ts";
import type { Layout } from "../../../src/system/layout.ts";
import { verdictText } from "../../../src/cli/verdictText.ts";
import { layoutOf } from "../../kernel/fixture.ts";

const scope = { pages: 1, slots: 0, children: 1, addresses: 0 };
/** The example without one of its drivers: small enough to be exhausted as a whole. */
const without = (driver: string) => (spec: string) => spec.replace(new RegExp(`\\n  ${driver}-driver:[^]*?holds: .*\\n`), "\n").replace(new RegExp(`  ${driver}-.*\\n`, "g"), "");
const two = layoutOf("three-drivers", (spec) => without("audio")(spec).replace(", disk-heap]", "]").replace(/  disk-heap.*\n/, ""));

const whole = (layout: Layout, options: CheckOptions): Verdict => checkLayout(layout, { ...options, unreduced: ["slices", "symmetry"] });
/** What a verdict says, but for how many states it took. */
const said = ({ states: _states, transitions: _transitions, depth: _depth, slices: _slices, reductions: _reductions, coverage, ...rest }: Verdict) => ({
  ...rest,
  reached: coverage.map(({ label, performed, refused }) => [label, performed > 0, refused.map(({ count }) => count > 0)]),
});

const explored = (layout: Layout, groups: readonly (readonly number[])[], profile: Profile = cofferdam, bounds: Partial<typeof defaultBounds> = {}) => {
  const booted = bootAt(layout, profile, { scope: { ...scope, children: 0 } });
  return { booted, sliced: exploreSlices(booted, groups, (of) => createModel(of, properties), { ...defaultBounds, ...bounds }) };
};

describe("slices", () => {
  it("say of a system what is said of it as a whole, and their states multiply to those of the whole", () => {
    const [apart, together] = [checkLayout(two, { scope }), whole(two, { scope })];
    expect(said(apart)).toEqual(said(together));
    expect(apart).toMatchObject({ result: "holds", end: "exhausted" });
    expect(apart.slices!.map(({ components, end }) => [components, end])).toEqual([[["nic-driver"], "exhausted"], [["disk-driver"], "exhausted"]]);
    const [one, other] = apart.slices!;
    expect(one!.states * other!.states).toBe(together.states);
    expect(one!.transitions * other!.states + other!.transitions * one!.states).toBe(together.transitions);
    expect(one!.depth + other!.depth).toBe(together.depth);
    expect([apart.states, apart.transitions, apart.depth]).toEqual([one!.states + other!.states, one!.transitions + other!.transitions, Math.max(one!.depth, other!.depth)]);
    expect(apart.reductions.map(({ name }) => name)).toEqual(["slots", "watermarks", "slices"]);
    expect(together.reductions.map(({ name }) => name)).toEqual(["slots", "watermarks"]);
    expect(verdictText(apart)).toContain(`= ${together.states.toLocaleString("en-US")} states.`);
  });

  it("exhaust three drivers, which together are too many to explore", () => {
    const verdict = checkLayout(layoutOf("three-drivers"), { scope: { ...scope, slots: 1, children: 0 } });
    expect(verdict).toMatchObject({ result: "holds", end: "exhausted", intendedPaths: { judged: 6, unreached: [] } });
    expect(verdict.slices).toHaveLength(3);
    expect(verdict.slices!.reduce((product, { states }) => product * states, 1)).toBeGreaterThan(1e11);
    expect(verdict.states).toBeLessThan(100_000);
  });

  // Equal drivers, so that fewest steps decide nothing and declared order does.
  const equal = layoutOf("three-drivers", without("nic"));
  it.each<Safeguard>(["unmap-invalidates", "frame-delete-invalidates", "unbind-clears-ste", "revoke-finalises-kernel-copies", "unassign-aborts-streams"])("catch the broken kernel without %s by the very traces of the whole", (safeguard) => {
    const options = { scope, profile: mutantOf(cofferdam, safeguard) };
    const [apart, together] = [checkLayout(equal, options), whole(equal, options)];
    expect(apart.slices).toHaveLength(2);
    expect(apart.violations.length).toBeGreaterThan(0);
    expect(apart.violations).toEqual(together.violations);
    expect(apart.states).toBeLessThan(together.states);
  });

  it("a break that only the second of them has is found at its depth", () => {
    const leak = (spec: string) => spec.replace("holds: [disk-ring, disk-heap]", "holds: [disk-ring, disk-heap, secrets]");
    const layout = layoutOf("three-drivers", (spec) => leak(without("audio")(spec)));
    const [apart, together] = [checkLayout(layout, { scope }), whole(layout, { scope })];
    expect(apart.slices).toHaveLength(2);
    expect(apart.violations[0]).toMatchObject({ property: "dma-confinement", length: 2 });
    expect(apart.violations).toEqual(together.violations);
  });

  it.each(["one-driver", "large-frames"])("one group is one search: %s", (system) => {
    const verdict = checkLayout(layoutOf(system), { scope: { ...scope, children: 0 } });
    expect(verdict).toEqual(whole(layoutOf(system), { scope: { ...scope, children: 0 } }));
    expect(verdict).not.toHaveProperty("slices");
    expect(verdict).not.toHaveProperty("unsliced");
  });
});

describe("groups", () => {
  const namesOf = (layout: Layout) => {
    const booted = bootAt(layout, cofferdam, { scope });
    return groupsOf(booted).map((group) => group.map((subject) => booted.plan.subjects[subject]!.name));
  };

  it("share no object that a capability leads to", () => {
    expect(namesOf(layoutOf("three-drivers"))).toEqual([["nic-driver"], ["disk-driver"], ["audio-driver"]]);
    expect(namesOf(layoutOf("two-vms"))).toEqual([["vm-a", "disk-driver"], ["vm-b"]]);
  });
  it("a shared region joins its holders", () => {
    const shared = (spec: string) => spec.replace("disk-ring: { size: 4KiB, owner: disk-driver }", "disk-ring: { size: 4KiB, owner: disk-driver, share: [{ with: nic-driver, access: rw }] }").replace("holds: [nic-ring]", "holds: [nic-ring, disk-ring]");
    expect(namesOf(layoutOf("three-drivers", shared))).toEqual([["nic-driver", "disk-driver"], ["audio-driver"]]);
  });
  it("a control capability joins its holder with everybody", () => {
    const untrusted = (spec: string) => spec.replace("trusted: true\n    holds:\n      - sid-control", "holds:\n      - sid-control");
    expect(namesOf(layoutOf("two-vms", untrusted))).toEqual([["vm-a", "vm-b", "disk-driver", "supervisor"]]);
  });
});

describe("groups that were chosen badly", () => {
  it("are joined by what their runs read and wrote, and the rest stays apart", () => {
    const { sliced } = explored(layoutOf("two-vms"), [[0], [1], [2]], cofferdam, { depth: 2 });
    expect(sliced.slices?.map(({ components }) => components)).toEqual([["vm-a", "disk-driver"], ["vm-b"]]);
    expect(sliced.joined).toEqual([expect.stringMatching(/^vm-a and disk-driver: /)]);
  });

  it("are joined before a break that takes both is missed", () => {
    const layout = layoutOf("one-driver", (spec) => spec.replace("trusted: true", "trusted: false"));
    const { booted, sliced } = explored(layout, [[0], [1]]);
    expect(booted.plan.subjects.map(({ name }) => name).slice(0, 2)).toEqual(["nic-driver", "vault"]);
    // Alone, neither breaks anything that soon.
    expect(sliced).toMatchObject({ joined: [expect.stringMatching(/^nic-driver and vault: /)] });
    expect(sliced.slices).toBeUndefined();
    expect(breadthFirst(createModel(booted, properties), { ...defaultBounds, depth: 3 }).end).toBe("violated");
  });
});

describe("what is about the whole system at once", () => {
  const small = { scope: { ...scope, children: 0 }, bounds: { depth: 3 } };
  const own = judgeable({ name: "nothing", sentence: "Nothing.", violation: () => undefined });

  it.each<[string, CheckOptions, RegExp]>([
    ["a property of one's own", { properties: [...properties, own] }, /a property of your own/],
    ["several traces", { traces: 2 }, /several traces/],
    ["a profile whose SMMU is no SMMUv3", { profile: profileNamed("sel4-smmuv2")! }, /not told apart by stream/],
  ])("%s turns slices off, and the verdict says so", (_, options, why) => {
    const verdict = checkLayout(two, { ...small, ...options, unreduced: ["symmetry"] });
    expect(verdict).not.toHaveProperty("slices");
    expect(verdict.unsliced).toEqual([expect.stringMatching(why)]);
    expect(verdictText(verdict)).toMatch(/^Not explored apart: /m);
    const { unsliced: _why, ...rest } = verdict;
    expect(rest).toEqual(whole(two, { ...small, ...options }));
  });

  it("several threads are told to, and one explores the slices: to the same verdict", async () => {
    expect(await checkInParallel(two, { ...small, workers: 2 })).toEqual(checkLayout(two, small));
  });
});

describe("bounds", () => {
  it("are for all slices, and what they stopped is not certified", () => {
    const verdict = checkLayout(two, { scope, bounds: { states: 500 } });
    expect(verdict).toMatchObject({ result: "inconclusive", end: "states", uncertified: true });
    expect(verdict.states).toBeLessThan(600);
    expect(verdictText(verdict)).toContain("A bound came before it was certified");
    expect(checkLayout(two, { scope, watch: () => false })).toMatchObject({ result: "inconclusive", end: "interrupted" });
  });
  it("a depth is reached by each, and nothing is shown beyond it", () => {
    const verdict = checkLayout(two, { scope, bounds: { depth: 3 } });
    expect(verdict).toMatchObject({ result: "inconclusive", end: "depth", depth: 3 });
    expect(verdict.slices!.map(({ depth, end }) => [depth, end])).toEqual([[3, "depth"], [3, "depth"]]);
  });
  it("progress counts all of them", () => {
    const seen: number[] = [];
    const { states } = checkLayout(layoutOf("three-drivers"), { scope: { ...scope, slots: 1, children: 0 }, watch: (progress) => seen.push(progress.states) > 0 });
    expect(seen.length).toBeGreaterThan(3);
    expect(Math.max(...seen)).toBeLessThanOrEqual(states);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});
