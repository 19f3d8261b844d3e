/** Device-tree blobs for tests, written from the specification's layout and not by the reader under test. */
import { Buffer } from "node:buffer";

export type PropertyValue = true | string | readonly string[] | readonly number[] | Uint8Array;
export interface NodeSpec {
  readonly [name: string]: PropertyValue | NodeSpec;
}

const cells = (values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeUInt32BE(value, i * 4));
  return bytes;
};
const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
const terminated = (text: string): Buffer => Buffer.from(`${text}\0`, "latin1");

export const begin = (name: string): Buffer => Buffer.concat([cells([1]), padded(terminated(name))]);
export const end: Buffer = cells([2]);
export const nop: Buffer = cells([4]);
export const finish: Buffer = cells([9]);
/** A property token; `length` and `nameOffset` as given, whether true or not. */
export const prop = (nameOffset: number, value: Uint8Array, length = value.length): Buffer => Buffer.concat([cells([3, length, nameOffset]), padded(value)]);
export const word = (value: number): Buffer => cells([value]);

export interface Header {
  magic: number;
  totalSize: number;
  structOffset: number;
  stringsOffset: number;
  reservationsOffset: number;
  version: number;
  lastCompatible: number;
  bootCpu: number;
  stringsSize: number;
  structSize: number;
}

/** Blocks in the usual order behind a true header, of which `lie` may change any field. */
export const assemble = (structure: Uint8Array, names: Uint8Array = new Uint8Array(), lie: Partial<Header> = {}, reservations: readonly number[] = [0, 0, 0, 0]): Uint8Array => {
  const reserved = cells(reservations);
  const structOffset = 40 + reserved.length;
  const stringsOffset = structOffset + structure.length;
  const header: Header = {
    magic: 0xd00dfeed,
    totalSize: stringsOffset + names.length,
    structOffset,
    stringsOffset,
    reservationsOffset: 40,
    version: 17,
    lastCompatible: 16,
    bootCpu: 0,
    stringsSize: names.length,
    structSize: structure.length,
    ...lie,
  };
  const { magic, totalSize, reservationsOffset, version, lastCompatible, bootCpu, stringsSize, structSize } = header;
  const head = cells([magic, totalSize, header.structOffset, header.stringsOffset, reservationsOffset, version, lastCompatible, bootCpu, stringsSize, structSize]);
  return Buffer.concat([head, reserved, structure, names]);
};

const isNode = (value: PropertyValue | NodeSpec): value is NodeSpec =>
  typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array);

const valueBytes = (value: PropertyValue): Uint8Array => {
  if (value === true) return new Uint8Array();
  if (typeof value === "string") return terminated(value);
  if (value instanceof Uint8Array) return value;
  return typeof value[0] === "string" ? Buffer.concat((value as readonly string[]).map(terminated)) : cells(value as readonly number[]);
};

/** A whole tree; properties of a node go before its children, as the format wants. */
export const blob = (root: NodeSpec, reservations: readonly number[] = [0, 0, 0, 0]): Uint8Array => {
  const structure: Uint8Array[] = [];
  const offsets = new Map<string, number>();
  const names: Uint8Array[] = [];
  let namesLength = 0;
  const offsetOf = (name: string): number => {
    const known = offsets.get(name);
    if (known !== undefined) return known;
    offsets.set(name, namesLength);
    names.push(terminated(name));
    namesLength += name.length + 1;
    return offsets.get(name)!;
  };
  const write = (name: string, node: NodeSpec): void => {
    structure.push(begin(name));
    for (const [key, value] of Object.entries(node)) if (!isNode(value)) structure.push(prop(offsetOf(key), valueBytes(value)));
    for (const [key, value] of Object.entries(node)) if (isNode(value)) write(key, value);
    structure.push(end);
  };
  write("", root);
  structure.push(finish);
  return assemble(Buffer.concat(structure), Buffer.concat(names), {}, reservations);
};
