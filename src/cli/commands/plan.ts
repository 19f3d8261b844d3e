/** `cofferdam plan SPEC`: what would be handed out, without writing anything. */
import { hex } from "../../base/words.ts";
import { layoutJson } from "../../generate/layoutJson.ts";
import type { Layout } from "../../system/layout.ts";
import { openSystem } from "../system.ts";

const planText = (layout: Layout): string => {
  const { components, sids, cbs, smmus, regions } = layout;
  return [
    `${layout.name} on ${layout.board.model}`,
    ...smmus.map(({ path, streamTable, log2Size }) => `  SMMU ${path}: linear stream table of 2^${log2Size} entries at ${hex(streamTable)}`),
    ...sids.map(({ name, sid, smmu, owner }) => `  stream ${hex(sid)} (${name}) of ${components[owner]!.name} at ${smmus[smmu]!.path}`),
    ...cbs.map(({ name, number, vmid, owner }) => `  context bank ${number} (${name}, VMID ${vmid}) of ${components[owner]!.name}`),
    ...regions.map(({ name, base, size, kind, owner }) => `  ${kind} ${name}: ${hex(base)} + ${hex(size)}${owner === undefined ? "" : `, owner ${components[owner]!.name}`}`),
    ...components.map(({ name, kind, trusted, slots }) => `  ${trusted ? "trusted" : "untrusted"} ${kind} ${name}: ${slots.length} capabilities`),
    "",
  ].join("\n");
};

export const plan = (spec: string, json: boolean): void => {
  const system = openSystem(spec);
  if (system !== undefined) process.stdout.write(json ? layoutJson(system.plan.layout) : planText(system.plan.layout));
};
