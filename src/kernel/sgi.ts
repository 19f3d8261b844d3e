/**
 * Software-generated interrupts: IRQControl hands out capabilities to raise one on one core, as often as it is asked
 * (seL4 src/arch/arm/object/interrupt.c `Arch_decodeIRQControlInvocation`, `decodeSGISignalInvocation`).
 */
import { IRQ_CONTROL, SGI_SIGNAL } from "./capability.ts";
import { insertNew, slotNamed } from "./cspace.ts";
import { NO_INTERRUPTS, raise } from "./interrupt.ts";
import { invocation, refusal, truncated } from "./invocation.ts";
import type { Delivery } from "./ipc.ts";
import type { Kernel } from "./kernel.ts";
import { emptyDestination, lookupRefusals, type SlotAddress } from "./lookup.ts";

/** NUM_SGIS and GIC_SGI_NUM_TARGETS of a GICv2, which QEMU's virt board has. */
const INTERRUPTS = 16n;
const TARGETS = 8n;

const destination: SlotAddress = ({ caps, words }) => [caps[0]!, words[2]!, words[3]!];

export const IssueSGISignal = invocation({
  label: "ARMIRQIssueSGISignal",
  object: IRQ_CONTROL,
  says: "Make a capability that raises a software-generated interrupt on a core.",
  unexplored: NO_INTERRUPTS,
  caps: [{ name: "root", of: "cnode" }],
  words: [
    { name: "irq", of: "irq" },
    { name: "target", of: "word" },
    { name: "index", of: "emptySlot", root: 0 },
  ],
  refusals: [
    truncated(4, 1),
    refusal("seL4_RangeError", "there is no such software-generated interrupt", (_, { words }) => (words[0]! >= INTERRUPTS ? [0n, INTERRUPTS - 1n] : undefined)),
    refusal("seL4_InvalidArgument", "there is no such core", (_, { words }) => (words[1]! >= TARGETS ? [1n] : undefined)),
    ...lookupRefusals("destination", destination),
    emptyDestination(destination),
    refusal("seL4_InvalidArgument", "the interrupt is outside the scope of this state", (kernel) => (kernel.plan.open ? undefined : [0n])),
  ],
  // Nothing is made but the capability, so interrupt and core are its whole object.
  effect: (kernel, request) => insertNew(kernel, request.target, slotNamed(kernel, ...destination(request)), SGI_SIGNAL, Number(request.words[1]! * INTERRUPTS + request.words[0]!)),
});

/** Raises it. seL4 looks at no label here. There is one core, number 0: elsewhere nobody is interrupted. */
export const generate = (kernel: Kernel, object: number): Delivery | undefined => {
  const interrupts = Number(INTERRUPTS);
  return object < interrupts ? raise(kernel, object % interrupts) : undefined;
};
