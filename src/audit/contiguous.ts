/**
 * The contiguous hint: neighbours that may be kept as one translation must agree, or what the SMMU does with any of them is
 * CONSTRAINED UNPREDICTABLE (DDI 0487 "The Contiguous bit").
 */
import { contiguousRun, type Granule, leafFlags } from "../smmuv3/descriptor.ts";
import type { Leaf } from "./tables.ts";

/** Neighbours that begin at `input`, which one entry would stand for. */
interface Group {
  readonly input: bigint;
  readonly level: number;
  /** Entries that it takes. */
  readonly run: bigint;
  readonly first: Leaf;
  met: bigint;
  why?: string;
}
export interface Disagreement {
  readonly leaf: Leaf;
  readonly why: string;
}

const ACCESSED = 1n << 10n;
const WRITTEN = 1n << 7n;
/** All but the address and what hardware itself changes. */
const agreed = ({ value }: Leaf): bigint => value & ~0xffff_ffff_f000n & ~(ACCESSED | (leafFlags(value).dirtyModifier ? WRITTEN : 0n));

const join = (group: Group, leaf: Leaf): void => {
  group.met++;
  const { first } = group;
  if (leaf.output - first.output !== leaf.input - first.input) group.why ??= "their outputs do not follow on";
  else if (agreed(leaf) !== agreed(first)) group.why ??= "their attributes differ";
};

/** Takes leaves as they ascend, and tells each group whose entries do not agree. */
export const contiguousGroups = (granule: Granule, tell: (disagreement: Disagreement) => void): { readonly leaf: (leaf: Leaf) => void; readonly end: () => void } => {
  let group: Group | undefined;
  const end = (): void => {
    if (group === undefined) return;
    const { first, run, met, input } = group;
    const whole = run * first.size;
    const misplaced = (first.output - (first.input - input)) % whole === 0n ? undefined : "their output is not aligned to all of them";
    const why = group.why ?? (met < run ? `only ${met} of ${run} have it` : misplaced);
    if (why !== undefined) tell({ leaf: first, why });
    group = undefined;
  };
  const begin = (leaf: Leaf): void => {
    const run = contiguousRun(leaf.level, granule);
    group = { input: leaf.input & ~(run * leaf.size - 1n), level: leaf.level, run, first: leaf, met: 1n };
  };
  return {
    leaf: (leaf) => {
      const outside = group !== undefined && (leaf.level !== group.level || leaf.input >= group.input + group.run * group.first.size);
      if (outside) end();
      if (!leafFlags(leaf.value).contiguous) return;
      if (group === undefined) begin(leaf);
      else join(group, leaf);
    },
    end,
  };
};
