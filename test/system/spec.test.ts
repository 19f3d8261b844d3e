import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasError } from "../../src/base/diagnostic.ts";
import { decodeSpec, specJsonSchema } from "../../src/system/spec.ts";
import { didYouMean } from "../../src/system/suggestion.ts";
import { SPEC_TEXT_LIMIT } from "../../src/system/yaml.ts";
import { root } from "./fixture.ts";

const example = readFileSync(join(root, "specs/systems/one-driver/system.yaml"), "utf8");
const faults = (text: string): readonly string[] => decodeSpec(text, "s.yaml").diagnostics.map(({ id, place }) => `${place?.line}:${place?.column} ${id}`);
const sizeOf = (written: string): bigint | undefined => decodeSpec(`system: a\nboard: b\nregions: { r: { size: ${written}, owner: a } }\ncomponents: {}`, "s").value?.spec.regions?.["r"]?.size;

describe("decoding a spec", () => {
  it("reads the first example", () => {
    const { value, diagnostics } = decodeSpec(example, "system.yaml");
    expect(diagnostics).toEqual([]);
    expect(value?.spec.system).toBe("one-driver");
    expect(value?.spec.components["nic-driver"]?.devices).toEqual({ nic: { pci: "00:02.0" } });
    expect(value?.spec.regions?.["heap"]).toEqual({ size: 4096n, owner: "nic-driver", kind: "untyped" });
  });

  it.each([
    ["4096", 0x1000n],
    ["0x1000", 0x1000n],
    ["4KiB", 0x1000n],
    ["64 KiB", 0x10000n],
    ["2MiB", 0x200000n],
    ["1GiB", 0x40000000n],
    ['"0xffffffffffffffff"', 0xffffffffffffffffn],
    ["0x10KiB", 0x4000n],
  ])("takes the size %s", (written, bytes) => expect(sizeOf(written)).toBe(bytes));

  it.each(["4KB", "4k", "1.5MiB", "-1", "1e3.5", "0xg", "four", "[]", "~", "true", '""', "0x10000000000000000", "9007199254740993"])("refuses the size %s", (written) => {
    expect(sizeOf(written)).toBeUndefined();
  });

  it.each([
    ["region", "{ r: { size: 2MiB, owner: x, frames: 2MiB } }", "[{ region: r, pages: 1GiB }]", []],
    ["no frame", "{ r: { size: 2MiB, owner: x, frames: 64KiB } }", "[{ region: r, pages: 8KiB }]", ["wrong-value", "wrong-value"]],
    ["untyped", "{ r: { size: 2MiB, owner: x, frames: 2MiB, kind: untyped } }", "[r]", ["wrong-value"]],
    ["no region", "{}", "[{ cb: x, pages: 2MiB }]", ["wrong-value"]],
  ])("takes `frames` and `pages` where they go: %s", (_, regions, holds, expected) => {
    const text = `system: a\nboard: b\nregions: ${regions}\ncomponents: { x: { kind: service, holds: ${holds} } }`;
    expect(decodeSpec(text, "s").diagnostics.map(({ id }) => id)).toEqual(expected);
  });

  it("collects every problem, in the order of the text", () => {
    const text = [
      "system: One",
      "bord: x",
      "regions:",
      "  A: { size: 4KiB, owner: b }",
      "  c: { size: -1, ownr: 3 }",
      "components:",
      "  x:",
      "    kind: drver",
      '    devices: { nic: { pci: "0:2.0" }, d: { path: x, alias: y }, e: {} }',
      "    holds: [3, { regoin: x }, { sid: a, cb: b }, { sid: a, iova: 3 }, { region: a, iova: 5, map: false }]",
      "  y: 3",
    ].join("\n");
    expect(faults(text)).toEqual([
      "1:1 missing-key",
      "1:9 wrong-value",
      "2:1 unknown-key",
      "4:3 bad-name",
      "5:3 missing-key",
      "5:14 wrong-value",
      "5:18 unknown-key",
      "8:11 wrong-value",
      "9:28 wrong-value",
      "9:50 wrong-value",
      "9:68 wrong-value",
      "10:13 wrong-value",
      "10:18 unknown-key",
      "10:31 wrong-value",
      "10:50 wrong-value",
      "10:71 wrong-value",
      "11:6 wrong-value",
    ]);
  });

  it("suggests the key that was meant, and lists the others", () => {
    const [found] = decodeSpec("system: a\nboard: b\ncomponents: { a: { kind: vm, trsuted: true } }", "s").diagnostics;
    expect(found).toMatchObject({ id: "unknown-key", message: "unknown key `trsuted` (did you mean `trusted`?)", hint: "the keys here are kind, trusted, devices, cb, holds" });
    expect(found?.place).toEqual({ file: "s", line: 3, column: 30, endColumn: 37, path: "components.a.trsuted" });
  });

  it.each([
    ["", "wrong-value"],
    ["- a", "wrong-value"],
    ["a: &x [*x]", "yaml-alias"],
    ["a: 1\na: 2", "yaml-duplicate-key"],
    ["1: 2", "yaml-key"],
    ["? [a]\n: b", "yaml-key"],
    ["%YAML 1.1\n---\na: yes", "yaml-version"],
    ["a: [", "yaml-syntax"],
    ["---\na: 1\n---\nb: 2", "yaml-syntax"],
    ["[".repeat(20_000), "yaml-syntax"],
    ["- ".repeat(20_000), "yaml-syntax"],
    ["#".repeat(SPEC_TEXT_LIMIT + 1), "spec-too-large"],
  ])("refuses the text %#", (text, id) => {
    const { value, diagnostics } = decodeSpec(text, "s");
    expect(value).toBeUndefined();
    expect(diagnostics[0]).toMatchObject({ id, severity: "error", place: { file: "s", line: expect.any(Number) } });
  });

  it("lists a bounded number of problems", () => {
    const { diagnostics } = decodeSpec(`system: a\nboard: b\ncomponents:\n${Array.from({ length: 2000 }, (_, i) => `  c${i}: {}`).join("\n")}`, "s");
    expect(diagnostics).toHaveLength(201);
    expect(diagnostics.at(-1)).toMatchObject({ id: "more-findings", severity: "error", message: "1800 more findings are not listed" });
  });

  it("takes names that JavaScript objects have for names", () => {
    const { value } = decodeSpec("system: constructor\nboard: b\ncomponents: { constructor: { kind: vm } }", "s");
    expect(Object.keys(value?.spec.components ?? {})).toEqual(["constructor"]);
    expect(faults("system: a\nboard: b\ncomponents: {}\n__proto__: { regions: {} }")).toEqual(["4:1 unknown-key"]);
  });

  it("prints no control characters of its input", () => {
    const { diagnostics } = decodeSpec('"\\e[31mred": 1\nsystem: "\\a\\u202e"', "s");
    expect(diagnostics.length).toBeGreaterThan(1);
    for (const { message, hint = "", place } of diagnostics) expect(`${message}${hint}${place?.path}`).not.toMatch(/[^\P{C}]/u);
  });

  it("survives any damage to a spec, with a value or an error but not both", () => {
    const damage = fc.tuple(fc.nat(example.length), fc.nat(12), fc.string({ maxLength: 6 }));
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (cuts) => {
        const text = cuts.reduce((rest, [at, length, inserted]) => rest.slice(0, at) + inserted + rest.slice(at + length), example);
        const { value, diagnostics } = decodeSpec(text, "s");
        expect(value === undefined).toBe(hasError(diagnostics));
        for (const { place } of diagnostics) expect(place?.line).toBeLessThanOrEqual(text.split("\n").length);
      }),
    );
  });
});

describe("didYouMean", () => {
  it("names the nearest of the near ones, and nothing far", () => {
    expect(didYouMean("rnig", ["heap", "ring", "wing"])).toBe(" (did you mean `ring`?)");
    expect(didYouMean("zebra", ["heap", "ring"])).toBe("");
    expect(didYouMean("x", [])).toBe("");
    expect(didYouMean("b0", ["a"])).toBe("");
  });
});

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly propertyNames?: JsonSchema;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
}

/** Every object schema below a schema, with the path to it. */
const objects = (schema: JsonSchema, path = "spec"): readonly (readonly [string, JsonSchema])[] => [
  ...(schema.properties === undefined ? [] : [[path, schema] as const]),
  ...Object.entries(schema.properties ?? {}).flatMap(([key, value]) => objects(value, `${path}.${key}`)),
  ...Object.values(schema.patternProperties ?? {}).flatMap((value) => objects(value, `${path}.*`)),
  ...(typeof schema.additionalProperties === "object" ? objects(schema.additionalProperties, `${path}.*`) : []),
  ...(schema.items === undefined ? [] : objects(schema.items, `${path}[]`)),
  ...[...(schema.anyOf ?? []), ...(schema.allOf ?? [])].flatMap((member) => objects(member, path)),
];

describe("the JSON Schema of a spec", () => {
  const schema = specJsonSchema() as JsonSchema;

  it("documents every key and refuses others", () => {
    const found = objects(schema);
    expect(found.map(([path]) => path)).toEqual(["spec", "spec.memory", "spec.regions.*", "spec.regions.*.share[]", "spec.components.*", "spec.components.*.devices.*", "spec.components.*.holds[]"]);
    for (const [path, object] of found) {
      expect(object.additionalProperties, path).toBe(false);
      for (const [key, value] of Object.entries(object.properties ?? {})) expect(value.description, `${path}.${key}`).toMatch(/\w{3}/u);
    }
  });

  it("says what a name looks like", () => {
    expect(schema.properties?.["system"]?.pattern).toBe("^[a-z][a-z0-9-]{0,47}$");
  });
});
