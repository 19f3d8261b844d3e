/** View of `<component>.h`: what a component's program has to know to use its capabilities. */
import { hex } from "../base/words.ts";
import { frameBytes, type Layout, type LayoutCap } from "../system/layout.ts";
import { cComment } from "./escape.ts";
import { identifiers } from "./identifier.ts";
import { type MappingRun, mappingRuns } from "./mapping.ts";
import type { Names } from "./names.ts";
import { bytesText, capText, rightsText } from "./capText.ts";
import { type SlotRun, slotRuns } from "./slotRun.ts";

interface Macro {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}
interface Group {
  readonly title: string;
  readonly macros: readonly Macro[];
}

const holds = (layout: Layout, component: number, wanted: (cap: LayoutCap) => boolean): boolean => layout.components[component]!.slots.some(({ cap }) => wanted(cap));

const slotMacros = (layout: Layout, names: Names, component: number): readonly Macro[] =>
  slotRuns(layout, layout.components[component]!).flatMap(({ first, position, count }: SlotRun): Macro[] => {
    const note = capText(layout, first.cap, count);
    if (count === 1 || first.cap.kind !== "frame") return [{ name: `SLOT_${names.slots[component]![position]!}`, value: `${first.slot}`, note }];
    const name = `SLOT_${names.regions[first.cap.region]!}`;
    return [
      { name: `${name}_FIRST`, value: `${first.slot}`, note },
      { name: `${name}_COUNT`, value: `${count}`, note: `one slot a ${layout.regions[first.cap.region]!.frames === undefined ? "page" : "frame"}, in address order` },
    ];
  });

const streamMacros = (layout: Layout, names: Names, component: number): readonly Macro[] =>
  layout.sids.flatMap(({ smmu, sid, owner, devices }, index): Macro[] => {
    if (owner !== component && !holds(layout, component, (cap) => cap.kind === "sid" && cap.sid === index)) return [];
    const name = `STREAM_${names.sids[index]!}`;
    const note = devices.map((device) => layout.devices[device]!.at).join(", ");
    return [
      { name, value: hex(sid), note },
      { name: `${name}_SMMU`, value: `${smmu}`, note: layout.smmus[smmu]!.path },
    ];
  });

const bankMacros = (layout: Layout, names: Names, component: number): readonly Macro[] =>
  layout.cbs.flatMap(({ smmu, number, vmid, owner }, index): Macro[] => {
    if (owner !== component && !holds(layout, component, (cap) => cap.kind === "cb" && cap.cb === index)) return [];
    const name = `CB_${names.cbs[index]!}`;
    return [
      { name, value: `${number}`, note: "" },
      { name: `${name}_SMMU`, value: `${smmu}`, note: layout.smmus[smmu]!.path },
      { name: `${name}_VMID`, value: `${vmid}`, note: "" },
    ];
  });

const runNote = (layout: Layout, { vspace, region, pa, size, rights }: MappingRun): string => {
  const { name, base } = layout.regions[region]!;
  const part = pa === base && size === layout.regions[region]!.size ? "" : ` from byte ${hex(pa - base)}`;
  return `${name}${part}, ${rightsText(rights)}, in ${layout.vspaces[vspace]!.name}`;
};

/** Device addresses in every address space that the component owns or holds. A region mapped once goes by its own name. */
const addressMacros = (layout: Layout, names: Names, component: number): readonly Macro[] => {
  const mine = (vspace: number) => layout.vspaces[vspace]!.owner === component || holds(layout, component, (cap) => cap.kind === "vspace" && cap.vspace === vspace);
  const runs = mappingRuns(layout).filter(({ vspace }) => mine(vspace));
  return runs.flatMap((run): Macro[] => {
    const once = runs.filter(({ region }) => region === run.region).length === 1;
    const name = once ? names.regions[run.region]! : `${names.vspaces[run.vspace]!}_${names.regions[run.region]!}`;
    const page = frameBytes(layout, run.region);
    return [
      { name: `IOVA_${name}`, value: `${hex(run.iova)}UL`, note: runNote(layout, run) },
      { name: `SIZE_${name}`, value: `${hex(run.size)}UL`, note: `${bytesText(page)} pages: ${run.size / page}` },
    ];
  });
};

/** Prefixed, upper-case and unique in the file; comments made safe. */
const finished = (prefix: string, groups: readonly Group[]): readonly Group[] => {
  const unique = identifiers(groups.flatMap(({ macros }) => macros.map(({ name }) => name.toUpperCase())));
  let next = 0;
  return groups.flatMap(({ title, macros }) => (macros.length === 0 ? [] : [{ title, macros: macros.map(({ value, note }) => ({ name: `${prefix}_${unique[next++]!}`, value, note: cComment(note) })) }]));
};

/** The view of `templates/component.h.hbs`. */
export const headerView = (layout: Layout, names: Names, component: number): object => {
  const { name, radix } = layout.components[component]!;
  const prefix = names.components[component]!.toUpperCase();
  const groups: readonly Group[] = [
    {
      title: "Capability slots of the root CNode; a slot is its own cptr.",
      macros: [{ name: "CNODE_BITS", value: `${radix}`, note: `the root CNode has 2^${radix} slots` }, ...slotMacros(layout, names, component)],
    },
    { title: "Streams: the StreamID that the board gives each device, and its SMMU.", macros: streamMacros(layout, names, component) },
    { title: "Context banks.", macros: bankMacros(layout, names, component) },
    { title: "Addresses as the devices see them (IOVA), mapped at boot.", macros: addressMacros(layout, names, component) },
  ];
  return { component: cComment(name), system: cComment(layout.name), guard: `COFFERDAM_${prefix}_H`, groups: finished(prefix, groups) };
};
