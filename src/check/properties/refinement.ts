/** The bits in memory and the kernel's tables are two pictures of one relation. */
import { NONE } from "../../base/state.ts";
import { hex, PAGE_BYTES } from "../../base/words.ts";
import { KERNEL_ONLY, READ_WRITE } from "../../kernel/capability.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { ENTRY_PAGE } from "../../kernel/state.ts";
import { walkEnd } from "../../kernel/vspace.ts";
import type { ReachStream } from "../machine.ts";
import type { Property } from "./property.ts";
import { reachesMemory, vspaceOf } from "./targets.ts";

/** What the kernel believes a stream reaches: every leaf of its VSpace. Addresses below one block share its entry. */
const believed = (kernel: Kernel, sid: number): string[] => {
  const vspace = vspaceOf(kernel, sid);
  if (vspace === NONE) return [];
  const lines: string[] = [];
  let last = NONE;
  for (const address of kernel.plan.addresses.keys()) {
    const row = kernel.plan.entryAt(vspace, walkEnd(kernel, vspace, address), address);
    const entry = kernel.tables.entry.at(row);
    if (row === last || entry.kind !== ENTRY_PAGE || entry.rights === KERNEL_ONLY) continue;
    last = row;
    const { pa, bits } = kernel.plan.pages[entry.page]!;
    lines.push(leafText(kernel.plan.entries[row]!.address, pa, entry.rights === READ_WRITE ? "rw" : "r", 1n << BigInt(bits)));
  }
  return lines;
};
/** `iova -> pa rights`, and the size where it is no page: an entry of another level is another mapping. */
const leafText = (iova: bigint, pa: bigint, rights: string, size: bigint): string =>
  `${hex(iova)} -> ${hex(pa)} ${rights}${size === PAGE_BYTES ? "" : `, ${hex(size)} bytes`}`;
const walked = (stream: ReachStream | undefined): string[] =>
  (stream?.targets ?? []).flatMap(({ iova, pa, read, write, size }) => (read || write ? [leafText(iova, pa, `${read ? "r" : ""}${write ? "w" : ""}`, size)] : []));

export const refinement = {
  name: "refinement",
  needs: { words: "the bits in memory map a page for a device", met: ({ cold }) => reachesMemory(cold) },
  sentence: "Walking the bits in memory gives exactly what the kernel's own tables say, for every stream.",
  violation: (view) => {
    const { plan } = view.kernel;
    for (const [sid, { smmu, sid: number }] of plan.sids.entries()) {
      if (view.foreign.has(sid)) continue;
      const stream = view.cold.streams.find((candidate) => candidate.smmu === smmu && candidate.sid === number);
      const bits = walked(stream);
      const belief = believed(view.kernel, sid);
      if (bits.length === belief.length && bits.every((line, index) => line === belief[index])) continue;
      const differs = bits.find((line) => !belief.includes(line)) ?? belief.find((line) => !bits.includes(line)) ?? "the order of the leaves";
      const side = bits.includes(differs) ? "the bits say" : "the kernel says";
      const target = stream?.targets.find(({ iova }) => differs.startsWith(`${hex(iova)} `));
      return {
        message: `${plan.sids[sid]!.name} (stream ${hex(number)}): ${side} ${differs}, and the other side does not`,
        witness: { smmu, sid: number, op: "read", ...(target === undefined ? {} : { iova: target.iova, pa: target.pa }), via: target?.via ?? [] },
      };
    }
    return undefined;
  },
} as const satisfies Property;
