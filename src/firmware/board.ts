/** A board as the rest of the program wants it: one call from the bytes of its device tree. */
import { type Checked, hasError } from "../base/diagnostic.ts";
import type { AddressRange, DeviceNode, DeviceTree } from "./deviceTree.ts";
import { readDeviceTree } from "./fdt.ts";
import { memoryRanges } from "./memory.ts";
import { strings, stringsOf } from "./properties.ts";
import { type Topology, topologyOf } from "./topology.ts";

export interface Board {
  readonly tree: DeviceTree;
  readonly topology: Topology;
  /** The root's `model`, or its first compatible; empty where it has neither. Unprintable characters are kept. */
  readonly model: string;
  readonly nodes: ReadonlyMap<string, DeviceNode>;
  /** Alias to full path, for aliases whose node exists. */
  readonly aliases: ReadonlyMap<string, string>;
  /** RAM that the tree leaves free: sorted, disjoint, in bytes. */
  readonly memory: readonly AddressRange[];
}

const aliasesOf = (tree: DeviceTree, nodes: ReadonlyMap<string, DeviceNode>): Map<string, string> => {
  const properties = tree.root.children.find((node) => node.name === "aliases")?.properties ?? new Map<string, Uint8Array>();
  const named = [...properties].map(([alias, value]): [string, string] => [alias, stringsOf(value)[0] ?? ""]);
  return new Map(named.filter(([, path]) => nodes.has(path)));
};

/**
 * Reads a board's device tree. On success the diagnostics are empty: all that was found, errors that leave the board
 * readable included, is in `topology.diagnostics`.
 * @param bytes a device-tree blob (.dtb); the board's values are views of it
 */
export const readBoard = (bytes: Uint8Array): Checked<Board> => {
  const { value: tree, diagnostics } = readDeviceTree(bytes);
  if (tree === undefined || hasError(diagnostics)) return { value: undefined, diagnostics };
  const nodes = new Map(tree.nodes.map((node) => [node.path, node]));
  const board: Board = {
    tree,
    topology: topologyOf(tree, diagnostics),
    model: strings(tree.root, "model")[0] ?? strings(tree.root, "compatible")[0] ?? "",
    nodes,
    aliases: aliasesOf(tree, nodes),
    memory: memoryRanges(tree),
  };
  return { value: board, diagnostics: [] };
};
