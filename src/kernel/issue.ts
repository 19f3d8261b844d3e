/**
 * Issuing: SIDControl and CBControl each hand out the one capability of a numbered hardware resource. Upstream writes the
 * same checks twice (seL4 src/arch/arm/object/smmu.c `decodeARMSIDControlInvocation`, `decodeARMCBControlInvocation`);
 * here both invocations come from one maker.
 */
import { insertNew, slotNamed } from "./cspace.ts";
import { type Invocation, invocation, refusal, type Request, type WordClass } from "./invocation.ts";
import { type Kernel, keeps } from "./kernel.ts";
import { emptyDestination, lookupRefusals, type SlotAddress } from "./lookup.ts";

/** The word that names a resource: the SMMU's index above the 32-bit number, which is seL4's word where there is one SMMU. */
export const resourceWord = (smmu: number, number: number): bigint => (BigInt(smmu) << 32n) | BigInt(number);

export interface Issued {
  readonly label: string;
  /** Kind of the control capability, and of the capability that it issues. */
  readonly control: number;
  readonly kind: number;
  /** `stream`, `context bank`: for sentences. */
  readonly noun: string;
  readonly word: { readonly name: string; readonly of: WordClass };
  /** How many numbers an SMMU has. */
  readonly limit: (kernel: Kernel, smmu: number) => bigint;
  /** Index of the resource, or NONE when the layout has none of that number. */
  readonly resource: (kernel: Kernel, smmu: number, number: number) => number;
  readonly issued: (kernel: Kernel, resource: number) => { issued: number };
  /** What else that was issued the resource cannot stand beside. */
  readonly conflict?: { readonly when: string; readonly holds: (kernel: Kernel, resource: number) => boolean };
}

const slotAddress: SlotAddress = ({ caps, words }) => [caps[0]!, words[1]!, words[2]!];

/** Refusals in seL4's order: range, already issued, slot lookup, slot not empty; then ours. */
export const issue = (what: Issued): Invocation => {
  const { conflict } = what;
  const named = (kernel: Kernel, { words }: Request) => what.resource(kernel, Number(words[0]! >> 32n), Number(words[0]! & 0xffffffffn));
  return invocation({
    label: what.label,
    object: what.control,
    says: `Issue the capability of a ${what.noun} that has none.`,
    caps: [{ name: "root", of: "cnode" }],
    words: [what.word, { name: "index", of: "emptySlot", root: 0 }],
    refusals: [
      refusal("seL4_RangeError", `there is no ${what.noun} of that number`, (kernel, { words }) => {
        const smmu = Number(words[0]! >> 32n);
        const known = smmu < kernel.plan.smmus.length;
        const limit = what.limit(kernel, known ? smmu : 0);
        return !known || (words[0]! & 0xffffffffn) >= limit ? [0n, limit - 1n] : undefined;
      }),
      refusal("seL4_RevokeFirst", `the ${what.noun}'s capability has been issued`, (kernel, request) => {
        const resource = named(kernel, request);
        return resource >= 0 && what.issued(kernel, resource).issued === 1 && keeps(kernel, "issue-refuses-twice") ? [] : undefined;
      }),
      ...lookupRefusals("destination", slotAddress),
      emptyDestination(slotAddress),
      refusal("seL4_InvalidArgument", `the ${what.noun} is outside the layout`, (kernel, request) => (named(kernel, request) < 0 ? [0n] : undefined)),
      ...(conflict === undefined ? [] : [refusal("seL4_RevokeFirst", conflict.when, (kernel, request) => (conflict.holds(kernel, named(kernel, request)) ? [] : undefined))]),
    ],
    effect: (kernel, request) => {
      const resource = named(kernel, request);
      if (keeps(kernel, "issue-marks-issued")) what.issued(kernel, resource).issued = 1;
      insertNew(kernel, request.target, slotNamed(kernel, ...slotAddress(request)), what.kind, resource);
    },
  });
};
