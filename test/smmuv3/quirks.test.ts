import { describe, expect, it } from "vitest";
import { type Quirk, quirks, quirkSets, type Quirks } from "../../src/smmuv3/quirks.ts";
import { modelOf } from "../qemu/model.ts";
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
});
