/**
 * What the SMMUv3 port of the seL4 Summit 2023 talk adds to SIDControl, by label: the talk shows no more than the names
 * (under decodeARMSIDControlInvocation), so arguments and answers are ours. A profile that lacks one refuses its label.
 *
 * The kernel has no port by which it could read the machine. What it would read is answered as an SMMU without errors and
 * without events has it; what it would write is computed (smmuReset.ts).
 */
import { SID_CONTROL } from "./capability.ts";
import { type Invocation, invocation, refusal, type Refusal, type Request } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";

const several = ({ plan }: Kernel): boolean => plan.smmus.length > 1;

/** The first word is the SMMU's number; where there is one SMMU, no word is read. */
const smmuOf = (kernel: Kernel, { words }: Request): number => (several(kernel) ? Number(words[0]!) : 0);
const smmuNamed: readonly Refusal[] = [
  refusal("seL4_TruncatedMessage", "there are several SMMUs, and no word says which", (kernel, { words }) => (several(kernel) && words.length < 1 ? [] : undefined)),
  refusal("seL4_RangeError", "there is no SMMU of that number", (kernel, { words }) => {
    const last = BigInt(kernel.plan.smmus.length - 1);
    return several(kernel) && words[0]! > last ? [0n, last] : undefined;
  }),
];

const ofSmmu = (definition: Pick<Invocation, "label" | "says" | "unexplored" | "inProfile" | "effect">): Invocation =>
  invocation({ ...definition, object: SID_CONTROL, caps: [], words: [{ name: "smmu", of: "word" }], refusals: smmuNamed });

/** Bits of GERROR that differ from GERRORN's, and CMDQ_CONS.ERR: none here. */
export const GetGlobalerror = ofSmmu({
  label: "ARMSIDGetGlobalerror",
  says: "Read which global errors are active, and why the command queue stopped.",
  unexplored: "it changes nothing",
  inProfile: ({ errorReports }) => errorReports,
  effect: () => [0n, 0n],
});

/** The four words of the oldest record; no record has type 0, so zeros say that there is none. */
export const GetEventq = ofSmmu({
  label: "ARMSIDGetEventq",
  says: "Take the oldest record from the event queue.",
  unexplored: "it changes nothing that a device can tell",
  inProfile: ({ errorReports }) => errorReports,
  effect: () => [0n, 0n, 0n, 0n],
});

export const SkipCmdqError = ofSmmu({
  label: "ARMSIDSkipCmdqError",
  says: "Make the SMMU go on behind the command that it stopped at.",
  unexplored: "the kernel gives the SMMU no command that it stops at",
  inProfile: ({ errorRecovery }) => errorRecovery,
  effect: (kernel, request) => kernel.emit(kernel.driver.skipCommand(smmuOf(kernel, request))),
});

export const ClearGlobalerror = ofSmmu({
  label: "ARMSIDClearGlobalerror",
  says: "Acknowledge the global errors.",
  unexplored: "the kernel gives the SMMU no command that it stops at",
  inProfile: ({ errorRecovery }) => errorRecovery,
  effect: (kernel, request) => kernel.emit(kernel.driver.clearErrors(smmuOf(kernel, request))),
});

/** Bindings and assignments stay as they are: the kernel goes on as if streams were translated. */
export const DisableSMMU = ofSmmu({
  label: "ARMSIDDisableSMMU",
  says: "Turn an SMMU off: what the streams do is no more translated.",
  unexplored: "one invocation of it ends all isolation, so nothing is learnt from what follows",
  inProfile: ({ smmuReset }) => smmuReset,
  effect: (kernel, request) => kernel.emit(kernel.driver.disable(smmuOf(kernel, request))),
});

/** Every stream aborts then (assumed). One that was bound stays so for the kernel, and aborts until it is bound again. */
export const InitSMMU = ofSmmu({
  label: "ARMSIDInitSMMU",
  says: "Set an SMMU up as at boot, and turn it on.",
  unexplored: "it turns the SMMU off first, which ends all isolation",
  inProfile: ({ smmuReset }) => smmuReset,
  effect: (kernel, request) => kernel.emit(kernel.driver.initialise(smmuOf(kernel, request))),
});

export const smmuControl: readonly Invocation[] = [GetGlobalerror, GetEventq, SkipCmdqError, ClearGlobalerror, DisableSMMU, InitSMMU];
