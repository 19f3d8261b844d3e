/**
 * One frame, one size: a holder that would map a region with pages of another size than its frames have cannot. Retype
 * fixes a frame's size (seL4 src/object/untyped.c), and a frame capability is mapped whole, by one entry at one level, and
 * in one address space (src/arch/arm/64/kernel/vspace.c `decodeARMFrameInvocation`). So memory that is made of large frames
 * for a CPU is not to be had in small pages for a device, nor the other way round.
 */
import { hex } from "../base/words.ts";
import type { Findings } from "./findings.ts";
import { FRAME_SIZES, frameLevel, type FrameSize, frameSizeBytes } from "./frameSize.ts";
import { tablesFor } from "./mapping.ts";
import type { KeyPath } from "./place.ts";
import { alignUp, sizeText } from "./ranges.ts";
import type { ResolvedRegion } from "./regions.ts";
import type { Spec } from "./spec.ts";

/** A hold that says which pages it wants. */
export interface Wish {
  readonly holder: string;
  readonly region: ResolvedRegion;
  readonly pages: FrameSize;
  /** As the hold gives it. */
  readonly iova: bigint | undefined;
  /** Leads to `pages`. */
  readonly path: KeyPath;
  /** Most frame capabilities that are laid out. */
  readonly limit: number;
}

const counted = (count: bigint | number, one: string): string => `${count} ${one}${BigInt(count) === 1n ? "" : "s"}`;
const written = (bytes: bigint): string => FRAME_SIZES.find((size) => frameSizeBytes(size) === bytes) ?? sizeText(bytes);
const piecesOf = (size: bigint, bytes: bigint): bigint => alignUp(size, bytes) / bytes;

/** Who else asks for the pages that the region's frames give. */
const agreeing = (spec: Spec, { region, holder }: Wish): readonly string[] =>
  Object.entries(spec.components).flatMap(([name, { holds = [] }]) =>
    name !== holder && holds.some((hold) => typeof hold !== "string" && hold.region === region.name && hold.pages === written(region.frames)) ? [`\`${name}\``] : [],
  );

/** Small frames everywhere: what that costs. */
const smaller = ({ region, iova, pages, limit }: Wish, [small, large]: readonly [bigint, bigint]): string => {
  const caps = piecesOf(region.size, small);
  const tables = tablesFor(iova ?? 0n, region.size, small).filter(({ level }) => level > frameLevel(large)).length;
  const tooMany = caps > BigInt(limit) ? ` (at most ${limit} are laid out)` : "";
  const cost = `${counted(caps, "frame")} with a capability each${tooMany}, instead of ${piecesOf(region.size, large)}, for every holder, and up to ${counted(tables, "page table")} more in each address space that maps them`;
  const what = frameSizeBytes(pages) === small ? `give \`${region.name}\` \`frames: ${written(small)}\`` : `leave out \`pages\`, and map it with ${sizeText(small)} pages`;
  return `${what}: ${cost}`;
};

const aligned = (what: string, address: bigint | undefined, bytes: bigint): string => {
  if (address === undefined) return "";
  return address % bytes === 0n ? "" : `; \`${what}: ${hex(address)}\` is not a multiple of ${sizeText(bytes)}, the next one is ${hex(alignUp(address, bytes))}`;
};

/** Large frames everywhere: what more is reached then, and what has to be aligned. */
const larger = ({ region, iova, pages }: Wish, large: bigint): string => {
  const more = alignUp(region.size, large) - region.size;
  const reach = more === 0n ? "no more memory becomes reachable" : `its size grows to ${sizeText(region.size + more)}, and the devices of all that map it reach ${sizeText(more)} more`;
  const addresses = `its base and each IOVA must be multiples of ${sizeText(large)}`;
  const what = frameSizeBytes(pages) === large ? `give \`${region.name}\` \`frames: ${written(large)}\`` : `leave out \`pages\`, and map it with ${sizeText(large)} pages`;
  return `${what}: ${reach}, ${addresses}${aligned("base", region.base, large)}${aligned("iova", iova, large)}`;
};

/** Reports a wish that cannot be granted; true when it could not. */
export const checkGranularity = (findings: Findings, spec: Spec, wish: Wish): boolean => {
  const { holder, region } = wish;
  const wanted = frameSizeBytes(wish.pages);
  const { frames } = region;
  if (wanted === frames) return false;
  const others = agreeing(spec, wish);
  const sides = wanted < frames ? ([wanted, frames] as const) : ([frames, wanted] as const);
  const whose = others.length === 0 ? "" : `, as ${others.join(", ")} ${others.length === 1 ? "asks" : "ask"} for`;
  const why =
    wanted < frames
      ? `a frame is one object of one size, mapped whole by one entry of level ${frameLevel(frames)}, and no part of it can be mapped`
      : `a frame is one object of one size, mapped by an entry of level ${frameLevel(frames)}, and ${counted(piecesOf(region.size, frames), "frame")} cannot be joined to a larger one`;
  findings.error(
    "granularity-conflict",
    wish.path,
    `\`${holder}\` maps \`${region.name}\` with ${sizeText(wanted)} pages, but it is made of ${sizeText(frames)} frames${whose}: ${why}`,
    `${smaller(wish, sides)}; or ${larger(wish, sides[1])}`,
  );
  return true;
};
