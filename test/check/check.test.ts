import { describe, expect, it } from "vitest";
import { checkLayout } from "../../src/check/check.ts";
import { cofferdam, mutantOf } from "../../src/kernel/profile.ts";
import { properties } from "../../src/check/properties/properties.ts";
import { TRACE_FORMAT } from "../../src/check/traces/trace.ts";
import { defaultScope } from "../../src/system/scale.ts";
import { layoutOf } from "../kernel/fixture.ts";

/** Small enough for a test; `npm start` explores the whole default scope. */
const small = { ...defaultScope, children: 0 };
const smaller = { ...small, slots: 0, children: 1 };
const trust = (who: "true" | "false") => (spec: string) => spec.replace("trusted: true", `trusted: ${who}`);

describe("verdicts", () => {
  const verdict = checkLayout(layoutOf("one-driver"), { scope: small });

  it("the first example is exhausted without a violation, and says for which scope", () => {
    expect(verdict).toMatchObject({ result: "holds", end: "exhausted", scope: small, adversaries: ["nic-driver"], trusted: ["vault", "initialiser"] });
    expect(verdict.properties.every(({ result }) => result === "holds")).toBe(true);
    expect(verdict.intendedPaths).toEqual({ judged: 2, ofTrusted: 0, unreached: [] });
    expect(verdict.assumptions.length).toBeGreaterThan(4);
  });

  it("counts are the same every time", () => {
    const again = checkLayout(layoutOf("one-driver"), { scope: smaller });
    expect(again).toEqual(checkLayout(layoutOf("one-driver"), { scope: smaller }));
    expect({ states: again.states, transitions: again.transitions, depth: again.depth }).toEqual({ states: 6976, transitions: 43520, depth: 12 });
    expect({ states: verdict.states, transitions: verdict.transitions, depth: verdict.depth }).toEqual({ states: 115_616, transitions: 1_127_592, depth: 15 });
  });

  it("names what was never reached: nothing can be made of an untyped with no room, and the control capabilities are in trusted hands", () => {
    expect(verdict.unreachedOperations).toEqual(["UntypedRetype", "ARMPageTableMap", "ARMPageTableUnmap", "ARMSIDIssueSIDManager", "ARMCBIssueCBManager", "ARMASIDControlMakePool", "ARMASIDPoolAssign", "ARMCBTLBInvalidateAll"]);
    expect(verdict.unreachedRefusals).toContain("ARMCBAssignVspace seL4_DeleteFirst: the VSpace is used by as many banks as its counter can hold");
    expect(verdict.unreachedRefusals).not.toContain("ARMSIDBindCB seL4_DeleteFirst: the stream is bound");
  });

  it("a run that hits a bound is inconclusive, with every property undecided", () => {
    const bounded = checkLayout(layoutOf("one-driver"), { scope: small, bounds: { states: 500 } });
    expect(bounded).toMatchObject({ result: "inconclusive", end: "states" });
    expect(bounded.properties.every(({ result }) => result === "undecided")).toBe(true);
  });

  it("an intended DMA path that no state reaches is a violation", () => {
    const layout = layoutOf("one-driver");
    const unreachable = { ...layout, dma: layout.dma.map((path) => ({ ...path, iova: (path.iova + 0x1000n) as typeof path.iova })) };
    const { result, violations } = checkLayout(unreachable, { scope: { ...small, children: 0, slots: 0 } });
    expect(result).toBe("violated");
    expect(violations.map(({ property }) => property)).toEqual(["intended-dma", "intended-dma"]);
  });
});

describe("scaling", () => {
  it("a slot that scaling left out is no free one, so a trace that makes a capability replays on the whole layout", () => {
    // Of the properties that this kernel violates, the one that takes a copy.
    const noDangling = properties.filter(({ name }) => name === "no-dangling");
    const { violations } = checkLayout(layoutOf("shared-config"), { profile: mutantOf(cofferdam, "map-breaks-before-make"), properties: noDangling });
    expect(violations[0]!.trace!.steps.some(({ op }) => op === "CNodeCopy" || op === "CNodeMint" || op === "CNodeMove")).toBe(true);
    expect(violations[0]!.unscaled).toMatchObject({ result: "violated" });
  });
});

describe("trust", () => {
  it("where everybody is trusted nothing happens, and the paths of trusted owners are not missed", () => {
    const verdict = checkLayout(layoutOf("one-driver", (spec) => spec.replace("kind: driver", "kind: driver\n    trusted: true")));
    expect(verdict).toMatchObject({ result: "holds", states: 1, transitions: 0, adversaries: [], intendedPaths: { judged: 0, ofTrusted: 2 } });
  });
});

describe("changing the spec changes the verdict", () => {
  it("a trusted component made untrusted breaks confinement", () => {
    const { result, violations } = checkLayout(layoutOf("one-driver", trust("false")));
    expect(result).toBe("violated");
    expect(violations[0]).toMatchObject({ property: "dma-confinement", length: 3, unscaled: { result: "violated" } });
    expect(violations[0]!.message).toContain("secrets of vault");
    const trace = violations[0]!.trace!;
    expect(trace.format).toBe(TRACE_FORMAT);
    expect(trace.steps.map(({ actor, op }) => `${actor} ${op}`)).toEqual(["vault ARMPageMap", "nic-driver ARMCBAssignVspace", "nic-driver ARMSIDBindCB"]);
    expect(trace.witness).toMatchObject({ sid: "0x10", op: "read" });
  });

  it("holding another's region without a share breaks confinement; with the share it holds", () => {
    const hold = (spec: string) => spec.replace("holds: [ring, heap]", "holds: [ring, secrets]").replace(/ {2}heap:.*\n/, "");
    const share = (spec: string) => hold(spec).replace("secrets: { size: 4KiB, owner: vault }", "secrets: { size: 4KiB, owner: vault, share: [{ with: nic-driver, access: rw }] }");
    const scope = { ...defaultScope, slots: 0 };
    expect(checkLayout(layoutOf("one-driver", hold), { scope }).violations[0]).toMatchObject({ property: "dma-confinement", length: 2 });
    expect(checkLayout(layoutOf("one-driver", share), { scope })).toMatchObject({ result: "holds" });
  });

  it("a read-only share gives no right to write", () => {
    const rights = (access: string) => (spec: string) => spec.replace("{ region: config, access: r }", `{ region: config, access: ${access} }`);
    const found = checkLayout(layoutOf("shared-config", rights("rw"))).violations[0]!;
    expect(found.property).toBe("dma-confinement");
    expect(found.message).toMatch(/can write .* config of vault/);
  });
});
