/**
 * Flattened device tree, bytes to tree (Devicetree Specification v0.4, §5). Strict where two readers could see two
 * different trees, and iterative, so that no input can exhaust the stack. It says where a fault lies by byte offset
 * and node path.
 */
import { type Checked, type Diagnostic, printable } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import type { AddressRange, DeviceNode, DeviceTree } from "./deviceTree.ts";
import { type Header, readHeader } from "./fdtHeader.ts";

/** Nodes nested deeper than this are refused; the deepest of 1851 known boards has 11 levels. */
export const MAX_DEPTH = 64;
/** Nodes in one tree; the largest of 1851 known boards has 1112. */
export const MAX_NODES = 1 << 18;
/** Bytes in a node's or a property's name. */
export const MAX_NAME_BYTES = 255;
/** Characters in a node's full path; the longest of 1600 known boards has 117. */
export const MAX_PATH = 256;

const BEGIN_NODE = 1;
const END_NODE = 2;
const PROP = 3;
const NOP = 4;
const END = 9;

interface OpenNode {
  readonly name: string;
  readonly path: string;
  readonly properties: Map<string, Uint8Array>;
  readonly children: DeviceNode[];
  /** Names of the children so far: two of one name would make a path mean two nodes. */
  readonly childNames: Set<string>;
  readonly parent: OpenNode | undefined;
}

/** A fault that ends the reading; thrown here and caught by `readDeviceTree`, never outside. */
class Refusal extends Error {
  readonly refused: Diagnostic;
  constructor(refused: Diagnostic) {
    super(refused.message);
    this.refused = refused;
  }
}

interface Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly header: Header;
  readonly diagnostics: Diagnostic[];
  readonly nodes: OpenNode[];
  /** Position of the next unread byte of the structure block, from the start of the blob. */
  at: number;
  open: OpenNode | undefined;
  depth: number;
}

const refuse = (reader: Reader, id: string, offset: number, what: string, hint?: string): never => {
  const path = reader.open?.path ?? "/";
  const refused: Diagnostic = {
    id,
    severity: "error",
    message: `${what}, at byte ${hex(offset)} of the device tree (in node ${path})`,
    place: { path },
    ...(hint === undefined ? {} : { hint }),
  };
  throw new Refusal(refused);
};

const warn = (reader: Reader, id: string, offset: number, what: string): void => {
  const path = reader.open?.path ?? "/";
  reader.diagnostics.push({ id, severity: "warning", message: `${what}, at byte ${hex(offset)} (in node ${path})`, place: { path } });
};

/** One character a byte: names and strings of a device tree are bytes, not UTF-8. */
const latin1 = (bytes: Uint8Array, from: number, to: number): string => {
  let text = "";
  for (let i = from; i < to; i += 1) text += String.fromCharCode(bytes[i]!);
  return text;
};

/** The NUL-terminated name at `start`, which must end before `end`. */
const nameAt = (reader: Reader, start: number, end: number, block: string): string => {
  const limit = Math.min(end, start + MAX_NAME_BYTES + 1);
  const nul = reader.bytes.subarray(start, limit).indexOf(0);
  if (nul >= 0) return latin1(reader.bytes, start, start + nul);
  if (limit < end) return refuse(reader, "dtb-name-too-long", start, `a name is longer than ${MAX_NAME_BYTES} bytes, the limit of this reader`);
  return refuse(reader, "dtb-name-unterminated", start, `a name runs past the end of the ${block} block`);
};

const takeCell = (reader: Reader, what: string): number => {
  const { at, header } = reader;
  if (header.structEnd - at < 4) return refuse(reader, "dtb-struct-end", at, `the structure block ends where ${what} is expected`);
  reader.at += 4;
  return reader.view.getUint32(at);
};

const align = (reader: Reader): void => {
  reader.at = (reader.at + 3) & ~3;
};

const childPath = (parent: OpenNode, name: string): string => (parent.path === "/" ? `/${name}` : `${parent.path}/${name}`);

const checkNodeName = (reader: Reader, parent: OpenNode | undefined, name: string, offset: number): void => {
  if (parent === undefined) {
    if (name !== "") refuse(reader, "dtb-root-name", offset, `the root node is named "${printable(name)}"; its name must be empty`);
    return;
  }
  if (name === "") refuse(reader, "dtb-node-name", offset, "a node other than the root has an empty name");
  if (!/^[0-9A-Za-z,._+-]+(@[0-9A-Za-z,._+-]*)?$/.test(name)) {
    refuse(reader, "dtb-node-name", offset, `"${printable(name)}" is not a node name`, "letters, digits and ,._+- with at most one @");
  }
  if (parent.childNames.has(name)) {
    refuse(reader, "dtb-duplicate-node", offset, `${childPath(parent, name)} appears twice`);
  }
};

const beginNode = (reader: Reader, offset: number): void => {
  const parent = reader.open;
  if (parent === undefined && reader.nodes.length > 0) refuse(reader, "dtb-two-roots", offset, "a second root node begins");
  if (reader.depth >= MAX_DEPTH) refuse(reader, "dtb-too-deep", offset, `nodes are nested deeper than ${MAX_DEPTH} levels, the limit of this reader`);
  if (reader.nodes.length >= MAX_NODES) refuse(reader, "dtb-too-many-nodes", offset, `more than ${MAX_NODES} nodes, the limit of this reader`);
  const name = nameAt(reader, reader.at, reader.header.structEnd, "structure");
  checkNodeName(reader, parent, name, offset);
  reader.at += name.length + 1;
  align(reader);
  const path = parent === undefined ? "/" : childPath(parent, name);
  if (path.length > MAX_PATH) refuse(reader, "dtb-path-too-long", offset, `a path is longer than ${MAX_PATH} characters, the limit of this reader`);
  const node: OpenNode = { name, path, properties: new Map(), children: [], childNames: new Set(), parent };
  parent?.children.push(node);
  parent?.childNames.add(name);
  reader.nodes.push(node);
  reader.open = node;
  reader.depth += 1;
};

const endNode = (reader: Reader, offset: number): void => {
  if (reader.open === undefined) refuse(reader, "dtb-unbalanced", offset, "a node ends that never began");
  reader.open = reader.open?.parent;
  reader.depth -= 1;
};

const propertyName = (reader: Reader, nameOffset: number, offset: number): string => {
  const { stringsStart, stringsEnd } = reader.header;
  if (nameOffset >= stringsEnd - stringsStart) {
    refuse(reader, "dtb-string-offset", offset, `a property's name is at offset ${hex(nameOffset)}, past the end of the strings block`);
  }
  const name = nameAt(reader, stringsStart + nameOffset, stringsEnd, "strings");
  if (!/^[0-9A-Za-z,._+*#?-]+$/.test(name)) {
    refuse(reader, "dtb-property-name", offset, `"${printable(name)}" is not a property name`, "letters, digits and ,._+*#?-");
  }
  return name;
};

const property = (reader: Reader, offset: number): void => {
  const node = reader.open;
  if (node === undefined) return refuse(reader, "dtb-unbalanced", offset, "a property lies outside the root node");
  const length = takeCell(reader, "a property's length");
  const name = propertyName(reader, takeCell(reader, "a property's name"), offset);
  // The length is compared before it is rounded up: near 2^32 the rounded one would be small.
  if (length > reader.header.structEnd - reader.at) {
    refuse(reader, "dtb-property-length", offset, `property ${name} has a length of ${hex(length)} bytes and runs past the end of the structure block`);
  }
  if (node.properties.has(name)) refuse(reader, "dtb-duplicate-property", offset, `property ${name} of ${node.path} appears twice`);
  if (node.children.length > 0) warn(reader, "dtb-property-after-node", offset, `property ${name} comes after a child node`);
  node.properties.set(name, reader.bytes.subarray(reader.at, reader.at + length));
  reader.at += length;
  align(reader);
};

/** Reads the structure block up to its END token. */
const readStructure = (reader: Reader): OpenNode => {
  for (;;) {
    const offset = reader.at;
    const token = takeCell(reader, "a token");
    if (token === END) break;
    if (token === BEGIN_NODE) beginNode(reader, offset);
    else if (token === END_NODE) endNode(reader, offset);
    else if (token === PROP) property(reader, offset);
    else if (token !== NOP) refuse(reader, "dtb-token", offset, `${hex(token)} is not a token`);
  }
  if (reader.open !== undefined) refuse(reader, "dtb-unbalanced", reader.at - 4, "the tree ends with a node still open");
  // Version 16 does not say where the structure block ends, so there is nothing to compare with.
  if (reader.header.version >= 17 && reader.at !== reader.header.structEnd) {
    warn(reader, "dtb-after-end", reader.at, `${hex(reader.header.structEnd - reader.at)} bytes follow the end of the structure block`);
  }
  return reader.nodes[0] ?? refuse(reader, "dtb-no-root", reader.at - 4, "there is no root node");
};

/** The memory reservation block: (address, size) pairs up to a pair of zeros, which must come before the blob ends. */
const readReservations = (reader: Reader): AddressRange[] => {
  const reservations: AddressRange[] = [];
  for (let at = reader.header.reservationsStart; ; at += 16) {
    if (reader.header.totalSize - at < 16) return refuse(reader, "dtb-reservations", at, "the memory reservation block has no end");
    const base = reader.view.getBigUint64(at);
    const size = reader.view.getBigUint64(at + 8);
    if (base === 0n && size === 0n) return reservations;
    if (base + size > 1n << 64n) warn(reader, "dtb-reservation-wraps", at, `the reservation of ${hex(size)} bytes at ${hex(base)} runs past 2^64`);
    reservations.push({ base, size });
  }
};

/**
 * Reads a device-tree blob.
 * @param bytes the whole file; the tree's property values are views of it, so it must not change afterwards
 * @returns the tree, or one error with the byte offset and the path of the node being read
 */
export const readDeviceTree = (bytes: Uint8Array): Checked<DeviceTree> => {
  const header = readHeader(bytes);
  if (header.value === undefined) return { value: undefined, diagnostics: header.diagnostics };
  const reader: Reader = {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    header: header.value,
    diagnostics: [...header.diagnostics],
    nodes: [],
    at: header.value.structStart,
    open: undefined,
    depth: 0,
  };
  try {
    const reservations = readReservations(reader);
    const root = readStructure(reader);
    return { value: { root, nodes: reader.nodes, reservations, version: reader.header.version }, diagnostics: reader.diagnostics };
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    return { value: undefined, diagnostics: [...reader.diagnostics, thrown.refused] };
  }
};
