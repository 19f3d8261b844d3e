/**
 * Interrupts: IRQControl hands out the one handler of each, and a handler names the notification that is signalled (seL4
 * src/object/interrupt.c, src/arch/arm/object/interrupt.c). The SMMU's event interrupt comes to user level in this way.
 */
import { NONE } from "../base/state.ts";
import { IRQ_CONTROL, IRQ_HANDLER, NOTIFICATION } from "./capability.ts";
import { insertNew, slotNamed } from "./cspace.ts";
import { deleteSlot } from "./deletion.ts";
import { insertDerived } from "./derive.ts";
import { CAN_SEND } from "./endpoint.ts";
import { type Invocation, invocation, refusal, type Request, truncated, type WordArgument } from "./invocation.ts";
import type { Delivery } from "./ipc.ts";
import type { Kernel } from "./kernel.ts";
import { checkIrq, KERNEL_IRQS } from "./irqNumber.ts";
import { emptyDestination, lookupRefusals, type SlotAddress } from "./lookup.ts";
import { sendSignal } from "./notification.ts";

const irqNamed = (kernel: Kernel, { words }: Request): number => kernel.plan.irqOf(Number(words[0]));

export const NO_INTERRUPTS = "no interrupt is part of a scaled state";

/** Both invocations that issue a handler; `at` is the word where the slot's index stands. */
const issueHandler = (label: string, says: string, at: number, between: readonly WordArgument[]): Invocation => {
  const destination: SlotAddress = ({ caps, words }) => [caps[0]!, words[at]!, words[at + 1]!];
  return invocation({
    label,
    object: IRQ_CONTROL,
    says,
    unexplored: NO_INTERRUPTS,
    caps: [{ name: "root", of: "cnode" }],
    words: [{ name: "irq", of: "irq" }, ...between, { name: "index", of: "emptySlot", root: 0 }],
    refusals: [
      truncated(at + 2, 1),
      checkIrq,
      refusal("seL4_RevokeFirst", "the interrupt's handler is issued, or the kernel's own", (kernel, request) => {
        if (KERNEL_IRQS.includes(request.words[0]!)) return [];
        const irq = irqNamed(kernel, request);
        return irq !== NONE && kernel.tables.irq.at(irq).issued === 1 ? [] : undefined;
      }),
      ...lookupRefusals("destination", destination),
      emptyDestination(destination),
      refusal("seL4_InvalidArgument", "the interrupt is outside the scope of this state", (kernel, request) => (irqNamed(kernel, request) === NONE ? [0n] : undefined)),
    ],
    effect: (kernel, request) => {
      const irq = irqNamed(kernel, request);
      kernel.tables.irq.at(irq).issued = 1;
      insertNew(kernel, request.target, slotNamed(kernel, ...destination(request)), IRQ_HANDLER, irq);
    },
  });
};

export const IssueHandler = issueHandler("IRQIssueIRQHandler", "Issue the handler of an interrupt that has none.", 1, []);
/** Level or edge is the interrupt controller's business, and nothing here can tell. */
export const IssueHandlerTrigger = issueHandler("ARMIRQIssueIRQHandlerTrigger", "The same, and say whether the interrupt is level or edge triggered.", 2, [{ name: "trigger", of: "word" }]);

const slotOf = (kernel: Kernel, { target }: Request): number => kernel.plan.irqSlot(kernel.tables.slot.at(target).object);

/** Masked or not is the interrupt controller's state: an interrupt is raised here by who calls `raise`. */
export const Acknowledge = invocation({
  label: "IRQAckIRQ",
  object: IRQ_HANDLER,
  says: "Let the interrupt come again.",
  unexplored: NO_INTERRUPTS,
  caps: [],
  words: [],
  refusals: [],
  effect: () => {},
});

export const SetHandler = invocation({
  label: "IRQSetIRQHandler",
  object: IRQ_HANDLER,
  says: "Say which notification the interrupt signals.",
  unexplored: NO_INTERRUPTS,
  caps: [{ name: "notification", of: "notification" }],
  words: [],
  refusals: [
    truncated(0, 1),
    // The number is the invoked capability's, as seL4 has it, and not the notification's.
    refusal("seL4_InvalidCapability", "the capability is no notification, or may not send", (kernel, { caps }) => {
      const { kind, rights } = kernel.tables.slot.at(caps[0]!);
      return kind === NOTIFICATION && (rights & CAN_SEND) !== 0 ? undefined : [0n];
    }),
  ],
  effect: (kernel, request) => {
    const slot = slotOf(kernel, request);
    deleteSlot(kernel, slot);
    insertDerived(kernel, request.caps[0]!, slot);
  },
});

export const ClearHandler = invocation({
  label: "IRQClearIRQHandler",
  object: IRQ_HANDLER,
  says: "Let the interrupt signal nothing.",
  unexplored: NO_INTERRUPTS,
  caps: [],
  words: [],
  refusals: [],
  effect: (kernel, request) => deleteSlot(kernel, slotOf(kernel, request)),
});

export const interrupts: readonly Invocation[] = [IssueHandler, IssueHandlerTrigger, Acknowledge, SetHandler, ClearHandler];

/** `handleInterrupt`: the hardware raises an interrupt. What reaches a thread at once; nothing where nobody handles it. */
export const raise = (kernel: Kernel, number: number): Delivery | undefined => {
  const irq = kernel.plan.irqOf(number);
  if (irq === NONE || kernel.tables.irq.at(irq).issued === 0) return undefined;
  const { kind, object, badge, rights } = kernel.tables.slot.at(kernel.plan.irqSlot(irq));
  return kind === NOTIFICATION && (rights & CAN_SEND) !== 0 ? sendSignal(kernel, object, kernel.plan.badges[badge]!) : undefined;
};
