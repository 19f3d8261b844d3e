/** Every hazard under every profile: the shortest way in, or that there is none. */
import { describe, expect, it } from "vitest";
import { profiles } from "../../src/kernel/profile.ts";
import { hazards } from "../../src/scenarios/hazards/all.ts";
import { searchHazard } from "../../src/scenarios/hazards/search.ts";

describe.each(hazards.map((hazard) => [hazard.name, hazard] as const))("%s", (_, hazard) => {
  it.each(profiles.map((profile) => [profile.name, profile] as const))("%s", (name, profile) => {
    const { found, exhausted } = searchHazard(hazard, profile);
    expect(found?.moves.length).toBe(hazard.shortest[name]);
    // Without the hazard there is no state left in which it could be.
    if (found === undefined) expect(exhausted).toBe(true);
  });
});

describe("the list of hazards", () => {
  it("has none that is in the profile cofferdam, and none that is in no profile", () => {
    for (const { name, shortest } of hazards) {
      expect(Object.keys(shortest), name).not.toContain("cofferdam");
      expect(Object.keys(shortest).length, name).toBeGreaterThan(0);
    }
  });
  it("names no profile that there is not", () => {
    const names = new Set(profiles.map(({ name }) => name));
    expect(hazards.flatMap(({ shortest }) => Object.keys(shortest)).filter((name) => !names.has(name))).toEqual([]);
  });
  it("tells each by one name, with what was read, where, what is assumed, and what to try", () => {
    expect(new Set(hazards.map(({ name }) => name)).size).toBe(hazards.length);
    for (const { name, says, read, source, assumed, board } of hazards) for (const text of [says, read, source, assumed, board]) expect(text.length, name).toBeGreaterThan(10);
  });
});
