/**
 * `smmu-bindings.json`: what `system.cdl` cannot say. Objects have the names that they have there; numbers are the
 * board's; the bindings are in the order in which a component has to invoke them (Assign, then Bind).
 */
import { hex } from "../base/words.ts";
import type { Layout, LayoutBinding, LayoutCap } from "../system/layout.ts";
import { jsonText } from "./layoutJson.ts";
import { type Names, objectName } from "./names.ts";

const same = (a: LayoutCap, b: LayoutCap): boolean =>
  (a.kind === "sid" && b.kind === "sid" && a.sid === b.sid) ||
  (a.kind === "cb" && b.kind === "cb" && a.cb === b.cb) ||
  (a.kind === "vspace" && b.kind === "vspace" && a.vspace === b.vspace);

/** The slot in which `component` holds `cap`, or null. */
const slotOf = (layout: Layout, component: number, cap: LayoutCap): number | null => layout.components[component]!.slots.find((slot) => same(slot.cap, cap))?.slot ?? null;

const isHeld = (layout: Layout, cap: LayoutCap): boolean => layout.components.some((_, component) => slotOf(layout, component, cap) !== null);

/** capDL's name of the object, or null if nobody holds it at boot and `system.cdl` therefore lacks it. */
const inCapdl = (layout: Layout, names: Names, cap: LayoutCap): string | null => (isHeld(layout, cap) ? objectName(layout, names, cap)! : null);

const capsOf = ({ sid, cb, vspace }: LayoutBinding) => ({ sid: { kind: "sid", sid }, cb: { kind: "cb", cb }, vspace: { kind: "vspace", vspace } }) as const;

/** The stream's owner if it holds all three capabilities, else the first component that does, else nobody. */
const binder = (layout: Layout, binding: LayoutBinding): number | undefined => {
  const caps = Object.values(capsOf(binding));
  const candidates = [layout.sids[binding.sid]!.owner, ...layout.components.keys()];
  return candidates.find((component) => caps.every((cap) => slotOf(layout, component, cap) !== null));
};

const bindingJson = (layout: Layout, names: Names, binding: LayoutBinding): object => {
  const component = binder(layout, binding);
  const { sid, cb, vspace } = capsOf(binding);
  const slots = component === undefined ? null : { sid: slotOf(layout, component, sid), cb: slotOf(layout, component, cb), vspace: slotOf(layout, component, vspace) };
  const [stream, bank, root] = [objectName(layout, names, sid)!, objectName(layout, names, cb)!, objectName(layout, names, vspace)!];
  return { component: component === undefined ? null : names.components[component]!, sid: stream, cb: bank, vspace: root, slots };
};

const streams = (layout: Layout, names: Names): readonly object[] =>
  layout.sids.map(({ smmu, sid, mask, owner, devices }, index) => ({
    name: objectName(layout, names, { kind: "sid", sid: index })!,
    object: inCapdl(layout, names, { kind: "sid", sid: index }),
    smmu,
    sid: hex(sid),
    mask: hex(mask),
    owner: names.components[owner]!,
    devices: devices.map((device) => ({ name: layout.devices[device]!.name, at: layout.devices[device]!.at })),
  }));

const contextBanks = (layout: Layout, names: Names): readonly object[] =>
  layout.cbs.map(({ smmu, number, vmid, owner }, index) => ({
    name: objectName(layout, names, { kind: "cb", cb: index })!,
    object: inCapdl(layout, names, { kind: "cb", cb: index }),
    smmu,
    number,
    vmid,
    owner: names.components[owner]!,
  }));

const controls = (layout: Layout, names: Names): readonly object[] =>
  layout.components.flatMap(({ slots }, component) =>
    slots.flatMap(({ slot, cap }) => (cap.kind === "sidControl" || cap.kind === "cbControl" ? [{ component: names.components[component]!, slot, capability: cap.kind === "sidControl" ? "SIDControl" : "CBControl" }] : [])),
  );

export const bindingsJson = (layout: Layout, names: Names): string =>
  jsonText({
    format: "cofferdam-smmu-bindings",
    version: 1,
    system: layout.name,
    capdl: "system.cdl",
    smmus: layout.smmus.map(({ path, base }, index) => ({ smmu: index, path, base })),
    components: layout.components.map(({ name }, index) => ({ name: names.components[index]!, inSpec: name })),
    streams: streams(layout, names),
    contextBanks: contextBanks(layout, names),
    vspaces: layout.vspaces.map(({ owner, root, asid }, index) => ({ name: objectName(layout, names, { kind: "vspace", vspace: index })!, owner: names.components[owner]!, root, asid })),
    bindings: layout.bindings.map((binding) => bindingJson(layout, names, binding)),
    controls: controls(layout, names),
  });
