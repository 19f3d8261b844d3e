import { describe, expect, it } from "vitest";
import { clauseNames } from "../../src/check/inductive/clauses.ts";
import { induction, sampled } from "../../src/check/inductive/induction.ts";
import { exportedObligations } from "../../src/check/inductive/obligations.ts";
import { coreInvocations } from "../../src/check/inductive/settings.ts";
import { askZ3 } from "../../src/check/inductive/z3.ts";
import { invocations } from "../../src/kernel/invocations.ts";
import { cofferdam, mutantOf, type Safeguard, safeguards } from "../../src/kernel/profile.ts";

/** For each safeguard of the core: an invocation that relies on it, and the clauses that fail without it. */
const caught: readonly (readonly [Safeguard, invocation: string, clauses: readonly string[]])[] = [
  ["unmap-invalidates", "Page_Unmap", ["cached translations"]],
  ["unbind-clears-ste", "UnbindCB", ["stream entry", "cached translations"]],
  ["revoke-finalises-kernel-copies", "Revoke, of a bank", ["stream entry"]],
  ["frame-delete-invalidates", "Delete, of a frame", ["cached translations"]],
  ["map-checks-rights", "Page_Map", ["mapped frames"]],
  ["unassign-aborts-streams", "UnassignVspace", ["stream entry", "cached translations"]],
  ["vmid-cleared-between-vspaces", "UnassignVspace", ["cached translations"]],
  ["ste-words-before-config", "BindCB", ["cached translations", "meanwhile"]],
  ["map-breaks-before-make", "Page_Map", ["cached translations"]],
];
/** What they guard is no part of the core: page tables as objects, and Retype. */
const outside: readonly Safeguard[] = ["table-delete-invalidates", "table-invalidates-everything-below", "retype-clears-memory"];

const failing = (result: Pick<ReturnType<typeof induction>, "obligations">) => result.obligations.filter(({ failed }) => failed > 0);

describe("the inductive check", () => {
  const whole = induction({ profile: cofferdam });

  it("every invocation of the core keeps every clause, from every state of the small plans", () => {
    expect(failing(whole)).toEqual([]);
    expect(whole.consequence.wrong).toBeUndefined();
    for (const { name } of coreInvocations) {
      const own = whole.obligations.filter(({ invocation }) => invocation === name);
      // None is empty: each clause is judged after each invocation.
      expect(own.map(({ clause }) => clause)).toEqual(clauseNames);
      for (const { judged } of own) expect(judged).toBeGreaterThan(0);
    }
  });

  it("none reads or writes a row beyond its declared footprint, and each writes what is declared", () => {
    for (const { invocation, beyond } of whole.footprints) expect(beyond, invocation).toEqual([]);
    for (const { name, footprint } of coreInvocations) {
      const written = new Set(whole.footprints.filter(({ invocation }) => invocation === name).flatMap(({ writes }) => writes));
      expect([...footprint.writes].toSorted(), name).toEqual([...written].toSorted());
    }
  });

  it("every safeguard is of the core or outside of it", () => {
    expect([...caught.map(([safeguard]) => safeguard), ...outside].toSorted()).toEqual(Object.keys(safeguards).toSorted());
  });

  it("every definition of the core is one that the kernel has", () => {
    for (const { definition } of coreInvocations) expect(invocations).toContain(definition);
  });

  for (const [safeguard, invocation, clauses] of caught)
    it(`without ${safeguard}, ${invocation} breaks ${clauses.join(" and ")}`, () => {
      const found = failing(induction({ profile: mutantOf(cofferdam, safeguard), only: [invocation] }));
      expect(found.map(({ clause }) => clause)).toEqual(clauses);
      for (const { counterexample } of found) expect(counterexample?.wrong).toBeTruthy();
    });

  it("larger plans, sampled, show no other", () => {
    const more = sampled({ profile: cofferdam }, { settings: 150, seed: 7 });
    expect(failing(more)).toEqual([]);
    expect(more.footprints.flatMap(({ beyond }) => beyond)).toEqual([]);
    expect(failing(sampled({ profile: mutantOf(cofferdam, "unbind-clears-ste"), only: ["UnbindCB"] }, { settings: 150, seed: 7 }))).not.toEqual([]);
  });
});

describe("the obligations for a solver", () => {
  const some = ["BindCB", "UnassignVspace", "Page_Unmap"];
  const answersFor = async (safeguard: Safeguard | undefined, only: readonly string[]) => {
    const { files, leftOut } = exportedObligations(safeguard === undefined ? cofferdam : mutantOf(cofferdam, safeguard), only);
    // What a broken kernel leaves in the TLB need not be told by the rows that it names.
    if (safeguard === undefined) expect(leftOut).toEqual([]);
    return (await askZ3(files, () => {}))!;
  };

  it("are closed by Z3 for any number of rows, and are not empty", async () => {
    const answers = await answersFor(undefined, some);
    // One for each clause but `meanwhile`, and one that the invocation can happen at all.
    for (const name of some) expect(new Set(answers.filter(({ invocation }) => invocation === name).map(({ clause }) => clause))).toEqual(new Set([...clauseNames.filter((clause) => clause !== "meanwhile"), "possible"]));
    for (const { invocation, clause, answer, expected } of answers) expect(answer, `${invocation} ${clause}`).toBe(expected);
  });

  for (const [safeguard, invocation, clauses] of caught.filter(([, name]) => some.includes(name)))
    it(`without ${safeguard}, Z3 finds a state, too`, async () => {
      const answers = await answersFor(safeguard, [invocation]);
      const open = answers.filter(({ answer, expected }) => answer !== expected).map(({ clause }) => clause);
      expect(open).toEqual(clauses.filter((clause) => clause !== "meanwhile"));
    });
});
