/**
 * One state in a form that people write properties over: names and addresses instead of rows and numbers. Each part is
 * made when it is first read.
 */
import { NONE } from "../../base/state.ts";
import { boundBank, cbNode, sidNode } from "../../kernel/binding.ts";
import { CB, CNODE, CNODE_ZOMBIE, FRAME, kinds, PAGE_TABLE, READ_ONLY, READ_WRITE, SID, UNTYPED, VSPACE } from "../../kernel/capability.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { ENTRY_PAGE } from "../../kernel/state.ts";
import { walkEnd } from "../../kernel/vspace.ts";
import { regionAt } from "./authority.ts";
import type { ReachStream } from "../machine.ts";
import type { View } from "./property.ts";

/** A range that a device can access: `size` bytes from `iova` go to `size` bytes from `pa`. */
export interface ReachedRange {
  readonly iova: bigint;
  readonly pa: bigint;
  readonly size: bigint;
  readonly read: boolean;
  readonly write: boolean;
  /** Only by something that the SMMU may have cached: memory no longer says so. */
  readonly cached: boolean;
}
export interface StateStream {
  readonly smmu: number;
  /** StreamID; undefined stands for every stream that no component was given: they are all alike. */
  readonly sid: number | undefined;
  readonly name: string | undefined;
  readonly owner: string | undefined;
  /** The context bank that it is bound to. */
  readonly bank: string | undefined;
  /** The VSpace of that bank. */
  readonly vspace: string | undefined;
  /** Whatever the SMMU may have cached counts, too. */
  readonly reaches: readonly ReachedRange[];
}
export interface StateBank {
  readonly smmu: number;
  readonly name: string;
  readonly owner: string;
  readonly vspace: string | undefined;
}
export interface StateMapping {
  readonly iova: bigint;
  readonly pa: bigint;
  readonly size: bigint;
  readonly read: boolean;
  readonly write: boolean;
}
export interface StateVspace {
  readonly name: string;
  readonly owner: string;
  /** What the kernel's own tables say. */
  readonly mappings: readonly StateMapping[];
}
export interface StateCapability {
  /** The component whose CNode holds it, or the name of a CNode that was made. */
  readonly holder: string;
  readonly slot: number;
  /** `frame`, `pageTable`, `vspace`, `sid`, `cb`, `untyped`, `cnode`, `sidControl`, `cbControl` and so on. */
  readonly kind: string;
  readonly object: string | undefined;
  /** Of frames: what may be mapped through it. */
  readonly rights: "rw" | "r" | "none" | undefined;
}
export interface StateMemory {
  readonly region: string | undefined;
  readonly owner: string | undefined;
  /** What stands there by the capabilities that exist; undefined where the scope knows no object. */
  readonly standing: "frame" | "pageTable" | "vspace" | "cnode" | "free" | undefined;
}
/** A state of the system: what its kernel believes, and what its devices can reach. */
export interface SystemState {
  readonly streams: readonly StateStream[];
  readonly banks: readonly StateBank[];
  readonly vspaces: readonly StateVspace[];
  readonly capabilities: readonly StateCapability[];
  /** What is at a physical address. */
  readonly memory: (address: bigint) => StateMemory;
}

const vspaceOfBank = (kernel: Kernel, cb: number): string | undefined => {
  const node = kernel.tables.slot.at(cbNode(kernel, cb));
  return node.kind === VSPACE ? kernel.plan.vspaces[node.object]!.name : undefined;
};

const rangesOf = (stream: ReachStream | undefined): ReachedRange[] =>
  (stream?.targets ?? []).flatMap(({ iova, pa, size, read, write, cached }) => (read || write ? [{ iova, pa, size, read, write, cached }] : []));

const streamsOf = ({ booted: { layout }, kernel, reach }: View): StateStream[] => {
  const others = (smmu: number) => reach.streams.find((stream) => stream.smmu === smmu && stream.sid === NONE);
  const given = layout.sids.map(({ name, smmu, sid, mask, owner }, index): StateStream => {
    const cb = boundBank(kernel, sidNode(kernel, index));
    const own = reach.streams.find((stream) => stream.smmu === smmu && (stream.sid & ~mask) === (sid & ~mask));
    return {
      smmu,
      sid,
      name,
      owner: layout.components[owner]!.name,
      bank: cb === NONE ? undefined : layout.cbs[cb]!.name,
      vspace: cb === NONE ? undefined : vspaceOfBank(kernel, cb),
      reaches: rangesOf(own ?? others(smmu)),
    };
  });
  const nobodys = reach.streams.filter(({ smmu, sid }) => !layout.sids.some((own) => own.smmu === smmu && (sid & ~own.mask) === (own.sid & ~own.mask)));
  return [...given, ...nobodys.map((stream): StateStream => ({ smmu: stream.smmu, sid: stream.sid === NONE ? undefined : stream.sid, name: undefined, owner: undefined, bank: undefined, vspace: undefined, reaches: rangesOf(stream) }))];
};

/** Leaves of a VSpace; addresses below one block share its entry. */
const mappingsOf = (kernel: Kernel, vspace: number): StateMapping[] => {
  const { plan, tables } = kernel;
  const rows = new Set([...plan.addresses.keys()].map((address) => plan.entryAt(vspace, walkEnd(kernel, vspace, address), address)));
  return [...rows].flatMap((row) => {
    const { kind, page, rights } = tables.entry.at(row);
    if (kind !== ENTRY_PAGE) return [];
    const { pa, bits } = plan.pages[page]!;
    return [{ iova: plan.entries[row]!.address, pa, size: 1n << BigInt(bits), read: rights === READ_WRITE || rights === READ_ONLY, write: rights === READ_WRITE }];
  });
};

const objectName = ({ plan }: Kernel, kind: number, object: number): string | undefined => {
  switch (kind) {
    case FRAME:
    case PAGE_TABLE:
      return plan.pages[object]?.name;
    case VSPACE:
      return plan.vspaces[object]?.name;
    case SID:
      return plan.sids[object]?.name;
    case CB:
      return plan.cbs[object]?.name;
    case UNTYPED:
      return plan.untypeds[object]?.name;
    case CNODE:
    case CNODE_ZOMBIE:
      return plan.cnodes[object]?.name;
    default:
      return undefined;
  }
};

const capabilitiesOf = (kernel: Kernel): StateCapability[] =>
  kernel.plan.slots.flatMap((place, row) => {
    const { kind, object, rights } = kernel.tables.slot.at(row);
    if (kinds[kind] === "null" || place.in !== "cnode") return [];
    const may = rights === READ_WRITE ? "rw" : rights === READ_ONLY ? "r" : "none";
    return [{ holder: kernel.plan.cnodes[place.cnode]!.name, slot: place.index, kind: kinds[kind]!, object: objectName(kernel, kind, object), rights: kind === FRAME ? may : undefined }];
  });

const memoryAt = ({ booted: { layout }, kernel, standing }: View, address: bigint): StateMemory => {
  const region = regionAt(layout, address);
  const known = kernel.plan.pages.some(({ pa, bits }) => address >= pa && address < pa + (1n << BigInt(bits)));
  const standsAs = kinds[standing(address)]!;
  return {
    region: region?.name,
    owner: region?.owner === undefined ? undefined : layout.components[region.owner]!.name,
    standing: known ? (standsAs === "null" ? "free" : (standsAs as "frame")) : undefined,
  };
};

class Readable implements SystemState {
  private readonly view: View;
  private readonly made = new Map<string, unknown>();
  readonly memory = (address: bigint): StateMemory => {
    if (typeof address !== "bigint") throw new TypeError("memory() takes an address as a bigint, such as 0x40000000n");
    return memoryAt(this.view, address);
  };

  constructor(view: View) {
    this.view = view;
  }
  private once<T>(part: string, make: () => T): T {
    if (!this.made.has(part)) this.made.set(part, make());
    return this.made.get(part) as T;
  }
  get streams(): readonly StateStream[] {
    return this.once("streams", () => streamsOf(this.view));
  }
  get banks(): readonly StateBank[] {
    const { booted: { layout }, kernel } = this.view;
    return this.once("banks", () => layout.cbs.map(({ name, smmu, owner }, cb) => ({ smmu, name, owner: layout.components[owner]!.name, vspace: vspaceOfBank(kernel, cb) })));
  }
  get vspaces(): readonly StateVspace[] {
    const { booted: { layout }, kernel } = this.view;
    return this.once("vspaces", () => layout.vspaces.map(({ name, owner }, vspace) => ({ name, owner: layout.components[owner]!.name, mappings: mappingsOf(kernel, vspace) })));
  }
  get capabilities(): readonly StateCapability[] {
    return this.once("capabilities", () => capabilitiesOf(this.view.kernel));
  }
}

/** Of one state, whoever asks: valid until the next call into the model. */
export const readable = (view: View): SystemState => new Readable(view);
