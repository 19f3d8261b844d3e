/**
 * Every invocation that a subject can make in a state, with every argument of the scope (design D12): what the checker
 * explores and what random generation draws from.
 *
 * Arguments come in two sorts. The good ones are combined with each other in every way. The odd ones (a wrong kind of
 * capability, an address beyond the input size, a full destination, an empty slot to delete, …) are tried one at a time,
 * beside good ones: each is refused or does nothing in a right kernel, so their combinations lead nowhere new.
 *
 * What is not tried, and what a verdict's scope therefore says: slots that became empty are not filled again, slots of a
 * CNode inside a CNode are not named (so Retype's node_depth is 0), and rights words 0 and 1, which map without access.
 */
import { objectTypes, USER_TOP } from "../../specs/sel4/object.ts";
import { CB, CNODE, FRAME, NOTIFICATION, NULL, THREAD, UNTYPED, VSPACE } from "./capability.ts";
import { guardWord } from "./cnode.ts";
import type { CapClass, Invocation, Request, WordArgument, WordClass } from "./invocation.ts";
import { exploredOn } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import type { Plan, PlanCnode } from "./plan.ts";
import { resourceWord } from "./issue.ts";
import { isReduced } from "./reductions.ts";
import { MOST_PRIORITY } from "./thread.ts";
import { PAGE_CNODE_RADIX } from "./untyped.ts";

/** Choices for one argument, each a list of words (a slot address has two). */
interface Choices {
  readonly good: readonly (readonly bigint[])[];
  readonly odd: readonly (readonly bigint[])[];
}

const single = (values: readonly bigint[]): (readonly bigint[])[] => values.map((value) => [value]);

/** Words that do not depend on the state. */
const staticChoices = (plan: Plan): Record<WordClass, Choices> => {
  const beyond = [USER_TOP + 1n, (1n << 64n) - 0x1000n];
  return {
    address: { good: single(plan.addresses), odd: single([(plan.addresses[0] ?? 0n) + 1n, ...beyond]) },
    rights: { good: single([3n, 2n]), odd: [] },
    // A root CNode keeps the guard that resolves its cptrs; another guard only renames slots.
    guard: { good: single([...new Set(plan.guards.filter(({ size }) => size > 0).map(guardWord))]), odd: single([63n]) },
    attributes: { good: single([3n]), odd: [] },
    stream: { good: single(plan.sids.map(({ smmu, sid }) => resourceWord(smmu, sid))), odd: single([0xffffffffn]) },
    bank: { good: single(plan.cbs.map(({ smmu, number }) => resourceWord(smmu, number))), odd: single([0xffffffffn]) },
    // Interrupts, threads and VCPUs: no scaled state holds one, and their invocations are not tried (`unexplored`).
    irq: { good: single(plan.irqs.map(BigInt)), odd: [] },
    priority: { good: single([0n, BigInt(MOST_PRIORITY)]), odd: [] },
    word: { good: single([0n]), odd: [] },
    // Retype's words are chosen together: retypeWords.
    type: { good: [], odd: [] },
    count: { good: [], odd: [] },
  };
};
const remembered = new WeakMap<Plan, Record<WordClass, Choices>>();
const choicesOf = (plan: Plan): Record<WordClass, Choices> => {
  let choices = remembered.get(plan);
  if (choices === undefined) remembered.set(plan, (choices = staticChoices(plan)));
  return choices;
};

/** Slots of a CNode as (index, depth) words for a root capability with this guard. */
const addressOf = (kernel: Kernel, root: number, index: number): readonly bigint[] => {
  const slot = kernel.tables.slot.at(root);
  const guard = kernel.plan.guards[slot.guard]!;
  const { radix } = kernel.plan.cnodes[slot.object]!;
  return [(guard.value << BigInt(radix)) | BigInt(index), BigInt(radix + guard.size)];
};

/** New capabilities go to spare slots only (design D12). */
const slotChoices = (kernel: Kernel, root: number, wants: "emptySlot" | "fullSlot" | "anySlot"): Choices => {
  const slot = kernel.tables.slot.at(root);
  const cnode = slot.kind === CNODE ? kernel.plan.cnodes[slot.object]! : undefined;
  if (cnode === undefined) return { good: [[0n, 64n]], odd: [] };
  const isEmpty = (index: number) => kernel.tables.slot.at(cnode.firstRow + index).kind === NULL;
  const at = (position: number) => addressOf(kernel, root, cnode.indices[position]!);
  const full = cnode.indices.flatMap((_, position) => (isEmpty(position) ? [] : [at(position)]));
  const spare = spares(kernel, cnode).map(at);
  const depth = [addressOf(kernel, root, 0)[0]!, 0n];
  if (wants === "emptySlot") return { good: spare, odd: [...full.slice(0, 1), depth] };
  return { good: full, odd: [...spare, depth, [1n << 63n, 64n]] };
};
/** Empty spare slots: the first alone, unless the reduction that says so is off. */
const spares = (kernel: Kernel, cnode: PlanCnode): readonly number[] => {
  const empty = cnode.spare.filter((position) => kernel.tables.slot.at(cnode.firstRow + position).kind === NULL);
  return isReduced(kernel.plan, "slots") ? empty.slice(0, 1) : empty;
};

/** Retype's words are tied together: the size a type needs, a window in the root itself, one object at a time. */
const retypeWords = (kernel: Kernel, root: number): Choices => {
  const slot = kernel.tables.slot.at(root);
  const cnode = slot.kind === CNODE ? kernel.plan.cnodes[slot.object]! : undefined;
  const free = cnode === undefined ? [] : spares(kernel, cnode).map((position) => BigInt(cnode.indices[position]!));
  const index = free[0] ?? 1n;
  const sized = [
    [objectTypes.smallPage.number, 0n],
    [objectTypes.pageTable.number, 0n],
    [objectTypes.cnode.number, BigInt(PAGE_CNODE_RADIX)],
  ] as const;
  const words = (type: bigint, size: bigint, depth = 0n, offset = index, count = 1n) => [type, size, 0n, depth, offset, count];
  const odd = [words(99n, 0n), words(4n, 64n), words(4n, 0n), words(0n, 3n), words(7n, 0n, 0n, 1n << 40n), words(7n, 0n, 0n, index, 0n), words(7n, 0n, 0n, 127n, 200n), words(1n, 0n), words(7n, 0n, 65n)];
  return { good: free.flatMap((place) => sized.map(([type, size]) => words(type, size, 0n, place))), odd: free.length === 0 ? [...odd, words(7n, 0n)] : odd };
};

const kindOf: Record<CapClass, number> = { cnode: CNODE, cb: CB, vspace: VSPACE, untyped: UNTYPED, frame: FRAME, thread: THREAD, notification: NOTIFICATION };

/** Slots of a subject's root CNode to pass as an extra capability: all of the right kind, one wrong, one empty. */
const capChoices = (kernel: Kernel, cnode: PlanCnode, of: CapClass): { good: number[]; odd: number[] } => {
  const good: number[] = [];
  let wrong = -1;
  let empty = -1;
  for (let position = 0; position < cnode.indices.length; position++) {
    const row = cnode.firstRow + position;
    const { kind } = kernel.tables.slot.at(row);
    if (kind === kindOf[of]) good.push(row);
    else if (kind === NULL) empty = empty < 0 ? row : empty;
    else if (wrong < 0) wrong = row;
  }
  return { good, odd: [wrong, empty].filter((row) => row >= 0) };
};

const wordChoices = (kernel: Kernel, argument: WordArgument, target: number, caps: readonly number[]): Choices => {
  if (!("root" in argument)) return choicesOf(kernel.plan)[argument.of];
  const root = argument.root === "target" ? target : caps[argument.root]!;
  return argument.of === "window" ? retypeWords(kernel, root) : slotChoices(kernel, root, argument.of);
};

/** All good tuples, then each odd choice beside the first good ones. */
const combine = (choices: readonly Choices[]): (readonly bigint[])[] => {
  let tuples: (readonly bigint[])[] = [[]];
  for (const { good } of choices) tuples = tuples.flatMap((words) => good.map((choice) => [...words, ...choice]));
  const odd = choices.flatMap((at) =>
    at.odd.map((choice) => choices.flatMap((other) => (other === at ? choice : (other.good[0] ?? other.odd[0] ?? [])))),
  );
  return [...tuples, ...odd];
};

/** What of the state a slot-address argument's choices depend on, as one number; undefined where that is too much. */
const rootKey = (kernel: Kernel, root: number): number | undefined => {
  const slot = kernel.tables.slot.at(root);
  if (slot.kind !== CNODE) return 0;
  const { firstRow, indices } = kernel.plan.cnodes[slot.object]!;
  if (indices.length > KEY_SLOTS) return undefined;
  let full = 0;
  for (let position = 0; position < indices.length; position++) if (kernel.tables.slot.at(firstRow + position).kind !== NULL) full |= 1 << position;
  return 1 + full + (slot.object * kernel.plan.guards.length + slot.guard) * 2 ** KEY_SLOTS;
};
const KEY_SLOTS = 14;
const KEY_SPAN = 2 ** 26;

/** Word tuples already combined, by definition and by what they depend on: most states ask for the same ones. */
const tuplesKnown = new WeakMap<Plan, Map<Invocation, Map<number, (readonly bigint[])[]>>>();
const knownFor = (plan: Plan, definition: Invocation): Map<number, (readonly bigint[])[]> => {
  let byDefinition = tuplesKnown.get(plan);
  if (byDefinition === undefined) tuplesKnown.set(plan, (byDefinition = new Map()));
  let known = byDefinition.get(definition);
  if (known === undefined) byDefinition.set(definition, (known = new Map()));
  return known;
};

const tuplesFor = (kernel: Kernel, definition: Invocation, target: number, caps: readonly number[]): (readonly bigint[])[] => {
  // Retype's six words are chosen as one.
  const window = definition.words.find((argument) => argument.of === "window");
  const make = () => combine(window === undefined ? definition.words.map((argument) => wordChoices(kernel, argument, target, caps)) : [wordChoices(kernel, window, target, caps)]);
  const targetKey = rootKey(kernel, target);
  const capKey = caps.length === 0 ? 0 : rootKey(kernel, caps[0]!);
  if (targetKey === undefined || capKey === undefined || targetKey >= KEY_SPAN || capKey >= KEY_SPAN) return make();
  const known = knownFor(kernel.plan, definition);
  const key = targetKey * KEY_SPAN + capKey;
  let tuples = known.get(key);
  if (tuples === undefined) known.set(key, (tuples = make()));
  return tuples;
};

/** Calls `visit` with every instance of one definition on one slot, for a subject whose root CNode is `cnode`. */
const forRequests = (kernel: Kernel, definition: Invocation, target: number, cnode: PlanCnode, visit: (request: Request) => void): void => {
  const [first] = definition.caps;
  if (first === undefined) {
    for (const words of tuplesFor(kernel, definition, target, [])) visit({ target, caps: [], words });
    return;
  }
  const { good, odd } = capChoices(kernel, cnode, first.of);
  for (const row of good) {
    const caps = [row];
    for (const words of tuplesFor(kernel, definition, target, caps)) visit({ target, caps, words });
  }
  for (const row of odd) visit({ target, caps: [row], words: tuplesFor(kernel, definition, target, [row])[0] ?? [] });
  // Too short a message: no extra capability.
  visit({ target, caps: [], words: [] });
};

/**
 * Every instance for every untrusted subject (or those named), in declared order: subject, slot, definition,
 * capabilities, words. `tried`: the definitions to try on a kind of capability.
 */
export const forEachInstance = (
  kernel: Kernel,
  subjects: readonly number[],
  visit: (subject: number, definition: Invocation, request: Request) => void,
  tried: (kind: number) => readonly Invocation[] = exploredOn,
): void => {
  for (const subject of subjects) {
    const cnode = kernel.plan.cnodes[kernel.plan.subjects[subject]!.cnode]!;
    for (let position = 0; position < cnode.indices.length; position++) {
      const target = cnode.firstRow + position;
      for (const definition of tried(kernel.tables.slot.at(target).kind))
        forRequests(kernel, definition, target, cnode, (request) => visit(subject, definition, request));
    }
  }
};
