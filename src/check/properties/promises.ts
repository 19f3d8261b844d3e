/**
 * What an invocation promises by answering seL4_NoError: written down a second time, from what seL4's manual says that it
 * is for, so that a kernel is held to its answers. The other properties ask whether a state is safe, and a kernel that does
 * less than it says may be in safe states only: a Revoke that stops early leaves one that some other order leads to.
 *
 * What shows as a break of isolation is left to the properties that show it: rights beyond those of a capability are no
 * part of a promise, since a trace that ends at the answer would hide the write that follows.
 *
 * A promise is judged when its invocation ends, and the first that is broken is noted in the state (kernel/state.ts,
 * `broken`), where the property of this name finds it.
 */
import { NONE } from "../../base/state.ts";
import type { Step } from "../../base/step.ts";
import { cbNode, sidNode } from "../../kernel/binding.ts";
import { CB, CB_CONTROL, FRAME, maskRights, NULL, READ_WRITE, SID, SID_CONTROL, VSPACE } from "../../kernel/capability.ts";
import { hasChildren, slotNamed } from "../../kernel/cspace.ts";
import type { Invocation, Request } from "../../kernel/invocation.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { ENTRY_PAGE, MOST_PROMISES } from "../../kernel/state.ts";
import { leafLevel, vspaceOfAsid, walkEnd } from "../../kernel/vspace.ts";
import { impossible } from "../../base/diagnostic.ts";
import { dominates } from "./capabilities/bound.ts";
import { memoryOf, type Memory } from "./capabilities/memory.ts";
import { ofParts } from "./capabilities/parts.ts";

/** Asked before the invocation is performed; what comes back is asked after it, with the steps that the SMMU was given. */
type Judge = (kernel: Kernel, request: Request) => (given: readonly Step[]) => boolean;
interface Promised {
  readonly labels: readonly string[];
  /** What must be so afterwards. */
  readonly says: string;
  readonly judge: Judge;
}

const slotOf = ({ tables }: Kernel, row: number) => tables.slot.at(row);
/** The slots that CNode invocations name. */
const destination = (kernel: Kernel, { target, words }: Request): number => slotNamed(kernel, target, words[0]!, words[1]!);
const source = (kernel: Kernel, { caps, words }: Request): number => slotNamed(kernel, caps[0]!, words[2]!, words[3]!);

const isZeroed = ({ base, end }: Memory, given: readonly Step[]): boolean =>
  given.some((step) => step.kind === "fill" && step.addr <= base && step.addr + step.size >= end && step.pattern.every((word) => word === 0n));

const issued =
  (control: number, kind: number): Judge =>
  (kernel, { target, caps, words }) => {
    const row = slotNamed(kernel, caps[0]!, words[1]!, words[2]!);
    const [smmu, number] = [Number(words[0]! >> 32n), Number(words[0]! & 0xffffffffn)];
    const object = control === SID_CONTROL ? kernel.plan.sidOf(smmu, number) : kernel.plan.cbOf(smmu, number);
    return () => {
      const made = slotOf(kernel, row);
      return made.kind === kind && made.object === object && made.parent === target;
    };
  };

/** The rights that were asked for, or more than there are to give: those are the other properties' business. */
const areRights = (given: number, asked: number, most: number): boolean => given === asked || !dominates(most, FRAME, given);

const copied: Judge = (kernel, request) => {
  const [from, to] = [slotOf(kernel, source(kernel, request)), destination(kernel, request)];
  const { kind, object } = from;
  const most = from.rights;
  const rights = kind === FRAME ? maskRights(most, request.words[4]!) : 0;
  return () => {
    const copy = slotOf(kernel, to);
    return copy.kind === kind && copy.object === object && (kind !== FRAME || (areRights(copy.rights, rights, most) && copy.asid === NONE));
  };
};

/** The page-table entry where a frame of this size would stand. */
const entryFor = ({ plan, tables }: Kernel, vspace: number, address: number, page: number) => tables.entry.at(plan.entryAt(vspace, leafLevel(plan.pages[page]!.bits), address));

const unmapped: Judge = (kernel, { target }) => {
  const { asid, address, object } = slotOf(kernel, target);
  const vspace = vspaceOfAsid(kernel, asid);
  if (vspace === NONE || walkEnd(kernel, vspace, address) !== leafLevel(kernel.plan.pages[object]!.bits)) return () => slotOf(kernel, target).asid === NONE;
  const entry = entryFor(kernel, vspace, address, object);
  const { kind, page } = entry;
  return () => {
    const kept = entry.kind === kind && entry.page === page;
    return slotOf(kernel, target).asid === NONE && kept === (kind !== ENTRY_PAGE || page !== object);
  };
};

const promises: readonly Promised[] = [
  {
    labels: ["CNodeRevoke"],
    says: "nothing is derived from the capability any more",
    judge: (kernel, request) => {
      const row = destination(kernel, request);
      return () => slotOf(kernel, row).kind === NULL || !hasChildren(kernel, row);
    },
  },
  {
    labels: ["CNodeDelete"],
    says: "the slot is empty",
    judge: (kernel, request) => {
      const row = destination(kernel, request);
      return () => slotOf(kernel, row).kind === NULL;
    },
  },
  { labels: ["CNodeCopy", "CNodeMint"], says: "the copy names what its source names, with the rights that both sides allow, and is mapped nowhere", judge: copied },
  {
    labels: ["CNodeMove"],
    says: "the capability is in its new slot and no more in the old one",
    judge: (kernel, request) => {
      const [from, to] = [source(kernel, request), destination(kernel, request)];
      const { kind, object } = slotOf(kernel, from);
      return () => slotOf(kernel, to).kind === kind && slotOf(kernel, to).object === object && slotOf(kernel, from).kind === NULL;
    },
  },
  {
    labels: ["ARMSIDBindCB"],
    says: "the stream is bound to that bank",
    judge: (kernel, { target, caps }) => {
      const [node, cb] = [sidNode(kernel, slotOf(kernel, target).object), slotOf(kernel, caps[0]!).object];
      return () => slotOf(kernel, node).kind === CB && slotOf(kernel, node).object === cb;
    },
  },
  {
    labels: ["ARMSIDUnbindCB"],
    says: "the stream is bound to nothing",
    judge: (kernel, { target }) => {
      const node = sidNode(kernel, slotOf(kernel, target).object);
      return () => slotOf(kernel, node).kind === NULL;
    },
  },
  {
    labels: ["ARMCBAssignVspace"],
    says: "the bank has that address space",
    judge: (kernel, { target, caps }) => {
      const [node, vspace] = [cbNode(kernel, slotOf(kernel, target).object), slotOf(kernel, caps[0]!).object];
      return () => slotOf(kernel, node).kind === VSPACE && slotOf(kernel, node).object === vspace;
    },
  },
  {
    labels: ["ARMCBUnassignVspace"],
    says: "the bank has no address space",
    judge: (kernel, { target }) => {
      const node = cbNode(kernel, slotOf(kernel, target).object);
      return () => slotOf(kernel, node).kind === NULL;
    },
  },
  { labels: ["ARMCBTLBInvalidate", "ARMCBTLBInvalidateAll"], says: "the SMMU was told to invalidate", judge: () => (given) => given.length > 0 },
  { labels: ["ARMSIDIssueSIDManager"], says: "the new capability is that of the stream asked for, below the control capability", judge: issued(SID_CONTROL, SID) },
  { labels: ["ARMCBIssueCBManager"], says: "the new capability is that of the bank asked for, below the control capability", judge: issued(CB_CONTROL, CB) },
  {
    labels: ["ARMPageMap"],
    says: "the frame is mapped there, with the rights asked for as far as its capability has them, and the capability says so",
    judge: (kernel, { target, caps, words }) => {
      const { object, rights } = slotOf(kernel, target);
      const vspace = slotOf(kernel, caps[0]!).object;
      const { asid } = kernel.tables.vspace.at(vspace);
      const address = kernel.plan.addressOf(words[0]!);
      return () => {
        const entry = entryFor(kernel, vspace, address, object);
        const frame = slotOf(kernel, target);
        return entry.kind === ENTRY_PAGE && entry.page === object && areRights(entry.rights, maskRights(rights, words[1]!), rights) && frame.asid === asid && frame.address === address;
      };
    },
  },
  { labels: ["ARMPageUnmap"], says: "this frame is no more mapped there, the capability says so, and another frame's mapping is as it was", judge: unmapped },
  {
    labels: ["ARMPageTableMap"],
    says: "the capability says that the table is mapped",
    judge:
      (kernel, { target }) =>
      () =>
        slotOf(kernel, target).asid !== NONE,
  },
  {
    labels: ["ARMPageTableUnmap"],
    says: "the capability says that the table is mapped nowhere, and all of the table was cleared",
    judge: (kernel, { target }) => {
      const { asid, kind, object } = slotOf(kernel, target);
      const memory = memoryOf(kernel.plan, kind, object)!;
      return (given) => slotOf(kernel, target).asid === NONE && (asid === NONE || isZeroed(memory, given));
    },
  },
  {
    labels: ["UntypedRetype"],
    says: "the new capability is below the untyped, a frame's has all rights, and all of its memory was cleared since it was somebody's",
    judge: (kernel, { target, caps, words }) => {
      const cnode = slotOf(kernel, caps[0]!).object;
      const rows = Array.from({ length: Number(words[5]) }, (_, n) => kernel.plan.slotRow(cnode, Number(words[4]) + n));
      const kept = hasChildren(kernel, target) || kernel.plan.untypeds[slotOf(kernel, target).object]!.device;
      return (given) =>
        rows.every((row) => {
          const { kind, object, parent, rights } = slotOf(kernel, row);
          const memory = memoryOf(kernel.plan, kind, object);
          return kind !== NULL && parent === target && (kind !== FRAME || rights === READ_WRITE) && (kept || memory === undefined || isZeroed(memory, given));
        });
    },
  },
];
if (promises.length >= MOST_PROMISES) impossible("a state has no room for the number of a promise");

const byLabel = new Map(promises.flatMap(({ labels, judge }, index) => labels.map((label) => [label, { judge, number: index + 1 }] as const)));

/** The kernel did not come to an answer: it ended in an error of its own, as C code follows a null pointer. */
const CRASHED = MOST_PROMISES;
/** What that error said. A message is made right behind the run that shows it, and no state can hold a text. */
let lastCrash = "";

/** The running invocation. */
export interface Running {
  /** The steps that it gave the SMMU so far. */
  readonly given: () => readonly Step[];
  /** Notes how the state is before it; what comes back brings that state back, and forgets the steps. */
  readonly begin: () => () => void;
}
/** Holds a kernel to what it answers. */
export const watchPromises = (kernel: () => Kernel, { given, begin }: Running): NonNullable<Kernel["watch"]> => {
  const note = (number: number): void => void (kernel().tables.processor.at(0).broken = number);
  return ({ label }: Invocation, request) => {
    const undo = begin();
    const promised = byLabel.get(label);
    const isKept = promised?.judge(kernel(), request);
    return {
      performed: () => {
        if (promised !== undefined && isKept?.(given()) === false) note(promised.number);
      },
      failed: (error) => {
        // What it left half done may be no state at all, so nothing of it is judged.
        undo();
        lastCrash = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        note(CRASHED);
      },
    };
  };
};

export const keptPromises = ofParts({
  name: "kept-promises",
  sentence: "Every invocation is answered, and one that answers seL4_NoError has done what it is for.",
  parts: () => [
    {
      wrong: ({ tables }) => {
        const { broken } = tables.processor.at(0);
        if (broken === CRASHED) return `the kernel does not answer the last invocation, but ends in an error of its own: ${lastCrash}`;
        return broken === 0 ? undefined : `the last invocation answers seL4_NoError, but it is not so that ${promises[broken - 1]!.says}`;
      },
    },
  ],
});
