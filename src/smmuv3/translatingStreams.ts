/** Which streams of a table translate: the ones that can leave something in a TLB. */
import { readWords, type Read } from "./memory.ts";
import type { Settings } from "./registers.ts";
import { l1stdAddress, secondLevel, STE_BYTES, STE_WORDS, steAddress } from "./streamTable.ts";

const MOST_ENTRIES = 1 << 17;
/** V=1 and a Config with a stage. */
const translates = (dw0: bigint): boolean => (dw0 & 1n) === 1n && (dw0 & 8n) !== 0n && (dw0 & 6n) !== 0n;

/** Streams whose entries translate, one for each content; also where those entries lie. Throws RangeError past 2^17 entries. */
export const translatingStreams = (read: Read, settings: Settings): { readonly sids: number[]; readonly regions: (readonly [bigint, bigint])[] } => {
  const streams = 2 ** settings.log2Size;
  const regions: (readonly [bigint, bigint])[] = [];
  const sids = new Map<string, number>();
  let seen = 0;
  const count = (entries: number): void => {
    if ((seen += entries) > MOST_ENTRIES) throw new RangeError(`the stream table has more than ${MOST_ENTRIES} entries; \`--caches may\` looks at no more`);
  };
  const scan = (base: bigint, entries: number, first: number): void => {
    count(entries);
    regions.push([base, base + BigInt(entries) * STE_BYTES]);
    for (let at = 0; at < entries; at++) {
      const addr = base + BigInt(at) * STE_BYTES;
      if (!translates(read(addr) ?? 0n)) continue;
      const key = readWords(read, addr, STE_WORDS)?.join(",");
      if (key !== undefined && !sids.has(key)) sids.set(key, first + at);
    }
  };
  // Nothing is fetched while the SMMU is off.
  if (!settings.enabled) return { sids: [], regions };
  if (settings.linear) scan(steAddress(settings, 0), streams, 0);
  else {
    const perEntry = 2 ** settings.split;
    const base = l1stdAddress(settings, 0);
    count(Math.ceil(streams / perEntry));
    regions.push([base, base + 8n * BigInt(Math.ceil(streams / perEntry))]);
    for (let first = 0; first < streams; first += perEntry) {
      const { base: second, entries } = secondLevel(read(l1stdAddress(settings, first)) ?? 0n, settings);
      if (entries > 0) scan(second, Math.min(entries, perEntry), first);
    }
  }
  return { sids: [...sids.values()], regions };
};
