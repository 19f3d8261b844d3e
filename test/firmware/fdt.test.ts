import { Buffer } from "node:buffer";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasError, printable } from "../../src/base/diagnostic.ts";
import { MAX_DEPTH, MAX_NAME_BYTES, MAX_NODES, MAX_PATH, readDeviceTree } from "../../src/firmware/fdt.ts";
import { MAX_BLOB_BYTES } from "../../src/firmware/fdtHeader.ts";
import { assemble, begin, blob, end, finish, nop, prop, word } from "./blob.ts";

const root = join(import.meta.dirname, "../..");
const concat = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);
const names = Buffer.from("reg\0status\0\x1b[31m\0open", "latin1");
const tree = (...inside: Uint8Array[]): Buffer => concat(begin(""), ...inside, end, finish);
const none = new Uint8Array();
const lie = (header: Parameters<typeof assemble>[2]): Uint8Array => assemble(tree(), names, header);
const nested = (depth: number): Buffer => Buffer.concat([begin(""), ...Array.from({ length: depth - 1 }, () => begin("n")), ...Array.from({ length: depth }, () => end), finish]);
const siblings = (count: number): Buffer => Buffer.concat([begin(""), ...Array.from({ length: count }, (_, i) => concat(begin(i.toString(36)), end)), end, finish]);

/** Each rule of the format with inputs that break it and nothing before it. */
const refused: Record<string, Record<string, Uint8Array>> = {
  "dtb-truncated": {
    "an empty file": none,
    "three bytes": Buffer.from([0xd0, 0x0d, 0xfe]),
    "half a header": lie({}).subarray(0, 20),
    "one byte short of its size": lie({}).subarray(0, -1),
    "a size of nearly 2^32": lie({ totalSize: 0xffff_ffff }),
  },
  "dtb-bad-magic": { "source text": Buffer.from("/dts-v1/;\n/ { };\n".padEnd(64)), "swapped words": lie({ magic: 0xedfe0dd0 }), zeros: Buffer.alloc(64) },
  "dtb-version": {
    "compatible with later readers only": lie({ version: 18, lastCompatible: 18 }),
    "last compatible above its own": lie({ version: 16, lastCompatible: 17 }),
    "the first format": lie({ version: 1, lastCompatible: 1 }),
  },
  "dtb-block-bounds": {
    "structure past the end": lie({ structOffset: 0x1000 }),
    "structure in the header": lie({ structOffset: 8 }),
    "structure size that wraps 32 bits": lie({ structSize: 0xffff_fffc }),
    "strings past the end": lie({ stringsSize: 0x1000 }),
    "strings offset of nearly 2^32": lie({ stringsOffset: 0xffff_fff0, stringsSize: 0x20 }),
    "reservations in the header": lie({ reservationsOffset: 0 }),
    "a total size smaller than the header": lie({ totalSize: 8 }),
  },
  "dtb-misaligned": { structure: lie({ structOffset: 58 }), reservations: lie({ reservationsOffset: 44 }) },
  "dtb-reservations": { "no end": assemble(tree(), none, {}, []), "at the end of the blob": lie({ reservationsOffset: 88 }) },
  "dtb-struct-end": {
    "size 0": lie({ structSize: 0 }),
    "size that cuts the end token": lie({ structSize: 12 }),
    "cut in a property's header": assemble(concat(begin(""), word(3), word(4)), names),
  },
  "dtb-token": { "0": assemble(tree(word(0))), "5": assemble(tree(word(5))), "1 with high bits": assemble(tree(word(0x8000_0001))) },
  "dtb-no-root": { "an end at once": assemble(finish), "only NOPs": assemble(concat(nop, nop, finish)) },
  "dtb-root-name": { "a named root": assemble(concat(begin("x"), end, finish)), "an escape sequence": assemble(concat(begin("\x1b[2J"), end, finish)) },
  "dtb-two-roots": { "one after another": assemble(concat(begin(""), end, begin(""), end, finish)) },
  "dtb-unbalanced": {
    "an end too many": assemble(concat(begin(""), end, end, finish)),
    "an end at once": assemble(concat(end, finish)),
    "an open node": assemble(concat(begin(""), begin("a"), end, finish)),
    "a property before the root": assemble(concat(prop(0, none), begin(""), end, finish), names),
    "a property after the root": assemble(concat(begin(""), end, prop(0, none), finish), names),
  },
  "dtb-node-name": {
    "empty below the root": assemble(tree(begin(""), end)),
    "a slash": assemble(tree(begin("../a"), end)),
    "an escape sequence": assemble(tree(begin("\x1b[31m"), end)),
    "two unit addresses": assemble(tree(begin("a@1@2"), end)),
    "only a unit address": assemble(tree(begin("@1"), end)),
    "a byte above ASCII": assemble(tree(begin("caf\xe9"), end)),
  },
  "dtb-duplicate-node": { "two siblings": assemble(tree(begin("a@1"), end, begin("b"), end, begin("a@1"), end)) },
  "dtb-name-unterminated": {
    "a node's, to the end of the block": assemble(concat(begin(""), word(1), word(0x61616161))),
    "a property's, to the end of the strings": assemble(tree(prop(names.length - 4, none)), names),
    "a node's that a NUL outside the block would end": assemble(concat(begin(""), word(1), word(0x61616161)), Buffer.alloc(8)),
  },
  "dtb-name-too-long": { [`${MAX_NAME_BYTES + 1} bytes`]: assemble(tree(begin("n".repeat(MAX_NAME_BYTES + 1)), end)) },
  "dtb-path-too-long": { [`more than ${MAX_PATH} characters`]: assemble(tree(...Array.from({ length: 5 }, () => begin("n".repeat(MAX_NAME_BYTES))), end, end, end, end, end)) },
  "dtb-property-name": { "an escape sequence": assemble(tree(prop(11, none)), names), empty: assemble(tree(prop(3, none)), names) },
  "dtb-string-offset": { "at the end": assemble(tree(prop(names.length, none)), names), "nearly 2^32": assemble(tree(prop(0xffff_ffff, none)), names), "no strings": assemble(tree(prop(0, none))) },
  "dtb-property-length": {
    "past the end": assemble(tree(prop(0, none, 0x100)), names),
    "2^32 - 1, which rounds up to 0": assemble(tree(prop(0, none, 0xffff_ffff)), names),
    "2^31 - 1": assemble(tree(prop(0, none, 0x7fff_ffff)), names),
  },
  "dtb-duplicate-property": { "two of one name": assemble(tree(prop(0, none), prop(4, none), prop(0, none)), names) },
  "dtb-too-deep": { [`${MAX_DEPTH + 1} levels`]: assemble(nested(MAX_DEPTH + 1)), "100000 levels": assemble(nested(100_000)) },
  "dtb-too-many-nodes": { [`${MAX_NODES + 1} nodes`]: assemble(siblings(MAX_NODES)) },
  "dtb-too-large": { [`${MAX_BLOB_BYTES + 1} bytes`]: new Uint8Array(MAX_BLOB_BYTES + 1) },
};

/** Odd containers that have one meaning only: read, with a word about it. */
const odd: Record<string, Uint8Array> = {
  "dtb-trailing-bytes": concat(lie({}), Buffer.alloc(5)),
  "dtb-property-after-node": assemble(tree(begin("a"), end, prop(0, none)), names),
  "dtb-after-end": assemble(concat(tree(), nop)),
  "dtb-blocks-overlap": assemble(tree(prop(0, names)), none, { stringsOffset: 56 + 20, stringsSize: names.length, totalSize: 56 + tree(prop(0, names)).length }),
  "dtb-reservation-wraps": assemble(tree(), none, {}, [0xffff_ffff, 0xffff_f000, 0, 0x2000, 0, 0, 0, 0]),
};

describe("a malformed blob is refused by the rule it breaks", () => {
  for (const [id, cases] of Object.entries(refused)) {
    for (const [what, bytes] of Object.entries(cases)) {
      it(`${id}: ${what}`, () => {
        const { value, diagnostics } = readDeviceTree(bytes);
        expect(value).toBeUndefined();
        expect(diagnostics.filter((each) => each.severity === "error").map((each) => each.id)).toEqual([id]);
        for (const { message } of diagnostics) expect(printable(message)).toBe(message);
      });
    }
  }

  it("every error and warning of the reader is in these tables", () => {
    const source = ["fdt.ts", "fdtHeader.ts"].map((file) => readFileSync(join(root, "src/firmware", file), "utf8")).join();
    const ids = new Set(source.match(/"dtb-[a-z0-9-]+"/g)?.map((each) => each.slice(1, -1)));
    expect([...ids].toSorted()).toEqual([...Object.keys(refused), ...Object.keys(odd)].toSorted());
  });

  it("says where: byte offset and node path", () => {
    const bytes = assemble(tree(begin("soc"), begin("dev@1"), word(7), end, end));
    expect(readDeviceTree(bytes).diagnostics[0]).toMatchObject({ message: "0x7 is not a token, at byte 0x54 of the device tree (in node /soc/dev@1)", place: { path: "/soc/dev@1" } });
  });

  it("tells who gave source text how to compile it", () => {
    expect(readDeviceTree(refused["dtb-bad-magic"]!["source text"]!).diagnostics[0]?.hint).toMatch(/dtc -O dtb/);
  });

  for (const file of globSync("specs/broken/dtb-*.dtb", { cwd: root })) {
    it(`${file} breaks the rule that it is named after`, () => {
      expect(readDeviceTree(readFileSync(join(root, file))).diagnostics.map((each) => each.id)).toEqual([basename(file, ".dtb")]);
    });
  }
});

describe("what is odd and yet has one meaning is read", () => {
  for (const [id, bytes] of Object.entries(odd)) {
    it(id, () => {
      const { value, diagnostics } = readDeviceTree(bytes);
      expect(value?.root.path).toBe("/");
      expect(diagnostics.map((each) => [each.id, each.severity])).toEqual([[id, "warning"]]);
    });
  }

  it.each([
    ["slack before the end of the blob", concat(lie({ totalSize: lie({}).length + 64 }), Buffer.alloc(64))],
    ["NOPs anywhere between tokens", assemble(concat(nop, begin(""), nop, prop(0, none), nop, begin("a"), nop, end, nop, end, nop, finish), names)],
    ["version 16, which has no size of the structure block", lie({ version: 16, structSize: 0 })],
    ["a later version that says version 17 can read it", lie({ version: 19, lastCompatible: 17 })],
    [`${MAX_DEPTH} levels`, assemble(nested(MAX_DEPTH))],
  ])("%s: without a word", (_, bytes) => {
    const { value, diagnostics } = readDeviceTree(bytes);
    expect(value?.root.path).toBe("/");
    expect(diagnostics).toEqual([]);
  });

  it("the strings block may come before the structure block", () => {
    const structure = tree(prop(0, Buffer.from("ok\0")));
    const bytes = concat(assemble(none, concat(names, Buffer.alloc(-names.length & 3))), structure);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const structOffset = bytes.length - structure.length;
    view.setUint32(4, bytes.length);
    view.setUint32(8, structOffset);
    view.setUint32(36, structure.length);
    expect([...(readDeviceTree(bytes).value?.root.properties.keys() ?? [])]).toEqual(["reg"]);
  });

  it("names that JavaScript objects treat specially are plain names", () => {
    const bytes = blob({ constructor: [1], hasOwnProperty: [2], ["__proto__"]: [3], toString: { valueOf: [4] } });
    const { value } = readDeviceTree(bytes);
    expect([...value!.root.properties.keys()]).toEqual(["constructor", "hasOwnProperty", "__proto__"]);
    expect(value!.nodes[1]!.path).toBe("/toString");
  });

  it("100000 siblings take well under two seconds", () => {
    const started = performance.now();
    const { value } = readDeviceTree(assemble(siblings(100_000)));
    expect(value?.nodes.length).toBe(100_001);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

const nodeName = fc.stringMatching(/^[0-9A-Za-z,._+-]{1,8}(@[0-9a-f,]{0,4})?$/);
const propertyName = fc.stringMatching(/^[0-9A-Za-z,._+*#?-]{1,8}$/);
interface Sketch {
  readonly properties: readonly (readonly [string, Uint8Array])[];
  readonly children: readonly (readonly [string, Sketch])[];
}
const sketch = fc.letrec<{ node: Sketch }>((tie) => ({
  node: fc.record({
    properties: fc.uniqueArray(fc.tuple(propertyName, fc.uint8Array({ maxLength: 12 })), { maxLength: 4, selector: ([name]) => name }),
    children: fc.oneof({ depthSize: "small" }, fc.constant([]), fc.uniqueArray(fc.tuple(nodeName, tie("node")), { maxLength: 3, selector: ([name]) => name })),
  }),
})).node;

const written = (node: Sketch): Uint8Array => {
  const strings: Uint8Array[] = [];
  let at = 0;
  const write = (name: string, { properties, children }: Sketch): Buffer => {
    const lines = properties.map(([key, value]) => {
      const line = prop(at, value);
      strings.push(Buffer.from(`${key}\0`));
      at += key.length + 1;
      return line;
    });
    return concat(begin(name), ...lines, ...children.map(([child, inner]) => write(child, inner)), end);
  };
  const structure = concat(write("", node), finish);
  return assemble(structure, concat(...strings));
};

describe("laws", () => {
  it("reading what was written gives the same tree, names, order and bytes", () => {
    const again = (node: NonNullable<ReturnType<typeof readDeviceTree>["value"]>["root"]): Sketch => ({
      properties: [...node.properties].map(([name, value]) => [name, new Uint8Array(value)]),
      children: node.children.map((child) => [child.name, again(child)]),
    });
    fc.assert(
      fc.property(sketch, (node) => {
        const { value, diagnostics } = readDeviceTree(written(node));
        expect(diagnostics).toEqual([]);
        expect(again(value!.root)).toEqual(node);
      }),
    );
  });

  it("any change of any bytes is read or refused in printable words, never thrown at", () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 3, 9, 0x7f, 0xff))), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(sketch, edits, fc.option(fc.nat()), (node, changes, cut) => {
        const bytes = Uint8Array.from(written(node));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const { value, diagnostics } = readDeviceTree(cut === null ? bytes : bytes.subarray(0, cut % bytes.length));
        expect(value === undefined).toBe(hasError(diagnostics));
        for (const { message } of diagnostics) expect(printable(message)).toBe(message);
      }),
      { numRuns: 1000 },
    );
  });
});
