/** Physical addresses: what has a base keeps it, everything else goes into the memory of the layout, first fit. */
import { hex, pa, PAGE_BYTES, type Pa } from "../base/words.ts";
import type { Findings } from "./findings.ts";
import type { AddressSpace } from "./mapping.ts";
import type { KeyPath } from "./place.ts";
import { alignUp, endOf, firstFit, intersection, minus, rangeText, sizeText, type Range } from "./ranges.ts";
import { alignmentOf } from "./regions.ts";
import type { Resolved } from "./resolve.ts";

/** Everything that needs an address. Lists match those of `Resolved`. */
export interface Placement {
  readonly regions: readonly Pa[];
  readonly streamTables: readonly Pa[];
  readonly objects: Range;
  /** Root table of each address space. */
  readonly roots: readonly Pa[];
  /** Tables of each address space, in its order. */
  readonly tables: readonly (readonly Pa[])[];
}

interface Request {
  readonly what: string;
  readonly size: bigint;
  readonly alignment: bigint;
  readonly path: KeyPath;
}

/** Bytes of one stream-table entry (IHI 0070 "Stream Table Entry"). */
const STE_BYTES = 64n;
/** Bytes of one capability slot (seL4 AArch64, seL4_SlotBits = 5). */
const SLOT_BYTES = 32n;

export const streamTableBytes = (log2Size: number): bigint => alignUp(STE_BYTES << BigInt(log2Size), PAGE_BYTES);
export const cnodeBytes = (radix: number): bigint => SLOT_BYTES << BigInt(radix);

/** Tables, roots first, are a page each; CNodes follow in component order, each aligned to its size. */
const objectsBytes = (spaces: readonly AddressSpace[], radices: readonly number[]): { readonly size: bigint; readonly alignment: bigint } => {
  let end = spaces.reduce((sum, { tables }) => sum + PAGE_BYTES * BigInt(1 + tables.length), 0n);
  let alignment = PAGE_BYTES;
  for (const bytes of radices.map(cnodeBytes)) {
    end = alignUp(end, bytes) + bytes;
    if (bytes > alignment) alignment = bytes;
  }
  return { size: alignUp(end, PAGE_BYTES), alignment };
};

/** What has no base yet: large alignments first so that padding stays small, ties in the spec's order. */
const requestsOf = (resolved: Resolved, spaces: readonly AddressSpace[], radices: readonly number[]): readonly Request[] => [
  ...resolved.smmus.map(({ path, log2Size }) => {
    const size = streamTableBytes(log2Size);
    return { what: `the stream table of ${path}`, size, alignment: size, path: ["memory"] };
  }),
  ...resolved.regions.map((region) => ({ what: `region \`${region.name}\``, size: region.size, alignment: alignmentOf(region), path: region.path })),
  { what: "kernel objects (page tables and CNodes)", ...objectsBytes(spaces, radices), path: ["memory"] },
];

interface Shortage {
  /** All that has no base, placed one after another from an aligned start. */
  readonly needed: bigint;
  /** The largest alignment among it. */
  readonly alignment: bigint;
  /** Free parts of `memory` when the request was tried. */
  readonly rest: readonly Range[];
  /** Usable RAM without the regions that have a base. */
  readonly ram: readonly Range[];
}

/** Says what did not fit, what there was, and which memory would do. */
const reportNoSpace = (findings: Findings, { memory }: Resolved, request: Request, { needed, alignment, rest, ram }: Shortage): void => {
  const largest = rest.reduce((most, range) => (range.size > most ? range.size : most), 0n);
  const size = alignUp(needed, alignment);
  const base = firstFit(ram, size, alignment);
  findings.error(
    "no-space",
    request.path,
    `${request.what} needs ${sizeText(request.size)} aligned to ${sizeText(request.alignment)}, but \`memory\` ${rangeText(memory)} has ${sizeText(largest)} left in one piece`,
    base === undefined
      ? `all that has no base needs ${sizeText(needed)}, and usable RAM has no such piece`
      : `all that has no base needs ${sizeText(needed)}: \`memory: { base: ${hex(base)}, size: ${hex(size)} }\` would do`,
  );
};

/** Addresses of all requests, by index; those with a `fixed` base keep it. Undefined for what did not fit. */
const fit = (findings: Findings, resolved: Resolved, requests: readonly Request[], fixed: readonly (bigint | undefined)[]): readonly (bigint | undefined)[] => {
  const taken = requests.flatMap(({ size }, index) => (fixed[index] === undefined ? [] : [{ base: fixed[index], size }]));
  const open = [...requests.entries()].filter(([index]) => fixed[index] === undefined).toSorted(([, a], [, b]) => (a.alignment > b.alignment ? -1 : a.alignment < b.alignment ? 1 : 0));
  const needed = open.reduce((sum, [, request]) => alignUp(sum, request.alignment) + request.size, 0n);
  const alignment = open[0]?.[1].alignment ?? PAGE_BYTES;
  const ram = taken.reduce<readonly Range[]>((left, range) => minus(left, range), resolved.ram);
  const bases = [...fixed];
  let rest: readonly Range[] = ram.flatMap((range) => intersection(range, resolved.memory) ?? []);
  for (const [index, request] of open) {
    const base = firstFit(rest, request.size, request.alignment);
    if (base === undefined) reportNoSpace(findings, resolved, request, { needed, alignment, rest, ram });
    else {
      bases[index] = base;
      rest = minus(rest, { base, size: request.size });
    }
  }
  return bases;
};

const pages = (from: bigint, count: number): readonly Pa[] => Array.from({ length: count }, (_, page) => pa(from + PAGE_BYTES * BigInt(page)));

/** Gives everything its address, or undefined after reporting what did not fit. `radices` are those of all CNodes. */
export const place = (resolved: Resolved, spaces: readonly AddressSpace[], radices: readonly number[], findings: Findings): Placement | undefined => {
  const requests = requestsOf(resolved, spaces, radices);
  const fixed = [...resolved.smmus.map(() => undefined), ...resolved.regions.map((region) => region.base), undefined];
  const bases = fit(findings, resolved, requests, fixed).flatMap((base) => (base === undefined ? [] : [pa(base)]));
  if (bases.length !== requests.length) return undefined;
  const smmus = resolved.smmus.length;
  const objects = { base: bases.at(-1)!, size: requests.at(-1)!.size };
  const roots = pages(objects.base, spaces.length);
  let next = endOf({ base: objects.base, size: PAGE_BYTES * BigInt(spaces.length) });
  const tables = spaces.map((space) => {
    const own = pages(next, space.tables.length);
    next += PAGE_BYTES * BigInt(space.tables.length);
    return own;
  });
  return { streamTables: bases.slice(0, smmus), regions: bases.slice(smmus, -1), objects, roots, tables };
};
