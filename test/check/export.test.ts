/** A counterexample in the forms of other tools, from a real trace and from one with hostile names. */
import { parseXml, XmlElement } from "@rgrove/parse-xml";
import { describe, expect, it } from "vitest";
import { checkLayout } from "../../src/check/check.ts";
import { itfOf } from "../../src/check/export/itf.ts";
import { junitOf } from "../../src/check/export/junit.ts";
import { mermaidOf } from "../../src/check/export/mermaid.ts";
import { type Report, reportOfTrace, reportOfVerdict } from "../../src/check/export/report.ts";
import { sarifOf } from "../../src/check/export/sarif.ts";
import { vitestOf } from "../../src/check/export/vitest.ts";
import { properties } from "../../src/check/properties/properties.ts";
import { summaryOf } from "../../src/check/traces/summary.ts";
import type { Trace, TraceStep } from "../../src/check/traces/trace.ts";
import { cofferdam, mutantOf } from "../../src/kernel/profile.ts";
import { layoutOf } from "../kernel/fixture.ts";

// Without the properties that fail an invocation earlier.
const judged = properties.filter(({ name }) => name !== "dma-integrity" && name !== "no-stale");
const verdict = checkLayout(layoutOf("one-driver"), { profile: mutantOf(cofferdam, "unmap-invalidates"), properties: judged });
const trace = verdict.violations[0]!.trace!;

const nasty = ["end; x: y\n  %% } ]]> </script> --> \"'`", "{1}*/ #35; \u0000 \u001b[31m \ud800 \ufffe \u2028 <b>&amp; as END"].join("$");
const hostile: Trace = {
  ...trace,
  message: `wrap:${nasty}`,
  steps: trace.steps.map((step): TraceStep => ({
    ...step,
    actor: nasty,
    op: "end",
    result: nasty,
    changed: [{ table: "__proto__", what: nasty, field: "__proto__", old: nasty, new: 3 }],
    steps: step.steps.map((given) => ({ ...given, what: nasty })),
  })),
  witness: { ...trace.witness, via: [{ what: nasty, addr: "0x0", value: "0x1" }] },
};

describe("the summary", () => {
  it("is one line: who did what, and what a device then reaches, by what", () => {
    expect(summaryOf(trace)).toBe(
      "nic-driver does ARMCBAssignVspace (CBNode[nic-driver.cb]), ARMSIDBindCB (SIDNode[nic-driver.nic]), ARMPageUnmap (nic-driver slot 5) and CNodeDelete (nic-driver slot 5); now a read by stream 0x10 of SMMU 0 at IOVA 0x10000000 reaches 0x60400000 by a cached stage-2 level 3 descriptor: nic-driver.nic (stream 0x10) can read 0x60400000 (ring), which is free memory",
    );
  });

  it("follows the trace: actors in turn, a walk of the SMMU, a break at boot, a trace that is too long to tell", () => {
    const [first, ...rest] = trace.steps;
    expect(summaryOf({ ...trace, steps: [{ ...first!, actor: "vault" }, ...rest] })).toMatch(/^vault does ARMCBAssignVspace \(.*?\), then nic-driver does ARMSIDBindCB/);
    const { iova: _, ...walk } = trace.witness;
    expect(summaryOf({ ...trace, witness: walk })).toContain("the SMMU may walk 0x60400000");
    expect(summaryOf({ ...trace, steps: [], witness: { ...walk, sid: "-0x1" } })).toMatch(/^From boot on; now .*any stream of SMMU 0 that nobody was given/);
    expect(summaryOf({ ...trace, steps: Array.from({ length: 40 }, () => first!) })).toMatch(/^28 invocations are made, then nic-driver/);
  });
});

describe("mermaid", () => {
  const linesOf = (of: Trace) => mermaidOf(of).trimEnd().split("\n").map((line) => line.trim());

  it("shows actors, kernel, SMMU and device, every invocation with its answer, and stores and commands between", () => {
    const lines = linesOf(trace);
    expect(lines[0]).toBe("sequenceDiagram");
    expect(lines.filter((line) => line.startsWith("participant"))).toEqual(["participant p0 as nic-driver", "participant kernel as kernel", "participant smmu as SMMU 0", "participant device as stream 0x10"]);
    expect(lines.filter((line) => line.startsWith("p0->>kernel"))).toHaveLength(trace.steps.length);
    expect(lines).toContain("p0->>kernel: ARMPageUnmap(cptr=0x5)");
    expect(lines).toContain("Note over kernel,smmu: L3[0] of nic-driver.vspace#58; [0x60406000] 0x604007ff to 0x0");
    expect(lines).toContain("kernel->>smmu: CFGI_STE 0x10");
    expect(lines.slice(-4)[0]).toBe("device->>smmu: read at IOVA 0x10000000");
  });

  it("no name is syntax", () => {
    const form = /^(?:sequenceDiagram|participant (?:p\d|kernel|smmu|device) as TEXT|(?:p\d|kernel|smmu|device)--?>>(?:p\d|kernel|smmu|device): TEXT|Note over (?:p\d|kernel|smmu)(?:,(?:smmu|device))?: TEXT)$/;
    for (const line of linesOf(hostile)) {
      const text = line.replace(/(?<= as |: ).*$/u, "TEXT");
      expect(text).toMatch(form);
      const shown = line.replaceAll("<br/>", "").replace(/^.*?(?: as |: )/u, "").replace(/#\d+;/g, "~");
      if (text !== line) expect(shown).toMatch(/^[A-Za-z0-9 _.,/@()[\]=+~-]*$/);
      if (text !== line) expect(shown).not.toMatch(/\bend\b/i);
    }
  });
});

describe("ITF", () => {
  interface Itf {
    readonly "#meta": { readonly format: string; readonly description: string };
    readonly vars: readonly string[];
    readonly states: readonly Readonly<Record<string, unknown>>[];
  }
  const read = (of: Trace) => JSON.parse(itfOf(of)) as Itf;
  type MapText = { readonly "#map": readonly (readonly [string, unknown])[] };
  const member = (map: unknown, key: string): unknown => (map as MapText)["#map"].find(([name]) => name === key)![1];

  it("has a state for the start and for each step, and every variable in each", () => {
    const { "#meta": meta, vars, states } = read(trace);
    expect(meta).toMatchObject({ format: "ITF", property: "no-dangling" });
    expect(vars).toEqual(["slot", "entry", "mbt::actionTaken", "mbt::nondetPicks"]);
    expect(states.map((state) => (state["#meta"] as { index: number }).index)).toEqual([0, 1, 2, 3, 4]);
    for (const state of states) expect(Object.keys(state).toSorted()).toEqual(["#meta", ...vars].toSorted());
    expect(states.map((state) => state["mbt::actionTaken"])).toEqual(["init", ...trace.steps.map(({ op }) => op)]);
  });

  it("a field has its old value until the step that changes it, and the new one from then on", () => {
    const { states } = read(trace);
    expect(states.map((state) => member(member(state["slot"], "SIDNode[nic-driver.nic]"), "kind"))).toEqual(["null", "null", "cb", "cb", "cb"]);
    expect(states.map((state) => member(member(state["entry"], "nic-driver.vspace L3[0] (0x10000000)"), "kind"))).toEqual([2, 2, 2, 0, 0].map((kind) => ({ "#bigint": String(kind) })));
  });

  it("takes any name, and traces that do not name the tables", () => {
    expect(read(hostile).states).toHaveLength(5);
    expect(read({ ...trace, steps: trace.steps.map((step) => ({ ...step, changed: step.changed.map(({ table: _, ...change }) => change) })) }).vars[0]).toBe("state");
  });
});

/** The report of a verdict in which one property holds, one fails twice, and one was not decided. */
const mixed: Report = reportOfVerdict({
  system: "one-driver",
  properties: [
    { name: "refinement", sentence: "R.", result: "holds" },
    { name: "no-dangling", sentence: "D.", result: "violated" },
    { name: "fail-closed", sentence: "F.", result: "undecided" },
  ],
  violations: [
    { property: "no-dangling", sentence: "D.", message: "a", trace },
    { property: "no-dangling", sentence: "D.", message: "b", trace: { ...trace, steps: trace.steps.slice(1) } },
    { property: "intended-dma", sentence: "I.", message: "never possible" },
  ],
});

describe("SARIF", () => {
  interface Sarif {
    readonly $schema: string;
    readonly version: string;
    readonly runs: readonly {
      readonly tool: { readonly driver: { readonly name: string; readonly version: string; readonly rules: readonly { readonly id: string; readonly shortDescription: { readonly text: string } }[] } };
      readonly results: readonly {
        readonly ruleId: string;
        readonly ruleIndex: number;
        readonly level: string;
        readonly message: { readonly text: string };
        readonly locations: readonly { readonly physicalLocation: { readonly artifactLocation: { readonly uri: string } } }[];
        readonly partialFingerprints: Readonly<Record<string, string>>;
        readonly codeFlows?: readonly { readonly threadFlows: readonly { readonly locations: readonly { readonly location: { readonly message: { readonly text: string } } }[] }[] }[];
      }[];
    }[];
  }
  const read = (report: Report, file = "specs/a b/é.yaml") => JSON.parse(sarifOf(report, { version: "0.1.0", file })) as Sarif;

  it("has what 2.1.0 requires: version, runs, a driver with a name, rules with ids, results with a message", () => {
    const { version, runs } = read(mixed);
    expect(version).toBe("2.1.0");
    const [{ tool, results }] = runs as [Sarif["runs"][number]];
    expect(tool.driver).toMatchObject({ name: "cofferdam", version: "0.1.0" });
    expect(tool.driver.rules.map(({ id, shortDescription }) => [id, shortDescription.text])).toEqual([["refinement", "R."], ["no-dangling", "D."], ["fail-closed", "F."], ["intended-dma", "I."]]);
    expect(results.map(({ ruleId, ruleIndex, level }) => [ruleId, ruleIndex, level])).toEqual([["no-dangling", 1, "error"], ["no-dangling", 1, "error"], ["intended-dma", 3, "error"]]);
    for (const { message, locations } of results) {
      expect(message.text.length).toBeGreaterThan(0);
      expect(locations[0]!.physicalLocation.artifactLocation.uri).toBe("specs/a%20b/%C3%A9.yaml");
    }
  });

  it("tells each trace as a code flow that ends in the break, with a fingerprint of its moves", () => {
    const { results } = read(mixed).runs[0]!;
    const flow = results[0]!.codeFlows![0]!.threadFlows[0]!.locations.map(({ location }) => location.message.text);
    expect(flow).toHaveLength(trace.steps.length + 1);
    expect(flow.at(-1)).toBe(trace.message);
    expect(results[2]!.codeFlows).toBeUndefined();
    expect(new Set(results.map(({ partialFingerprints }) => Object.values(partialFingerprints)[0])).size).toBe(3);
    const reworded = read(reportOfTrace({ ...trace, message: "other words", final: "" })).runs[0]!.results[0]!;
    expect(reworded.partialFingerprints).toEqual(results[0]!.partialFingerprints);
  });

  it("a path in the root is a file URI, and any text is JSON", () => {
    expect(read(reportOfTrace(hostile), "/tmp/x.yaml").runs[0]!.results[0]!.locations[0]!.physicalLocation.artifactLocation.uri).toBe("file:///tmp/x.yaml");
  });
});

describe("JUnit XML", () => {
  const children = (element: XmlElement) => element.children.filter((child): child is XmlElement => child instanceof XmlElement);

  it("has a case for each property: passed, failed with the trace, skipped when undecided", () => {
    const suites = parseXml(junitOf(mixed)).root!;
    expect(suites.name).toBe("testsuites");
    expect(suites.attributes).toMatchObject({ tests: "4", failures: "2", errors: "0", skipped: "1" });
    const cases = children(children(suites)[0]!);
    expect(cases.map((one) => [one.attributes["name"], children(one).map(({ name }) => name)])).toEqual([["refinement: R.", []], ["no-dangling: D.", ["failure"]], ["fail-closed: F.", ["skipped"]], ["intended-dma: I.", ["failure"]]]);
    const failure = children(cases[1]!)[0]!;
    expect(failure.attributes).toEqual({ message: `${summaryOf(trace)}.`, type: "no-dangling" });
    expect(failure.text).toContain("  4. nic-driver: CNodeDelete(cptr=0x1, index=0x5, depth=0x40) -> seL4_NoError");
    expect(failure.text.match(/^ {2}1\. /gm)).toHaveLength(2);
  });

  it("is well-formed whatever the names are", () => {
    const suites = parseXml(junitOf(reportOfTrace({ ...hostile, property: nasty }))).root!;
    expect(suites.text).toContain("]]> </script> -->");
    // No character that XML 1.0 leaves out: none but our own line ends.
    expect(junitOf(reportOfTrace(hostile))).not.toMatch(/[^\n -~]/);
  });
});

describe("vitest", () => {
  it("holds everything of the trace as JSON, and no name leaves its string", () => {
    const text = vitestOf(hostile, "a b/#1?.yaml");
    const [, embedded] = /const trace: unknown = (\{.*?\n\});\n/s.exec(text)!;
    expect(JSON.parse(embedded!)).toEqual(JSON.parse(JSON.stringify(hostile)));
    const [, title] = /\ntest\(("[^\n]*"), \(\) => \{\n/.exec(text)!;
    expect(JSON.parse(title!)).toBe(`no-dangling: ${summaryOf(hostile)}`);
    const [, spec] = /new URL\((".*"), import\.meta\.url\)/.exec(text)!;
    expect(new URL(JSON.parse(spec!) as string, "file:///test/x.test.ts").href).toBe("file:///test/a%20b/%231%3F.yaml");
  });
});
