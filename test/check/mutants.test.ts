import { describe, expect, it } from "vitest";
import { checkLayout } from "../../src/check/check.ts";
import { mutants } from "../../src/check/mutants.ts";
import { properties, propertyNames } from "../../src/check/properties.ts";
import { replay } from "../../src/check/replay.ts";
import { cofferdam, mutantOf, safeguards } from "../../src/kernel/profile.ts";
import { createImages } from "../../src/smmuv3/image.ts";
import { boot } from "../../src/system/boot.ts";
import { defaultScope, scale } from "../../src/system/scale.ts";
import { layoutOf } from "../kernel/fixture.ts";

const judged = (mutant: (typeof mutants)[number]) => {
  const layout = layoutOf(mutant.system);
  const scope = { ...defaultScope, ...mutant.scope };
  const profile = mutantOf(cofferdam, mutant.without);
  return { layout, scope, profile, verdict: checkLayout(layout, { scope, profile }) };
};

describe("mutants", () => {
  it("every safeguard has a mutant, and every property catches one", () => {
    expect(mutants.map(({ without }) => without).toSorted()).toEqual(Object.keys(safeguards).toSorted());
    for (const name of propertyNames) expect(mutants.some(({ caughtBy }) => caughtBy.includes(name)), name).toBe(true);
  });

  for (const mutant of mutants) {
    it(`${mutant.without} is caught by ${mutant.caughtBy.join(" and ")} in ${mutant.length}, and its trace replays scaled and whole`, () => {
      const { layout, scope, profile, verdict } = judged(mutant);
      expect(verdict.result).toBe("violated");
      expect(verdict.violations.map(({ property }) => property)).toEqual(mutant.caughtBy);
      for (const { trace, length, unscaled, property: name } of verdict.violations) {
        expect(length).toBe(mutant.length);
        expect(unscaled?.result).toBe("violated");
        const property = properties.find((candidate) => candidate.name === name)!;
        expect(replay(boot(scale(layout, scope), profile), property, trace!).result).toBe("violated");
        // The kernel that keeps the safeguard withstands the same messages.
        expect(replay(boot(scale(layout, scope), cofferdam), property, trace!).result).not.toBe("violated");
      }
    });
  }
});

describe("the stores of a trace", () => {
  /** Memory after boot and the trace, put together store by store, without the kernel or the machine. */
  it("put into memory by hand, show the break to the walker", async () => {
    const { translate } = await import("../../src/smmuv3/transaction.ts");
    const { createMachine } = await import("../../src/smmuv3/machine.ts");
    const { layout, scope, profile, verdict } = judged(mutants.find(({ without }) => without === "map-checks-rights")!);
    const { trace } = verdict.violations[0]!;
    const images = createImages();
    let memory = images.empty;
    const booted = boot(scale(layout, scope), profile);
    for (const step of booted.steps) {
      if (step.kind === "store") memory = images.store(memory, step.addr, step.value);
      if (step.kind === "fill") memory = images.fill(memory, step.addr, step.size, step.pattern);
    }
    const machine = createMachine({ smmus: [{}], cacheMode: "none" });
    const { settings } = machine.executeAll(machine.start, booted.steps).smmus[0]!;
    const ask = () => translate(memory.read, settings, { sid: Number(trace!.witness.sid) as never, op: trace!.witness.op as "write", iova: BigInt(trace!.witness.iova!) as never, size: 4 });
    expect(ask()).toMatchObject({ result: "abort" });
    for (const { steps } of trace!.steps) for (const { kind, addr, new: value } of steps) if (kind === "store") memory = images.store(memory, BigInt(addr!), BigInt(value!));
    expect(ask()).toMatchObject({ result: "ok", pa: BigInt(trace!.witness.pa!) });
  });
});
