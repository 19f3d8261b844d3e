import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Quirk, quirks, quirkSets, type Quirks, settingsWith, translateWith } from "../../src/smmuv3/quirks.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { translate } from "../../src/smmuv3/transaction.ts";
import { scene } from "../qemu/configuration.ts";
import { memoryOf, modelOf, registersOf, transactionOf } from "../qemu/model.ts";
import { quirkCases } from "../qemu/quirkCases.ts";
import { brief } from "./fixture.ts";

describe("quirks", () => {
  for (const [name, { configuration, iova, architecture, quirky }] of Object.entries(quirkCases))
    it(`${name}: ${quirks[name as Quirk]}`, () => {
      const under = (set: Quirks): string => brief(modelOf(configuration, set)({ op: "read", iova }));
      expect(under({})).toBe(architecture);
      expect(under({ [name]: true })).toBe(quirky);
    });

  it("QEMU 10.0 has all of them", () => {
    expect(Object.keys(quirkSets["qemu-10.0"])).toEqual(Object.keys(quirks));
  });

  it("none of them is the architecture, in the outcome and in the words read", () => {
    fc.assert(
      fc.property(scene, ({ configuration, transactions }) => {
        const [registers, read] = [registersOf(configuration), memoryOf(configuration)];
        for (const asked of transactions.map(transactionOf)) expect(translateWith({}, read, settingsWith({}, registers), asked)).toEqual(translate(read, settingsOf(registers), asked));
      }),
      { numRuns: 300 },
    );
  });
});
