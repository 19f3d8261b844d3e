/** View of `report.md`: the system for people. All text is Markdown already; the template only prints. */
import type { Diagnostic } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import type { Layout, LayoutDevice, LayoutRegion } from "../system/layout.ts";
import { missingPaths, unsharedGrants, unsharedReach } from "./authority.ts";
import { bytesText, capText, rightsText } from "./capText.ts";
import { markdown } from "./escape.ts";
import { type PhysicalRange, physicalMap, type RangeReach } from "./physicalMap.ts";
import { pictureOf } from "./picture.ts";
import { type SlotRun, slotRuns } from "./slotRun.ts";

const NOTHING = "-";
const KINDS: Readonly<Record<LayoutRegion["kind"], string>> = { memory: "memory", untyped: "untyped memory", objects: "kernel objects", "stream-table": "stream table of an SMMU" };

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
const listed = (items: readonly string[]): string => (items.length === 0 ? NOTHING : items.join("<br>"));

/** Name of an item of one of the layout's lists, as Markdown. */
const nameIn = (list: readonly { readonly name: string }[], index: number): string => markdown(list[index]!.name);

const streamText = ({ sids }: Layout, sid: number): string => {
  const { name, smmu, sid: number } = sids[sid]!;
  return `${markdown(name)} (${hex(number)} on SMMU ${smmu})`;
};

const reachText = (layout: Layout, { sid, rights, iova }: RangeReach): string => `${streamText(layout, sid)}: ${rightsText(rights)} at IOVA ${hex(iova)}`;

const mapRow = (layout: Layout, { base, size, region, reach }: PhysicalRange): object => {
  const { name, kind, owner, shares, frames } = layout.regions[region]!;
  return {
    base: hex(base),
    end: hex(base + size),
    size: bytesText(size),
    what: `${markdown(name)} (${KINDS[kind]}${frames === undefined ? "" : ` in ${bytesText(frames)} frames`})`,
    owner: owner === undefined ? "kernel" : nameIn(layout.components, owner),
    shares: listed(shares.map((share) => `${nameIn(layout.components, share.with)}: ${rightsText(share.access)}`)),
    reach: listed(reach.map((path) => reachText(layout, path))),
  };
};

const slotNames = ({ slots }: Layout["components"][number], { first, position, count }: SlotRun): string =>
  count === 1 ? markdown(first.name) : `${markdown(slots[position]!.name)} and ${count - 1} more`;

const parentText = (layout: Layout, { first: { parent } }: SlotRun): string => (parent === undefined ? NOTHING : `${nameIn(layout.components, parent.component)}, slot ${parent.slot}`);

const componentView = (layout: Layout, component: Layout["components"][number]): object => ({
  name: markdown(component.name),
  kind: component.kind,
  trust: component.trusted ? "trusted: runs a fixed program" : "untrusted: may invoke anything it holds, in any order",
  cnode: `2^${component.radix} slots, ${component.spareSlots} of them free`,
  slots: slotRuns(layout, component).map((run) => ({
    slot: run.count === 1 ? `${run.first.slot}` : `${run.first.slot} to ${run.first.slot + run.count - 1}`,
    name: slotNames(component, run),
    cap: markdown(capText(layout, run.first.cap, run.count)),
    parent: parentText(layout, run),
  })),
});

/** One row a device and stream; a device without a stream has one too. */
const streamRows = (layout: Layout, { name, owner, at, sids, unprotected }: LayoutDevice): readonly object[] => {
  const device = { device: markdown(name), owner: nameIn(layout.components, owner), at: markdown(at) };
  if (sids.length === 0) return [{ ...device, stream: unprotected === undefined ? "none" : "none: unprotected", smmu: NOTHING, cb: NOTHING, vmid: NOTHING, vspace: NOTHING }];
  return sids.flatMap((index) => {
    const { smmu, sid, mask } = layout.sids[index]!;
    const stream = { ...device, stream: mask === 0 ? hex(sid) : `${hex(sid)}, mask ${hex(mask)}`, smmu: `${smmu}` };
    const bound = layout.bindings.filter((binding) => binding.sid === index);
    if (bound.length === 0) return [{ ...stream, cb: "not bound: aborts", vmid: NOTHING, vspace: NOTHING }];
    return bound.map(({ cb, vspace }) => ({ ...stream, cb: `${layout.cbs[cb]!.number}`, vmid: `${layout.cbs[cb]!.vmid}`, vspace: nameIn(layout.vspaces, vspace) }));
  });
};

const sharedStreams = (layout: Layout): readonly string[] =>
  layout.sids.flatMap(({ devices }, index) =>
    devices.length < 2 ? [] : [`Stream ${streamText(layout, index)} is shared by ${devices.map((device) => nameIn(layout.devices, device)).join(", ")}: the SMMU cannot tell them apart.`],
  );

const policyNotes = (layout: Layout): readonly string[] => [
  ...unsharedGrants(layout).map(({ component, region, rights }) => `${nameIn(layout.components, component)} holds ${nameIn(layout.regions, region)} (${rightsText(rights)}) without owning it or having a share of it.`),
  ...unsharedReach(layout).map(({ sid, region, rights }) => `Stream ${streamText(layout, sid)} will reach ${nameIn(layout.regions, region)} (${rightsText(rights)}), which its owner ${nameIn(layout.components, layout.sids[sid]!.owner)} neither owns nor has a share of.`),
  ...missingPaths(layout).map(({ sid, region, access }) => `The spec intends stream ${streamText(layout, sid)} to ${access} ${nameIn(layout.regions, region)}, but no mapping at boot gives that.`),
  ...layout.devices.flatMap(({ name, at, unprotected }) => (unprotected === undefined ? [] : [`Device ${markdown(name)} at ${markdown(at)} has no SMMU before it: it reaches all memory. Accepted because: ${markdown(unprotected)}`])),
  ...sharedStreams(layout),
];

const warningText = ({ id, severity, message, hint }: Diagnostic): string => `${severity === "error" ? "error " : ""}${markdown(id)}: ${markdown(message)}${hint === undefined ? "" : ` (${markdown(hint)})`}`;

const summary = (layout: Layout): string => {
  const untrusted = layout.components.filter(({ trusted }) => !trusted).length;
  const bare = layout.devices.filter((device) => device.unprotected !== undefined).length;
  const memory = layout.regions.reduce((sum, { size }) => sum + size, 0n);
  return [
    `${markdown(layout.name)} runs ${counted(layout.components.length, "component")}, ${untrusted} of them untrusted, on ${markdown(layout.board.model)}.`,
    `It has ${counted(layout.devices.length - bare, "device")} with ${counted(layout.sids.length, "stream")} behind ${counted(layout.smmus.length, "SMMU")}, confined by ${counted(layout.cbs.length, "context bank")} and ${counted(layout.vspaces.length, "address space")}${bare === 0 ? "" : `, and ${counted(bare, "device")} behind none, which nothing confines`}.`,
    `${bytesText(memory)} of memory are laid out in ${counted(layout.regions.length, "region")}.`,
    "At boot every stream aborts; a device reaches memory once its component has assigned an address space to a context bank and bound the stream to it.",
  ].join(" ");
};

/** The view of `templates/report.md.hbs`. `warnings` are those of the stages before and of generation. */
export const reportView = (layout: Layout, warnings: readonly Diagnostic[]): object => {
  const picture = pictureOf(layout);
  const policy = policyNotes(layout);
  return {
    name: markdown(layout.name),
    summary: summary(layout),
    spec: markdown(layout.spec.file),
    specHash: layout.spec.sha256,
    board: markdown(layout.board.file),
    boardHash: layout.board.sha256,
    smmus: layout.smmus.map(({ path, base, streamTable, log2Size }, index) => ({ index: `${index}`, path: markdown(path), base: hex(base), streamTable: hex(streamTable), streams: `${2 ** log2Size}` })),
    map: physicalMap(layout).map((range) => mapRow(layout, range)),
    streams: layout.devices.flatMap((device) => streamRows(layout, device)),
    components: layout.components.map((component) => componentView(layout, component)),
    policy,
    hasPolicy: policy.length > 0,
    warnings: warnings.map(warningText),
    hasWarnings: warnings.length > 0,
    picture,
    hasPicture: picture.edges.length > 0,
  };
};
