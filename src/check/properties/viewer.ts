/**
 * States as properties see them: the kernel's tables, and what the SMMU could make of the bits and of everything it may have
 * cached.
 */
import { CNODE, CNODE_ZOMBIE, FRAME, NULL, PAGE_TABLE, VSPACE } from "../../kernel/capability.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Booted } from "../../system/boot.ts";
import type { Machine, MachineState, Reach } from "../machine.ts";
import { authorityOf } from "./authority.ts";
import type { View } from "./property.ts";

/** Ends of regions and of everything that is or may be an object. */
const bordersOf = ({ layout }: Booted, { plan }: Kernel): readonly bigint[] => {
  const regions = layout.regions.flatMap(({ base, size }) => [base as bigint, base + size]);
  const pages = plan.pages.flatMap(({ pa, bits }) => [pa as bigint, pa + (1n << BigInt(bits))]);
  return [...new Set([...regions, ...pages])].toSorted((a, b) => (a < b ? -1 : Number(a > b)));
};

/** Makes views of states of one model; what depends on the machine alone is remembered by its id. */
export const viewer = (booted: Booted, kernel: Kernel, machineRun: Machine): ((machine: MachineState) => View) => {
  const may = authorityOf(booted.layout);
  const pageIndex = new Map(kernel.plan.pages.map(({ pa }, page) => [pa as bigint, page]));
  const sizes = [...new Set(kernel.plan.pages.map(({ bits }) => bits))].map(BigInt);
  /** The frame or table around an address: of any size, and no two overlap. */
  const pageAround = (address: bigint): number | undefined =>
    sizes.map((bits) => pageIndex.get((address >> bits) << bits)).find((page) => page !== undefined && address < kernel.plan.pages[page]!.pa + (1n << BigInt(kernel.plan.pages[page]!.bits)));
  const borders = bordersOf(booted, kernel);
  const standing = (address: bigint): number => {
    const page = pageAround(address);
    if (page === undefined) return NULL;
    const { slot } = kernel.tables;
    if (slot.any({ kind: FRAME, object: page })) return FRAME;
    if (slot.any({ kind: PAGE_TABLE, object: page })) return PAGE_TABLE;
    const vspace = kernel.plan.vspaces.findIndex((candidate) => candidate.page === page);
    if (vspace >= 0 && slot.any({ kind: VSPACE, object: vspace })) return VSPACE;
    const cnode = kernel.plan.cnodes.findIndex(({ address: at }) => at === kernel.plan.pages[page]!.pa);
    return cnode >= 0 && (slot.any({ kind: CNODE, object: cnode }) || slot.any({ kind: CNODE_ZOMBIE, object: cnode })) ? CNODE : NULL;
  };
  const foreign = new Set(kernel.plan.slice?.foreign);
  const isForeign = (smmu: number, id: number): boolean => kernel.plan.sids.some((match, sid) => foreign.has(sid) && match.smmu === smmu && (match.sid & ~match.mask) === (id & ~match.mask));
  const judged = (reach: Reach): Reach => (foreign.size === 0 ? reach : { ...reach, streams: reach.streams.filter(({ smmu, sid }) => !isForeign(smmu, sid)) });
  return (machine) => {
    const reach = judged(machineRun.reach(machine));
    return {
      booted,
      kernel,
      machine,
      reach,
      cold: judged(machineRun.coldReach(machine)),
      may,
      standing,
      pageAround,
      borders,
      foreign,
      reaches: ({ sid, iova, pa, access }) => {
        const { smmu, sid: number } = booted.layout.sids[sid]!;
        const stream = reach.streams.find((candidate) => candidate.smmu === smmu && candidate.sid === number);
        return (stream?.targets ?? []).some((target) => iova >= target.iova && iova < target.iova + target.size && target.pa + (iova - target.iova) === pa && target[access]);
      },
    };
  };
};
