/** Systems that nobody wrote, kernels with and without a safeguard: what is taken for alike and explored apart changes no verdict. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkLayout } from "../../src/check/check.ts";
import type { Verdict } from "../../src/check/verdict.ts";
import { cofferdam, mutantOf, type Safeguard, safeguards } from "../../src/kernel/profile.ts";
import type { Reduction } from "../../src/kernel/reductions.ts";
import { layoutOf } from "../kernel/fixture.ts";

const owners = ["a", "b", "c"] as const;
const region = fc.record({ owner: fc.nat(2), pages: fc.constantFrom(4, 8), untyped: fc.integer({ min: 0, max: 4 }).map((draw) => draw === 0), shared: fc.uniqueArray(fc.tuple(fc.nat(2), fc.constantFrom("r", "rw")), { maxLength: 2, selector: ([to]) => to }) });
/** Who holds something that only one can hold, mostly nobody. */
const extra = fc.option(fc.nat(2), { nil: undefined, freq: 1 }).chain((holder) => fc.boolean().map((given) => (given ? holder : undefined)));

/** Up to three components with a card each, regions between them, and now and then something they should not hold. */
const specs = fc
  .record({ size: fc.integer({ min: 1, max: 3 }), regions: fc.array(region, { maxLength: 3 }), extras: fc.record({ "sid-control": extra, "cb-control": extra }),  guests: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()) })
  .map(({ size, regions, extras, guests }) => {
    const present = owners.slice(0, size);
    const holds = present.map((_, at): string[] => Object.entries(extras).flatMap(([name, holder]) => (holder === at ? [name] : [])));
    const lines = regions.map(({ owner, pages, untyped, shared }, at) => {
      const own = owner % size;
      const others = untyped ? [] : shared.filter(([to]) => to < size && to !== own);
      for (const holder of [own, ...others.map(([to]) => to)]) holds[holder]!.push(`r${at}`);
      const share = others.length === 0 ? "" : `, share: [${others.map(([to, access]) => `{ with: ${owners[to]!}, access: ${access} }`).join(", ")}]`;
      return `  r${at}: { size: ${pages}KiB, owner: ${owners[own]!}${untyped ? ", kind: untyped" : ""}${share} }`;
    });
    const components = present.map((name, at) => `  ${name}: { kind: ${guests[at]! ? "vm" : "driver"}, devices: { nic: { pci: "00:0${at + 2}.0" } }, holds: [${holds[at]!.join(", ")}] }`);
    return ["system: random", "board: ../qemu-virt/board.dtb", ...(lines.length === 0 ? [] : ["regions:", ...lines]), "components:", ...components, ""].join("\n");
  });
const kernels = fc.option(fc.constantFrom(...(Object.keys(safeguards) as Safeguard[])), { nil: undefined, freq: 3 });
const scopes = fc.record({ pages: fc.integer({ min: 1, max: 2 }), slots: fc.nat(1), children: fc.nat(1), addresses: fc.nat(1) });

const said = ({ result, violations }: Verdict) => ({
  result,
  violations: violations.map(({ property, length, trace, unscaled }) => `${property} ${length} ${trace?.steps.flatMap(({ steps }) => steps).length} ${unscaled?.result}`).toSorted(),
});
const reduced: readonly (readonly Reduction[])[] = [[], ["slices"], ["symmetry"], ["slots", "watermarks"]];

describe("laws of reductions", () => {
  it("verdicts of random systems are those without any, and orbits add up", () => {
    let [symmetric, sliced, violated] = [0, 0, 0];
    fc.assert(
      fc.property(specs, kernels, scopes, (spec, without, scope) => {
        const layout = layoutOf("one-driver", () => spec);
        const options = { scope, profile: without === undefined ? cofferdam : mutantOf(cofferdam, without), bounds: { depth: 4, states: 6_000 } };
        const plain = checkLayout(layout, { ...options, unreduced: ["slots", "symmetry", "watermarks", "slices"] });
        const whole = checkLayout(layout, { ...options, unreduced: ["symmetry", "slices"] });
        if ([plain, whole].some(({ end }) => end === "states")) return;
        if (plain.result === "violated") violated += 1;
        for (const unreduced of reduced) {
          const verdict = checkLayout(layout, { ...options, unreduced });
          expect(said(verdict), unreduced.join(" ")).toEqual(said(plain));
          if (verdict.slices !== undefined) sliced += 1;
          if (verdict.symmetry === undefined || verdict.symmetry.renamings === 1) continue;
          symmetric += 1;
          // A violated search ends within a level, which may be somewhere else.
          if (unreduced[0] === "slices" && verdict.result !== "violated") expect(verdict.symmetry.states).toBe(whole.states);
        }
      }),
      { numRuns: 40, seed: 20_261_121 },
    );
    // Otherwise there was nothing to see.
    expect([symmetric, sliced, violated].every((number) => number > 3), `${symmetric} symmetric, ${sliced} in slices, ${violated} violated`).toBe(true);
  });
});
