/** Which writes registers take: the "Accessing" parts of IHI 0070 section 6.3, as of SMMUv3.2. */
import { describe, expect, it } from "vitest";
import { offsets, page1Offsets } from "../../specs/smmuv3/registers.ts";
import { build, value, write } from "./steps.ts";

describe("registers", () => {
  const after = (offset: number, cr0: number, wrote = 0x40, irq = 0): number => {
    const { device } = build({}, cr0);
    write(device, offsets.IRQ_CTRL, irq);
    const before = value(device, offset % 0x1_0000);
    write(device, offset, before ^ wrote);
    return (value(device, offset % 0x1_0000) ^ before) >>> 0;
  };
  const locks: readonly (readonly [name: string, offset: number, bit: number, wrote: number])[] = [
    ["STRTAB_BASE", offsets.STRTAB_BASE, 0, 0x40], ["STRTAB_BASE, high", offsets.STRTAB_BASE + 4, 0, 1], ["STRTAB_BASE_CFG", offsets.STRTAB_BASE_CFG, 0, 1], ["CR2", offsets.CR2, 0, 1], ["CR1.TABLE_SH", offsets.CR1, 0, 0x400],
    ["CMDQ_BASE", offsets.CMDQ_BASE, 3, 0x40], ["CMDQ_BASE, high", offsets.CMDQ_BASE + 4, 3, 1], ["CMDQ_CONS", offsets.CMDQ_CONS, 3, 1], ["CR1.QUEUE_SH", offsets.CR1, 3, 0x10],
    ["EVENTQ_BASE", offsets.EVENTQ_BASE, 2, 0x40], ["EVENTQ_BASE, high", offsets.EVENTQ_BASE + 4, 2, 1], ["EVENTQ_PROD", page1Offsets.EVENTQ_PROD, 2, 1], ["CR1.QUEUE_SH", offsets.CR1, 2, 0x10],
    ["PRIQ_BASE", offsets.PRIQ_BASE, 1, 0x40], ["PRIQ_BASE, high", offsets.PRIQ_BASE + 4, 1, 1], ["PRIQ_PROD", page1Offsets.PRIQ_PROD, 1, 1], ["CR1.QUEUE_SH", offsets.CR1, 1, 0x10],
  ];
  it.each(locks)("%s at 0x%i takes no write while bit %i of CR0 is set, and one otherwise", (_, offset, bit, wrote) => {
    expect(after(offset, 1 << bit, wrote)).toBe(0);
    expect(after(offset, 0, wrote)).toBe(wrote);
  });
  it("interrupt configurations take none while IRQ_CTRL enables them", () => {
    const registers = [["GERROR", 1], ["PRIQ", 2], ["EVENTQ", 4]] as const;
    for (const [name, irq] of registers)
      for (const part of [0, 1, 2] as const) {
        const offset = offsets[`${name}_IRQ_CFG${part}`];
        expect(after(offset, 0, 4, irq), `${name} ${part}`).toBe(0);
        expect(after(offset, 0, 4, 7 & ~irq), `${name} ${part}`).toBe(4);
      }
  });
  it("what software moves while all is enabled", () => {
    for (const offset of [offsets.CMDQ_PROD, page1Offsets.EVENTQ_CONS, page1Offsets.PRIQ_CONS, offsets.GERRORN]) expect(after(offset, 7, 8)).toBe(8);
  });
  it("what is read-only", () => {
    for (const offset of [offsets.IDR0, offsets.IDR1, offsets.IDR2, offsets.IDR3, offsets.IDR4, offsets.IDR5, offsets.IIDR, offsets.AIDR, offsets.CR0ACK, offsets.IRQ_CTRLACK, offsets.GERROR, offsets.STATUSR]) expect(after(offset, 0)).toBe(0);
  });
  it("CR0ACK and IRQ_CTRLACK follow, without reserved bits", () => {
    const { device } = build({ VMW: 0n }, 0);
    write(device, offsets.CR0, 0xffff_ffff);
    expect(value(device, offsets.CR0ACK)).toBe(0x41f);
    write(device, offsets.IRQ_CTRL, 0xffff_ffff);
    expect(value(device, offsets.IRQ_CTRLACK)).toBe(7);
  });
  it("page 1 has the indices of events and page requests, and nothing else", () => {
    expect(after(0x1_0000 + offsets.STRTAB_BASE_CFG, 0, 1)).toBe(0);
    expect(after(0x1_0000 + offsets.CMDQ_PROD, 0, 1)).toBe(0);
    expect(after(page1Offsets.EVENTQ_CONS, 0, 1)).toBe(1);
  });
});
