/**
 * Interrupt numbers: how many there are, and which are the kernel's own (seL4 src/arch/arm/kernel/boot.c `init_irqs`;
 * include/arch/arm/arch/object/interrupt.h `Arch_checkIRQ`).
 */
import { type Refusal, refusal } from "./invocation.ts";

/**
 * maxIRQ of QEMU's virt board, where 0-31 belong to the core. seL4 takes it from a board's device tree
 * (tools/hardware/outputs/c_header.py), which a first state has none of.
 */
export const MAX_IRQ = 159n;
export const VIRTUAL_TIMER_IRQ = 27n;
/** With hypervisor support: the virtual interrupt controller's maintenance, the kernel's timer, the virtual timer. */
export const KERNEL_IRQS: readonly bigint[] = [25n, 26n, VIRTUAL_TIMER_IRQ];

/** The interrupt is the message's first word. */
export const checkIrq: Refusal = refusal("seL4_RangeError", "there is no such interrupt", (_, { words }) => (words[0]! > MAX_IRQ ? [0n, MAX_IRQ] : undefined));
