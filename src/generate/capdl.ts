/**
 * View of `system.cdl`: capDL text for seL4's own parser (capDL-tool/CapDL/ParserUtils.hs, MakeModel.hs, State.hs).
 * Every object has a prefix of its kind, so that names of different lists cannot meet.
 */
import { type Diagnostic, impossible, printable } from "../base/diagnostic.ts";
import { hex, PAGE_BYTES } from "../base/words.ts";
import { frameLevel } from "../system/frameSize.ts";
import { frameBytes, type Layout, type LayoutCap, type LayoutSlot } from "../system/layout.ts";
import { bootWarning, controlWarning } from "./capdlWarning.ts";
import type { SmmuObject } from "./capdlLoader.ts";
import { ascii } from "./escape.ts";
import { mappedFrames, type MappedFrame } from "./mapping.ts";
import { type Names, objectName, rootName, TABLE_TYPES, tableName } from "./names.ts";

interface CapLine {
  readonly slot: number;
  /** Empty where capDL has no word for the capability: the line is a comment then. */
  readonly object: string;
  readonly params: string;
  readonly note: string;
}
interface Container {
  readonly name: string;
  readonly lines: readonly CapLine[];
}

/** Object name to its type with parameters, in order of appearance. */
type Objects = Map<string, string>;

const ENTRIES = 512n;
/** Bits of an IOVA below those that index a table of `level`: 4 KiB granule, level 3 maps pages (DDI 0487, VMSAv8-64). */
const shiftOf = (level: number): bigint => 12n + 9n * BigInt(3 - level);
const indexOf = (level: number, iova: bigint): number => Number((iova >> shiftOf(level)) % ENTRIES);
/** The first IOVA covered by the table of `level` that translates `iova`. */
const baseOf = (level: number, iova: bigint): bigint => iova - (iova % (ENTRIES << shiftOf(level)));
const tableOver = (names: Names, vspace: number, level: number, iova: bigint): string => tableName(names, vspace, level, baseOf(level, iova));

/** seL4 splits an ASID into pool and index of 9 bits (AArch64 `asidLowBits`). */
const asidParam = (asid: number): string => `asid: (${asid >> 9}, ${asid & 511})`;
/** capDL's words for the size of a frame, by the level whose entries map it: it has the suffixes k and M only (ParserUtils.hs). */
const FRAME_WORDS: Readonly<Record<number, string>> = { 1: "1024M", 2: "2M", 3: "4k" };
const rightsParam = { rw: "RW", r: "R" } as const;

const untypedType = (layout: Layout, region: number): string => {
  const { base, size } = layout.regions[region]!;
  return `ut (${size.toString(2).length - 1} bits, paddr: ${hex(base)})`;
};

const typeOf = (layout: Layout, cap: LayoutCap): string => {
  switch (cap.kind) {
    case "cnode":
      return `cnode (${layout.components[cap.component]!.radix} bits)`;
    case "sid":
      return "streamid";
    case "cb":
      return `contextbank (bank: ${layout.cbs[cap.cb]!.number})`;
    case "vspace":
      return TABLE_TYPES[0];
    case "pageTable":
      return TABLE_TYPES[cap.mapped.level] ?? impossible(`a page table of level ${cap.mapped.level}`);
    case "frame":
      return `frame (${FRAME_WORDS[frameLevel(frameBytes(layout, cap.region))] ?? impossible("a frame of no size that is")}, paddr: ${hex(cap.pa)})`;
    case "untyped":
      return untypedType(layout, cap.region);
    case "sidControl":
    case "cbControl":
      return impossible("capDL has no control capabilities");
  }
};

const paramsOf = (layout: Layout, names: Names, cap: LayoutCap): string => {
  switch (cap.kind) {
    case "cnode":
      return `guard: 0, guard_size: ${64 - layout.components[cap.component]!.radix}`;
    case "vspace":
      return asidParam(layout.vspaces[cap.vspace]!.asid);
    case "frame": {
      const { mapped, rights } = cap;
      if (mapped === undefined) return rightsParam[rights];
      const level = frameLevel(frameBytes(layout, cap.region));
      return `${rightsParam[rights]}, mapping: (${tableOver(names, mapped.vspace, level, mapped.iova)}, ${indexOf(level, mapped.iova)})`;
    }
    default:
      return "";
  }
};

/** Objects that exist whether or not anyone holds them, then all that a slot names. */
const objectsOf = (layout: Layout, names: Names): Objects => {
  const objects: Objects = new Map();
  for (const [component, name] of names.components.entries()) {
    objects.set(`tcb_${name}`, "tcb");
    objects.set(`cnode_${name}`, typeOf(layout, { kind: "cnode", component }));
  }
  for (const vspace of layout.vspaces.keys()) objects.set(rootName(names, vspace), TABLE_TYPES[0]);
  for (const { slots } of layout.components)
    for (const { cap } of slots) {
      const name = objectName(layout, names, cap);
      if (name !== undefined) objects.set(name, typeOf(layout, cap));
    }
  return objects;
};

const capLine = (layout: Layout, names: Names, { slot, cap, name }: LayoutSlot): CapLine => {
  const object = objectName(layout, names, cap);
  if (object !== undefined) return { slot, object, params: paramsOf(layout, names, cap), note: ascii(name) };
  const what = cap.kind === "sidControl" ? "SIDControl" : "CBControl";
  return { slot, object: "", params: "", note: `${ascii(name)}: ${what}, for which capDL has no word; the slot stays empty` };
};

const bySlot = (lines: readonly CapLine[]): readonly CapLine[] => lines.toSorted((a, b) => a.slot - b.slot);

const cnodes = (layout: Layout, names: Names): readonly Container[] =>
  layout.components.map(({ slots }, component) => ({
    name: `cnode_${names.components[component]!}`,
    lines: bySlot(slots.map((slot) => capLine(layout, names, slot))),
  }));

const tcbs = (layout: Layout, names: Names): readonly Container[] =>
  layout.components.map((_, component) => {
    const cspace: LayoutCap = { kind: "cnode", component };
    return {
      name: `tcb_${names.components[component]!}`,
      lines: [{ slot: 0, object: objectName(layout, names, cspace)!, params: paramsOf(layout, names, cspace), note: "cspace" }],
    };
  });

/** The tables' own slots: tables of the next level, and frames in those of their own. */
const tables = (layout: Layout, names: Names, objects: Objects): readonly Container[] => {
  const containers = new Map<string, Map<number, CapLine>>();
  const put = (container: string, slot: number, object: string, params: string): void => {
    if (!objects.has(container)) impossible(`${object} stands in ${container}, which the layout does not have`);
    const lines = containers.get(container) ?? new Map<number, CapLine>();
    containers.set(container, lines.set(slot, { slot, object, params, note: "" }));
  };
  for (const { cap } of layout.components.flatMap(({ slots }) => slots)) {
    if (cap.kind !== "pageTable") continue;
    const { vspace, level, iova } = cap.mapped;
    put(tableOver(names, vspace, level - 1, iova), indexOf(level - 1, iova), objectName(layout, names, cap)!, "");
  }
  const frame = (cap: MappedFrame): void => {
    const { vspace, iova } = cap.mapped;
    const level = frameLevel(frameBytes(layout, cap.region));
    put(tableOver(names, vspace, level, iova), indexOf(level, iova), objectName(layout, names, cap)!, rightsParam[cap.rights]);
  };
  mappedFrames(layout).forEach(frame);
  return [...objects.keys()].flatMap((name) => {
    const lines = containers.get(name);
    return lines === undefined ? [] : [{ name, lines: bySlot([...lines.values()]) }];
  });
};

/** Who was copied from whom. A parent that capDL cannot name, or that names another object, is left out. */
const derivations = (layout: Layout, names: Names): readonly { readonly from: string; readonly to: string }[] => {
  const held = layout.components.map(({ slots }) => new Map(slots.map(({ slot, cap }) => [slot, objectName(layout, names, cap)])));
  return layout.components.flatMap(({ slots }, component) =>
    slots.flatMap(({ slot, parent }) => {
      const object = held[component]!.get(slot);
      if (parent === undefined || object === undefined || held[parent.component]!.get(parent.slot) !== object) return [];
      return [{ from: `cnode_${names.components[parent.component]!}, ${parent.slot}`, to: `cnode_${names.components[component]!}, ${slot}` }];
    }),
  );
};

/** Streams and banks that somebody holds at boot: those that a loader would create. */
const smmuObjects = (layout: Layout, names: Names): readonly SmmuObject[] => {
  const held = new Map<string, SmmuObject>();
  for (const { cap } of layout.components.flatMap(({ slots }) => slots)) {
    if (cap.kind !== "sid" && cap.kind !== "cb") continue;
    const name = objectName(layout, names, cap)!;
    if (cap.kind === "sid") held.set(name, { name, type: "streamid", smmu: layout.sids[cap.sid]!.smmu, number: layout.sids[cap.sid]!.sid });
    else held.set(name, { name, type: "contextbank", smmu: layout.cbs[cap.cb]!.smmu, number: layout.cbs[cap.cb]!.number });
  }
  return [...held.values()];
};

/** An untyped is 2^n bytes at an address that is a multiple of them; capDL has no other. */
const untypedFaults = (layout: Layout): readonly Diagnostic[] => {
  const held = new Set(layout.components.flatMap(({ slots }) => slots.flatMap(({ cap }) => (cap.kind === "untyped" ? [cap.region] : []))));
  return [...held].flatMap((index): Diagnostic[] => {
    const { name, base, size } = layout.regions[index]!;
    if (size >= PAGE_BYTES && (size & (size - 1n)) === 0n && base % size === 0n) return [];
    return [
      {
        id: "untyped-not-power-of-two",
        severity: "error",
        message: `region ${printable(name)} (${hex(base)}, ${hex(size)} bytes) cannot be one untyped`,
        place: { path: printable(name) },
        hint: "an untyped's size is a power of two, and its base a multiple of its size",
      },
    ];
  });
};

const controlSlots = (layout: Layout): readonly string[] =>
  layout.components.flatMap(({ name, slots }) => slots.flatMap(({ slot, cap }) => (cap.kind === "sidControl" || cap.kind === "cbControl" ? [`slot ${slot} of ${ascii(name)}`] : [])));

/** The view of `templates/system.cdl.hbs`, and what capDL cannot say of this system. */
export const capdlView = (layout: Layout, names: Names): { readonly view: object; readonly diagnostics: readonly Diagnostic[] } => {
  const objects = objectsOf(layout, names);
  const { faults, diagnostics } = bootWarning(smmuObjects(layout, names));
  const copies = derivations(layout, names);
  const view = {
    system: ascii(layout.name),
    board: ascii(layout.board.file),
    faults,
    hasFaults: faults.length > 0,
    objects: [...objects].map(([name, type]) => ({ name, type })),
    containers: [...tcbs(layout, names), ...cnodes(layout, names), ...tables(layout, names, objects)],
    derivations: copies,
    hasDerivations: copies.length > 0,
  };
  return { view, diagnostics: [...untypedFaults(layout), ...diagnostics, ...controlWarning(controlSlots(layout))] };
};
