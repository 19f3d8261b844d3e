/**
 * Transactions to try on a snapshot, and what each must come to by this decoder's reading. One line of each file belongs
 * to one line of the other.
 */
import type { Findings } from "./decoded.ts";
import { ABORTS, BYPASS, type Stream } from "./streams.ts";
import type { Leaf } from "./tables.ts";

export interface Case {
  readonly sid: number;
  readonly iova: bigint;
  readonly write: boolean;
  /** Where it goes, or undefined when it is refused. */
  readonly pa: bigint | undefined;
  /** The event of a refusal, or `abort` for one that makes none. */
  readonly refused?: string;
}

const BYTES = 4n;

const pair = (sid: number, iova: bigint, judge: (write: boolean) => Pick<Case, "pa" | "refused">): Case[] => [false, true].map((write) => ({ sid, iova, write, ...judge(write) }));

const onLeaf = (sid: number, leaf: Leaf): Case[] =>
  [0n, leaf.size - BYTES].flatMap((offset) =>
    pair(sid, leaf.input + offset, (write) => {
      if (leaf.fault !== undefined) return { pa: undefined, refused: leaf.fault };
      return (write ? leaf.writable : leaf.readable) ? { pa: leaf.output + offset } : { pa: undefined, refused: "F_PERMISSION" };
    }),
  );

/** The first words above each run of mappings: nothing is there. A power of two may end the input space, which is another question. */
const beyond = ({ entry, leaves }: Stream): Case[] => {
  const starts = new Set(leaves.map(({ input }) => input));
  const ends = leaves.map(({ input, size }) => input + size).filter((end) => !starts.has(end) && (end & (end - 1n)) !== 0n);
  return ends.flatMap((iova) => pair(entry.sid, iova, () => ({ pa: undefined, refused: "F_TRANSLATION" })));
};

/** Reads and writes at both ends of every mapping, just above each run of them, through bypass, and on a stream that aborts. */
export const casesOf = ({ table, streams }: Findings, ram: readonly { readonly addr: bigint; readonly size: bigint }[]): Case[] => {
  const ends = ram.flatMap(({ addr, size }) => [addr, addr + size - BYTES]);
  const mapped = streams.flatMap((stream) => [...stream.leaves.flatMap((leaf) => onLeaf(stream.entry.sid, leaf)), ...(stream.leaves.length === 0 ? [] : beyond(stream))]);
  const passed = streams.filter(({ entry }) => entry.config === BYPASS).flatMap(({ entry }) => ends.flatMap((iova) => pair(entry.sid, iova, () => ({ pa: iova }))));
  const aborting = table.entries.find(({ valid, config }) => valid && config === ABORTS);
  const aborted = aborting === undefined ? [] : ends.flatMap((iova) => pair(aborting.sid, iova, () => ({ pa: undefined, refused: "abort" })));
  return [...mapped, ...passed, ...aborted];
};

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
const lines = (values: readonly unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join("");

/** `{"sid", "op", "iova", "size"}` a line. */
export const transactionLines = (cases: readonly Case[]): string => lines(cases.map(({ sid, iova, write }) => ({ sid: hex(sid), op: write ? "write" : "read", iova: hex(iova), size: Number(BYTES) })));
/** `{"iova", "pa", "write"}` a line; a refused one has `refused` in place of `pa`. */
export const expectedLines = (cases: readonly Case[]): string => lines(cases.map(({ iova, write, pa, refused }) => ({ iova: hex(iova), ...(pa === undefined ? { refused } : { pa: hex(pa) }), write })));
