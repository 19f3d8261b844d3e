/** What the bytes of a property mean (Devicetree Specification v0.4, §2.2.4 and §2.3). */
import type { DeviceNode } from "./deviceTree.ts";

/** The whole 32-bit big-endian cells of a value; bytes after the last whole cell are left out. */
export const cellsOf = (value: Uint8Array): number[] => {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return Array.from({ length: Math.floor(value.length / 4) }, (_, i) => view.getUint32(i * 4));
};

/** The first cell of a property, or undefined when the node has no such property or it is shorter than a cell. */
export const cell = (node: DeviceNode, name: string): number | undefined => {
  const value = node.properties.get(name);
  return value === undefined ? undefined : cellsOf(value.subarray(0, 4))[0];
};

/** `cells[from .. from + count)` as one number, most significant cell first. */
export const wideNumber = (cells: readonly number[], from: number, count: number): bigint => {
  let value = 0n;
  for (let i = from; i < from + count; i += 1) value = (value << 32n) | BigInt(cells[i] ?? 0);
  return value;
};

/** A string list: one character a byte, a last string without its NUL counts. */
export const stringsOf = (value: Uint8Array): string[] => {
  const strings: string[] = [];
  let text = "";
  for (const byte of value) {
    if (byte !== 0) text += String.fromCharCode(byte);
    else {
      strings.push(text);
      text = "";
    }
  }
  return text === "" ? strings : [...strings, text];
};

/** The strings of a property; none when the node has no such property. */
export const strings = (node: DeviceNode, name: string): string[] => stringsOf(node.properties.get(name) ?? new Uint8Array());

export const compatibleOf = (node: DeviceNode): string[] => strings(node, "compatible");

/** Whether this node's own status lets it be used: absent, "okay" or "ok" (Linux `__of_device_is_available`). */
export const statusAllows = (node: DeviceNode): boolean => {
  const status = node.properties.get("status");
  if (status === undefined) return true;
  const [first] = stringsOf(status);
  return first === "okay" || first === "ok";
};

/** Whether the node and all its ancestors may be used. */
export const isEnabled = (node: DeviceNode): boolean => {
  for (let at: DeviceNode | undefined = node; at !== undefined; at = at.parent) if (!statusAllows(at)) return false;
  return true;
};

/** A PCI host bridge or bus, as Linux tells (`of_bus_pci_match`: device_type, or a node named pcie). */
export const isPciBus = (node: DeviceNode): boolean => {
  const type = strings(node, "device_type")[0];
  return type === "pci" || type === "pciex" || node.name.split("@")[0] === "pcie";
};
