/** A device tree as values: what `fdt.ts` reads and every later step looks at (Devicetree Specification v0.4, §2). */

export interface DeviceNode {
  /** With its unit address: `uart@9000000`; empty for the root. */
  readonly name: string;
  /** Full path from the root, `/` for the root itself. */
  readonly path: string;
  /** Values as the blob has them (views of its bytes), in the blob's order. */
  readonly properties: ReadonlyMap<string, Uint8Array>;
  readonly children: readonly DeviceNode[];
  readonly parent: DeviceNode | undefined;
}

/** A range of addresses in bytes: [base, base + size). */
export interface AddressRange {
  readonly base: bigint;
  readonly size: bigint;
}

export interface DeviceTree {
  readonly root: DeviceNode;
  /** Every node in tree order: a parent before its children, siblings as the blob has them. */
  readonly nodes: readonly DeviceNode[];
  /** The memory reservation block, as written. */
  readonly reservations: readonly AddressRange[];
  /** Version of the blob's format. */
  readonly version: number;
}
