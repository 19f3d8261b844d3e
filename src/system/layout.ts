/**
 * The layout: everything that was decided about a system, and the only thing that later stages read. `generate`
 * prints it, `boot` turns it into a first kernel state, `scale` makes a smaller layout of the same kind (design D12).
 * It holds plain data: indices into its own lists, addresses as bigint.
 */
import type { Access } from "../base/transaction.ts";
import { type Iova, type Pa, PAGE_BYTES, type StreamId } from "../base/words.ts";

export type FrameRights = "rw" | "r";

export interface LayoutSmmu {
  /** Device-tree path. */
  readonly path: string;
  /** CPU address of register page 0. */
  readonly base: Pa;
  /** Where the kernel puts the linear stream table: 64 bytes for each of 2^log2Size streams, aligned to its size. */
  readonly streamTable: Pa;
  readonly log2Size: number;
}

/** A named piece of physical memory with a policy. */
export interface LayoutRegion {
  readonly name: string;
  readonly base: Pa;
  /** Bytes, a multiple of 4 KiB. */
  readonly size: bigint;
  /**
   * `memory` is made of frames at boot; `untyped` stays untyped for its holder to retype; `objects` holds kernel
   * objects made at boot (page tables, VSpace roots, CNodes) and belongs to nobody; `stream-table` is the kernel's own.
   */
  readonly kind: "memory" | "untyped" | "objects" | "stream-table";
  /** Index into `components`; policy, not capability. Absent for `objects` and `stream-table`. */
  readonly owner?: number;
  readonly shares: readonly { readonly with: number; readonly access: FrameRights }[];
  /** Of `memory`: bytes of each of its frames, where that is not 4 KiB. Base and size are multiples of it. */
  readonly frames?: bigint;
}

export type LayoutCap =
  /** The holder's own root CNode. */
  | { readonly kind: "cnode"; readonly component: number }
  | { readonly kind: "sidControl" }
  | { readonly kind: "cbControl" }
  | { readonly kind: "sid"; readonly sid: number }
  | { readonly kind: "cb"; readonly cb: number }
  | { readonly kind: "vspace"; readonly vspace: number }
  | {
      readonly kind: "frame";
      readonly region: number;
      readonly pa: Pa;
      readonly rights: FrameRights;
      readonly mapped?: { readonly vspace: number; readonly iova: Iova };
    }
  | {
      readonly kind: "pageTable";
      readonly pa: Pa;
      /** `level` of the table itself: 1..3 (its entries translate at that level); `iova` is the first it covers. */
      readonly mapped: { readonly vspace: number; readonly level: number; readonly iova: Iova };
    }
  | { readonly kind: "untyped"; readonly region: number };

export interface LayoutSlot {
  /** Index in the component's root CNode; the cptr, since the root's guard consumes the rest of the 64 bits. */
  readonly slot: number;
  readonly cap: LayoutCap;
  /** C-identifier-safe name, unique in the component: `ring_0`, `nic_sid`. */
  readonly name: string;
  /** The slot of which this one is a copy (derivation tree), or of the control capability that issued it. */
  readonly parent?: { readonly component: number; readonly slot: number };
}

export interface LayoutComponent {
  readonly name: string;
  readonly kind: "driver" | "vm" | "service" | "initialiser";
  readonly trusted: boolean;
  /** The root CNode has 2^radix slots. */
  readonly radix: number;
  readonly slots: readonly LayoutSlot[];
  /** Slots that scaling left out: filled in the whole layout, absent here. */
  readonly leftOut?: readonly number[];
  /** How many empty slots the checker may fill: all free ones in a full layout, `slots=` of the scope in a scaled one. */
  readonly spareSlots: number;
}

export interface LayoutVspace {
  readonly name: string;
  readonly owner: number;
  /** 4 KiB root table (level 0 of a 44-bit stage 2). */
  readonly root: Pa;
  readonly asid: number;
}

export interface LayoutSid {
  readonly name: string;
  readonly smmu: number;
  readonly sid: StreamId;
  /** Bits of the StreamID that the hardware ignores for this device (SMMUv1/v2 only; 0 on SMMUv3). */
  readonly mask: number;
  readonly owner: number;
  /** Indices into `devices`; two or more when devices share the stream. */
  readonly devices: readonly number[];
}

export interface LayoutCb {
  readonly name: string;
  readonly smmu: number;
  readonly number: number;
  /** number + 1, private to the SMMU (design D3b). */
  readonly vmid: number;
  readonly owner: number;
}

export interface LayoutDevice {
  /** `component.device` as the spec names it. */
  readonly name: string;
  readonly owner: number;
  /** Device-tree path, or `bridge path + BDF`. */
  readonly at: string;
  readonly sids: readonly number[];
  /** Why the spec accepts this device although no enabled SMMU stands before it. */
  readonly unprotected?: string;
}

/** What the components are meant to do with their capabilities after boot: Assign, then Bind. */
export interface LayoutBinding {
  readonly sid: number;
  readonly cb: number;
  readonly vspace: number;
}

/** A DMA path that the spec intends; the checker reports a violation when no state reaches it. */
export interface LayoutDmaPath {
  readonly sid: number;
  readonly region: number;
  readonly iova: Iova;
  readonly pa: Pa;
  readonly access: Access;
}

export interface Layout {
  readonly name: string;
  /** File names only, never paths of a machine; hashes are SHA-256 of the bytes read. */
  readonly board: { readonly file: string; readonly model: string; readonly sha256: string };
  readonly spec: { readonly file: string; readonly sha256: string };
  readonly smmus: readonly LayoutSmmu[];
  readonly regions: readonly LayoutRegion[];
  readonly components: readonly LayoutComponent[];
  readonly vspaces: readonly LayoutVspace[];
  readonly sids: readonly LayoutSid[];
  readonly cbs: readonly LayoutCb[];
  readonly devices: readonly LayoutDevice[];
  readonly bindings: readonly LayoutBinding[];
  readonly dma: readonly LayoutDmaPath[];
}

/** Bytes of each frame of a region. */
export const frameBytes = ({ regions }: Pick<Layout, "regions">, region: number): bigint => regions[region]!.frames ?? PAGE_BYTES;
