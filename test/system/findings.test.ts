import { LineCounter, parseDocument } from "yaml";
import { describe, expect, it } from "vitest";
import { createFindings, FINDINGS_LIMIT } from "../../src/system/findings.ts";
import { createPlaces } from "../../src/system/place.ts";

const text = "a: 1\nb: 2\n";
const create = () => {
  const lines = new LineCounter();
  return createFindings(createPlaces(parseDocument(text, { lineCounter: lines }).contents, text, "s", lines));
};

describe("findings of a stage", () => {
  it("lists them by place, and fails only with an error", () => {
    const findings = create();
    findings.warning("late", ["b"], "second line");
    expect(findings.failed()).toBe(false);
    findings.errorAtKey("early", ["a"], "first line", "a hint");
    expect(findings.failed()).toBe(true);
    expect(findings.list()).toEqual([
      { id: "early", severity: "error", message: "first line", hint: "a hint", place: { file: "s", line: 1, column: 1, endColumn: 2, path: "a" } },
      { id: "late", severity: "warning", message: "second line", place: { file: "s", line: 2, column: 4, endColumn: 5, path: "b" } },
    ]);
  });

  it("counts those beyond the limit, and never loses that there was an error", () => {
    const findings = create();
    for (let i = 0; i < FINDINGS_LIMIT + 5; i += 1) findings.warning("w", ["a"], `${i}`);
    expect(findings.list()).toHaveLength(FINDINGS_LIMIT + 1);
    expect(findings.list().at(-1)).toEqual({ id: "more-findings", severity: "warning", message: "5 more findings are not listed" });
    findings.error("e", ["b"], "the error");
    findings.error("e", ["b"], "another");
    expect(findings.list().filter(({ severity }) => severity === "error").map(({ id }) => id)).toEqual(["e", "more-findings"]);
  });
});
