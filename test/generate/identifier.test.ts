import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identifiers } from "../../src/generate/identifier.ts";
import { hostileText } from "./arbitrary.ts";

describe("identifiers", () => {
  it("keeps a name that is one already, whatever stands before it", () => {
    expect(identifiers(["a-2", "a_2", "ring_0"])).toEqual(["a_2_2", "a_2", "ring_0"]);
  });
  it("numbers names that would meet, without regard to case", () => {
    expect(identifiers(["nic", "NIC", "nic"])).toEqual(["nic", "NIC_2", "nic_3"]);
  });
  it("starts with a letter, and avoids names that no file may have", () => {
    expect(identifiers(["9p", "", "_x", "con"])).toEqual(["n9p", "n", "n_x", "con_"]);
  });
  it("has no way out of a folder", () => {
    expect(identifiers(["../../etc/passwd"])).toEqual(["n______etc_passwd"]);
  });
  it("law: as many as names, all of the one form, no two equal without regard to case, the same each time", () => {
    fc.assert(
      fc.property(fc.array(hostileText, { maxLength: 20 }), (names) => {
        const found = identifiers(names);
        expect(found).toHaveLength(names.length);
        for (const name of found) expect(name).toMatch(/^[A-Za-z][A-Za-z0-9_]*$/);
        expect(new Set(found.map((name) => name.toLowerCase())).size).toBe(names.length);
        expect(identifiers(names)).toEqual(found);
      }),
    );
  });
});
