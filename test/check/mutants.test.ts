import { describe, expect, it } from "vitest";
import { checkLayout } from "../../src/check/check.ts";
import { mutants } from "../../src/check/mutants.ts";
import { properties, propertyNames } from "../../src/check/properties/properties.ts";
import { replay } from "../../src/check/traces/replay.ts";
import { cofferdam, mutantOf, safeguards } from "../../src/kernel/profile.ts";
import { iova as toIova, streamId } from "../../src/base/words.ts";
import { createMachine } from "../../src/smmuv3/machine.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { readSnapshot, writeSnapshot } from "../../src/smmuv3/snapshot.ts";
import { translate } from "../../src/smmuv3/transaction.ts";
import { boot } from "../../src/system/boot.ts";
import { defaultScope, scale, unscaled } from "../../src/system/scale.ts";
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
      for (const { trace, length, unscaled: whole, property: name } of verdict.violations) {
        expect(length).toBe(mutant.length);
        expect(whole?.result).toBe("violated");
        const property = properties.find((candidate) => candidate.name === name)!;
        expect(replay(boot(scale(layout, scope), profile), property, trace!).result).toBe("violated");
        // The kernel that keeps the safeguard withstands the same messages.
        expect(replay(boot(scale(layout, scope), cofferdam), property, trace!).result).not.toBe("violated");
      }
    });
  }
});

describe("the stores of a trace", () => {
  it("put by hand into the snapshot of the first state, show the break to the walker", () => {
    const { layout, verdict } = judged(mutants.find(({ without }) => without === "map-checks-rights")!);
    const { trace } = verdict.violations[0]!;
    const booted = boot(unscaled(layout, [], 0), cofferdam);
    const machine = createMachine({ smmus: [{}], cacheMode: "none" });
    const { image, smmus } = machine.executeAll(machine.start, booted.steps);
    // Through the files and back, as a user would have it.
    const snapshot = readSnapshot(writeSnapshot({ registers: smmus[0]!.registers, image })).value!;
    const stored = new Map<bigint, bigint>();
    const read = (address: bigint) => stored.get(address) ?? snapshot.image.read(address);
    const { sid, iova, op, pa } = trace!.witness;
    const ask = () => translate(read, settingsOf(snapshot.registers), { sid: streamId(Number(sid)), op: op as "write", iova: toIova(BigInt(iova!)), size: 4 });
    expect(ask()).toMatchObject({ result: "abort" });
    for (const { steps } of trace!.steps) for (const { kind, addr, new: value } of steps) if (kind === "store") stored.set(BigInt(addr!), BigInt(value!));
    expect(ask()).toMatchObject({ result: "ok", pa: BigInt(pa!) });
  });
});
