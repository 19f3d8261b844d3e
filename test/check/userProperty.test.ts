/** Properties of the user's own: the README's example as it stands there, what a property can read, and files that are none. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkLayout } from "../../src/check/check.ts";
import { createModel } from "../../src/check/model.ts";
import { properties } from "../../src/check/properties/properties.ts";
import type { SystemState } from "../../src/check/properties/readable.ts";
import { readable } from "../../src/check/properties/readable.ts";
import { Refusal } from "../../src/check/refusal.ts";
import { judgeable, loadProperties, type UserProperty } from "../../src/check/properties/userProperty.ts";
import { replayTrace } from "../../src/index.ts";
import { cofferdam, type Profile } from "../../src/kernel/profile.ts";
import { defaultScope } from "../../src/system/scale.ts";
import { bootOf, layoutOf } from "../kernel/fixture.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "cofferdam-property-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, "node_modules"));
symlinkSync(root, join(folder, "node_modules/cofferdam"));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const example = "specs/systems/one-driver/system.yaml";
const run = (...args: string[]) => spawnSync(process.execPath, [join(root, "src/cli/main.ts"), ...args], { cwd: root, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });

const layout = layoutOf("one-driver");
const scope = { ...defaultScope, slots: 0 };
const checked = (own: UserProperty, options: Parameters<typeof checkLayout>[1] = {}) => checkLayout(layout, { scope, ...options, properties: [...properties, judgeable(own)] });

describe("the example of the README", () => {
  const [, section] = readFileSync(join(root, "README.md"), "utf8").split(/^#+ Your own properties$/m);
  const text = /```ts\n(.*?)```/s.exec(section ?? "")?.[1] ?? "";
  const own = file("heap.ts", text);
  const out = join(folder, "out");

  it("is judged, breaks, and its trace is replayed, in a project of a user", () => {
    const found = run("check", example, "--property", own, "--out", out);
    expect(found.stderr).toBe("");
    expect(found.status).toBe(1);
    expect(found.stdout).toMatch(/^ {2}violated {2}heap-is-private: /m);
    expect(found.stdout).toContain(`Reproduce: npx cofferdam replay ${example} ${out}/trace-heap-is-private.json --property ${own}`);
    const trace = join(out, "trace-heap-is-private.json");
    expect(run("replay", example, trace, "--property", own).stdout).toMatch(/^VIOLATED {2}heap-is-private: /);
    expect(run("replay", example, trace)).toMatchObject({ status: 2 });
  });

  it("is replayed by a program, too", async () => {
    const { default: property } = (await import(own)) as { default: UserProperty };
    const trace: unknown = JSON.parse(readFileSync(join(out, "trace-heap-is-private.json"), "utf8"));
    expect(replayTrace(join(root, example), trace, [property])).toMatchObject({ result: "violated" });
    expect(() => replayTrace(join(root, example), trace)).toThrow(/names a property/);
  });
});

describe("what a property reads", () => {
  const states: SystemState[] = [];
  const model = createModel(bootOf("shared-config"), []);
  const first = readable(model.viewAt(model.initial, 0));

  it("at boot nothing is bound, and every capability has its holder, kind and object", () => {
    expect(first.streams.map(({ sid, bank, vspace, reaches }) => ({ sid, bank, vspace, reaches }))).toEqual(first.streams.map(({ sid }) => ({ sid, bank: undefined, vspace: undefined, reaches: [] })));
    expect(first.banks.every(({ vspace }) => vspace === undefined)).toBe(true);
    expect(first.vspaces.flatMap(({ mappings }) => mappings).length).toBeGreaterThan(0);
    const { slots, name } = model.booted.layout.components[0]!;
    expect(first.capabilities.filter(({ holder }) => holder === name).map(({ slot, kind }) => ({ slot, kind }))).toEqual(slots.map(({ slot, cap }) => ({ slot, kind: cap.kind })));
    for (const { kind, rights } of first.capabilities) expect(rights !== undefined).toBe(kind === "frame");
    const config = model.booted.layout.regions.find((region) => region.name === "config")!;
    expect(first.memory(config.base)).toEqual({ region: "config", owner: "vault", standing: "frame" });
    expect(first.memory(0n)).toEqual({ region: undefined, owner: undefined, standing: undefined });
  });

  it("a stream that is bound reaches what its VSpace maps, and what was deleted only by what is cached", () => {
    const wrong: string[] = [];
    const cached = new Set<boolean>();
    const bound = new Set<boolean>();
    const own: UserProperty = {
      name: "looks-around",
      sentence: "Streams and VSpaces agree.",
      violation: (state) => {
        states.push(state);
        for (const { bank, vspace, reaches } of state.streams) {
          const mapped = state.vspaces.find(({ name }) => name === vspace)?.mappings ?? [];
          bound.add(vspace !== undefined);
          for (const { iova, pa, cached: kept } of reaches) {
            cached.add(kept);
            if (!kept && !mapped.some((mapping) => mapping.iova === iova && mapping.pa === pa)) wrong.push(`0x${iova.toString(16)}`);
          }
          for (const mapping of mapped) if (!reaches.some((range) => range.iova === mapping.iova && range.pa === mapping.pa)) wrong.push(`not 0x${mapping.iova.toString(16)}`);
          if (state.banks.find(({ name }) => name === bank)?.vspace !== vspace) wrong.push("bank");
        }
        return undefined;
      },
    };
    const verdict = checked(own);
    expect(verdict.result).toBe("holds");
    expect(states).toHaveLength(verdict.states);
    expect({ wrong, bound }).toEqual({ wrong: [], bound: new Set([true, false]) });
  });

  it("is judged beside ours, which come to what they come to without it", () => {
    const { states: count, transitions, depth } = checkLayout(layout, { scope });
    expect(checked({ name: "nothing", sentence: "Nothing.", violation: () => undefined })).toMatchObject({ result: "holds", states: count, transitions, depth });
  });
});

describe("vacuity", () => {
  it("a verdict names the properties that held of nothing, with what they needed", () => {
    const never: UserProperty = { name: "with-many", sentence: "Many.", violation: () => undefined, needs: { words: "a stream reaches a hundred ranges", met: ({ streams }) => streams.some(({ reaches }) => reaches.length >= 100) } };
    expect(checked(never).vacuous).toEqual([{ property: "with-many", needs: "a stream reaches a hundred ranges" }]);
    const some = { ...never, needs: { words: "a stream reaches a range", met: ({ streams }: SystemState) => streams.some(({ reaches }) => reaches.length >= 1) } };
    expect(checked(some).vacuous).toEqual([]);
    const trusted = layoutOf("one-driver", (spec) => spec.replace("kind: driver", "kind: driver\n    trusted: true"));
    // What these need is there from boot on, whoever acts.
    const shown = ["derivation-tree", "counters", "kept-promises", "no-wedge"];
    expect(checkLayout(trusted).vacuous!.map(({ property }) => property)).toEqual(properties.map(({ name }) => name).filter((name) => !shown.includes(name)));
  });

  it("the fields of the profile that decided something are told", () => {
    const { asked, never } = checkLayout(layout, { scope }).profileFields!;
    expect(asked).toEqual(expect.arrayContaining(["issuedRevocable", "unassignAborts", "bindLimit", "breakBeforeMake"]));
    expect(never).toEqual(expect.arrayContaining(["smmuReset", "poolDeletionUnassigns"]));
    // The law behind it: with another value of a field that nothing asked for, the same happens.
    const happened = (profile: Profile) => {
      const { result, states, transitions, depth, coverage } = checkLayout(layout, { scope, profile });
      return { result, states, transitions, depth, coverage };
    };
    expect(never).toEqual(expect.arrayContaining(["bindChecksSmmu"]));
    expect(happened({ ...cofferdam, poolDeletionUnassigns: false, smmuReset: true, bindChecksSmmu: false })).toEqual(happened(cofferdam));
    expect(happened({ ...cofferdam, unassignAborts: false })).not.toEqual(happened(cofferdam));
  });
});

describe("files that are none", () => {
  const refused = async (...files: string[]): Promise<string> => {
    try {
      await loadProperties(files);
    } catch (error) {
      if (error instanceof Refusal) return `${error.diagnostics[0]!.id}: ${error.message}`;
      throw error;
    }
    return "taken";
  };
  const good = `{ name: "good", sentence: "Good.", violation: () => undefined }`;
  let number = 0;
  const text = (body: string): string => file(`none-${number++}.mjs`, body);

  it("are told with what is wrong", async () => {
    expect(await refused(text(`export default ${good}`))).toBe("taken");
    expect(await refused(text(`export default [${good}, { ...${good}, name: "better" }]`))).toBe("taken");
    expect(await refused(join(folder, "absent.ts"))).toMatch(/^bad-property: there is no such file/);
    expect(await refused(folder)).toMatch(/no regular file/);
    expect(await refused(text(`export const property = ${good}`))).toMatch(/no default export/);
    expect(await refused(text("export default []"))).toMatch(/empty list/);
    expect(await refused(text("export default 7"))).toMatch(/a property is an object, not a number/);
    expect(await refused(text("export default [null]"))).toMatch(/not null/);
    expect(await refused(text("export default {}"))).toMatch(/it exports nothing/);
    expect(await refused(text(`export default { ...${good}, need: {} }`))).toMatch(/`need` is no part of a property/);
    expect(await refused(text(`export default { ...${good}, sentence: "\\u001b[2J" }`))).toMatch(/control characters/);
    expect(await refused(text("throw new Error('at once')"))).toMatch(/can't be loaded: Error: at once/);
    expect(await refused(text("export default {"))).toMatch(/can't be loaded: \w*Error/);
    expect(await refused(text(`export default { ...${good}, name: "../escape" }`))).toMatch(/its `name` is "..\/escape"/);
    expect(await refused(text(`export default { ...${good}, name: undefined }`))).toMatch(/its `name` is missing/);
    expect(await refused(text(`export default { ...${good}, sentence: "" }`))).toMatch(/no `sentence`/);
    expect(await refused(text(`export default { ...${good}, violation: "no" }`))).toMatch(/no function `violation`/);
    expect(await refused(text(`export default { ...${good}, needs: true }`))).toMatch(/`needs` of `good`/);
    expect(await refused(text(`export default { ...${good}, name: "no-dangling" }`))).toMatch(/there is a property `no-dangling` already/);
    expect(await refused(text(`export default { ...${good}, name: "intended-dma" }`))).toMatch(/already/);
    expect(await refused(text(`export default ${good}`), text(`export default ${good}`))).toMatch(/there is a property `good` already/);
    expect(await refused(text(`export default Array.from({ length: 25 }, (_, n) => ({ ...${good}, name: "p" + n }))`))).toMatch(/25 properties are too many/);
  });

  it("a property that does not judge is named, with what led to the state", () => {
    const failing = (violation: (state: SystemState) => unknown): string => {
      try {
        checked({ name: "fails", sentence: "Fails.", violation: violation as UserProperty["violation"] });
      } catch (error) {
        if (error instanceof Refusal) return `${error.diagnostics[0]!.id}: ${error.message}; ${error.diagnostics[0]!.hint}`;
        throw error;
      }
      return "judged";
    };
    const bound = ({ streams }: SystemState) => streams.some(({ bank }) => bank !== undefined);
    expect(failing((state) => (bound(state) ? (undefined as unknown as { x: string }).x : undefined))).toMatch(/^property-failed: the property `fails` threw TypeError: .*, asked about the state after 2 invocation\(s\); what leads there: 1\. nic-driver: ARMCBAssignVspace\(cptr=.*; 2\. nic-driver: ARMSIDBindCB\(cptr=/);
    expect(failing(() => true)).toMatch(/gave back something of type boolean where an answer is undefined, or a string that says what is wrong, asked about the first state/);
    expect(failing(() => Promise.reject(new Error("later")))).toMatch(/gave back a promise \(it must not be async\)/);
    expect(failing(() => "")).toMatch(/gave back an empty string/);
    expect(failing(() => {
      throw Object.create(null);
    })).toMatch(/threw something that has no text/);
    expect(failing(({ memory }) => memory(0x1000 as unknown as bigint))).toMatch(/memory\(\) takes an address as a bigint/);
    expect(failing(() => null)).toMatch(/gave back null/);
  });

  it("a mistake is told with its line and column", async () => {
    const place = async (body: string) => {
      try {
        await loadProperties([text(body)]);
      } catch (error) {
        return (error as Refusal).diagnostics[0]!.place;
      }
      return undefined;
    };
    expect(await place("export default {\n  name: 7 8,\n};")).toMatchObject({ line: 2 });
    expect(await place("\n  throw new Error('at once');")).toMatchObject({ line: 2, column: 9 });
    const throwing = await loadProperties([text(`const row = () => { throw new Error("no row"); };\nexport default { ...${good}, violation: row };`)]);
    expect(() => checkLayout(layout, { scope, properties: throwing })).toThrow(/threw Error: no row \(none-\d+\.mjs:1:27\), asked about the first state/);
  });

  it("another file is another property, though its function says the same", async () => {
    const body = (limit: number) => `const limit = ${limit};\nexport default { ...${good}, violation: () => (limit > 1 ? "too many" : undefined) };`;
    const [first, second, again] = (await Promise.all([body(0), body(2), body(0)].map((source) => loadProperties([text(source)])))).map(([property]) => property);
    expect(first!.source).not.toBe(second!.source);
    expect(first!.source).toBe(again!.source);
  });

  it("a message drives no terminal, and fits a trace", () => {
    const { violations } = checked({ name: "shouts", sentence: "Quiet.", violation: () => `\u001b[31m${"very ".repeat(200)}loud` });
    expect(violations[0]!.message).toMatch(/^\\x1b\[31mvery /);
    expect(violations[0]!.message.length).toBeLessThanOrEqual(400);
  });

  it("a property that does not come back ends a run of two threads when its time is over", () => {
    const endless = file("endless.ts", `export default { name: "endless", sentence: "Ends.", violation: () => { for (;;); } };\n`);
    const { status, stdout, stderr } = run("check", example, "--property", endless, "--max-seconds", "1", "--workers", "2");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^error \[property-failed\] the run was to stop, and a property of your own has been judging one state for \d+ seconds\n {2}at .*endless\.ts/);
  });

  it("the command exits 2 and writes nothing", () => {
    const out = join(folder, "nothing");
    const throwing = file("throws.ts", `export default { name: "throws", sentence: "Throws.", violation: (state: { streams: readonly { bank?: string }[] }) => { if (state.streams[0]?.bank !== undefined) throw new Error("no idea"); } };\n`);
    for (const args of [["--property", join(folder, "absent.ts")], ["--property", throwing], ["--property", throwing, "--strategy", "random"]]) {
      const { status, stdout, stderr } = run("check", example, "--out", out, ...args);
      expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: "" });
      expect(stderr).toMatch(/^error \[(bad-property|property-failed|usage)\]/);
    }
    expect(run("replay", example, out).status).toBe(2);
  });
});
