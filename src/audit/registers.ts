/** The register file by names and fields (IHI 0070 section 6.2 "Register overview"). */
import * as spec from "../../specs/smmuv3/registers.ts";
import type { Fields, Layout } from "../base/layout.ts";
import { hex } from "../base/words.ts";
import type { RegisterFile } from "../smmuv3/registers.ts";
import type { Register, UnknownRegister } from "./decoding.ts";
import { fieldsOf, reservedIn } from "./fields.ts";

type Name = keyof typeof spec.offsets;
type AnyLayout = Layout<Fields>;
const of = (layout: unknown): AnyLayout => layout as AnyLayout;

/** Registers whose fields are known here; the others are told by their values. */
const layouts: Readonly<Partial<Record<Name, AnyLayout>>> = {
  IDR0: of(spec.Idr0),
  IDR1: of(spec.Idr1),
  IDR2: of(spec.Idr2),
  IDR3: of(spec.Idr3),
  IDR4: of(spec.Idr4),
  IDR5: of(spec.Idr5),
  IIDR: of(spec.Iidr),
  AIDR: of(spec.Aidr),
  CR0: of(spec.Cr0),
  CR0ACK: of(spec.Cr0),
  CR1: of(spec.Cr1),
  CR2: of(spec.Cr2),
  STATUSR: of(spec.Statusr),
  GBPA: of(spec.Gbpa),
  IRQ_CTRL: of(spec.IrqCtrl),
  IRQ_CTRLACK: of(spec.IrqCtrl),
  GERROR: of(spec.Gerror),
  GERRORN: of(spec.Gerror),
  GERROR_IRQ_CFG0: of(spec.IrqCfg0),
  GERROR_IRQ_CFG1: of(spec.IrqCfg1),
  GERROR_IRQ_CFG2: of(spec.IrqCfg2),
  STRTAB_BASE: of(spec.StrtabBase),
  STRTAB_BASE_CFG: of(spec.StrtabBaseCfg),
  CMDQ_BASE: of(spec.QueueBase),
  CMDQ_PROD: of(spec.CmdqProd),
  CMDQ_CONS: of(spec.CmdqCons),
  EVENTQ_BASE: of(spec.QueueBase),
  EVENTQ_PROD: of(spec.EventqProd),
  EVENTQ_CONS: of(spec.EventqCons),
  EVENTQ_IRQ_CFG0: of(spec.IrqCfg0),
  EVENTQ_IRQ_CFG1: of(spec.IrqCfg1),
  EVENTQ_IRQ_CFG2: of(spec.IrqCfg2),
  PRIQ_BASE: of(spec.QueueBase),
  PRIQ_PROD: of(spec.EventqProd),
  PRIQ_CONS: of(spec.EventqCons),
  PRIQ_IRQ_CFG0: of(spec.IrqCfg0),
  PRIQ_IRQ_CFG1: of(spec.IrqCfg1),
  PRIQ_IRQ_CFG2: of(spec.PriqIrqCfg2),
  IDR6: of(spec.Idr6),
};
/** The layout of a register by its name, for people who print one. */
export const registerLayout = (name: string): AnyLayout | undefined => (Object.hasOwn(layouts, name) ? layouts[name as Name] : undefined);

/** 64-bit registers: the high half is at the offset plus 4. */
const WIDE = new Set<string>(["GERROR_IRQ_CFG0", "STRTAB_BASE", "CMDQ_BASE", "EVENTQ_BASE", "EVENTQ_IRQ_CFG0", "PRIQ_BASE", "PRIQ_IRQ_CFG0", "GATOS_SID", "GATOS_ADDR", "GATOS_PAR", "DPT_BASE"]);

const places: readonly (readonly [name: string, offset: number])[] = [
  ...Object.entries(spec.offsets),
  ...Object.entries(spec.page1Offsets).map(([name, offset]) => [`${name} (page 1)`, offset] as const),
];

/** Registers that a decoding depends on. */
const NEEDED: readonly Name[] = ["IDR0", "IDR1", "IDR3", "IDR5", "CR0", "GBPA", "STRTAB_BASE", "STRTAB_BASE_CFG", "CMDQ_BASE", "CMDQ_PROD", "CMDQ_CONS", "EVENTQ_BASE", "EVENTQ_PROD", "EVENTQ_CONS"];
export const missingRegisters = (registers: RegisterFile): string[] => NEEDED.filter((name) => !registers.has(spec.offsets[name]));

/** With the queue indices of page 1, their architectural place, also where page 0 has its optional alias of them. */
export const withPage1 = (registers: RegisterFile): RegisterFile => {
  const moved = Object.entries(spec.page1Offsets).flatMap(([name, offset]) => {
    const value = registers.get(offset);
    return value === undefined ? [] : [[spec.offsets[name as Name], value] as const];
  });
  return moved.length === 0 ? registers : new Map([...registers, ...moved]);
};

const valueAt = (registers: RegisterFile, offset: number): bigint => BigInt((registers.get(offset) ?? 0) >>> 0);

/** Registers that the snapshot has, in the order of their offsets. */
export const readRegisters = (registers: RegisterFile): { readonly known: Register[]; readonly unknown: UnknownRegister[] } => {
  const named = new Set<number>();
  const known: (Register & { readonly at: number })[] = [];
  for (const [name, at] of places) {
    const wide = WIDE.has(name);
    if (!registers.has(at) && !(wide && registers.has(at + 4))) continue;
    named.add(at);
    if (wide) named.add(at + 4);
    const value = valueAt(registers, at) | (wide ? valueAt(registers, at + 4) << 32n : 0n);
    const layout = registerLayout(name.replace(" (page 1)", ""));
    known.push({ name, at, offset: hex(at), value: hex(value), bits: wide ? 64 : 32, fields: layout === undefined ? [] : fieldsOf(layout, [value]), reserved: layout === undefined ? [] : reservedIn(layout, [value]) });
  }
  const unknown = [...registers].filter(([offset]) => offset >= 0 && !named.has(offset)).toSorted(([a], [b]) => a - b);
  return {
    known: known.toSorted((a, b) => a.at - b.at).map(({ at: _at, ...register }) => register),
    unknown: unknown.map(([offset, value]) => ({ offset: hex(offset), value: hex(value >>> 0) })),
  };
};
