/**
 * A second transcription of the records, as masks. Registers and commands after Linux 6.12 (arm-gic-v3.h, the encoders of
 * irq-gic-v3-its.c and the decoders of KVM's vgic-its.c); QEMU's entries after words that QEMU wrote.
 */
import { describe, expect, it } from "vitest";
import * as its from "../../specs/gic/its.ts";
import type { Fields, Layout } from "../../src/base/layout.ts";

type Masks = Readonly<Record<string, readonly [word: number, mask: bigint]>>;
const genmask = (high: number, low: number): bigint => ((1n << BigInt(high + 1)) - 1n) & ~((1n << BigInt(low)) - 1n);
const op = [0, 0xffn] as const;
const device = [0, genmask(63, 32)] as const;
const event = [1, genmask(31, 0)] as const;
const collection = [2, 0xffffn] as const;
const target = [2, genmask(51, 16)] as const;
const valid = [2, 1n << 63n] as const;

const written: readonly (readonly [Pick<Layout<Fields>, "name" | "fields">, Masks])[] = [
  [its.GitsCtlr, { Enabled: [0, 1n], ImDe: [0, 2n], ITS_Number: [0, 0xf0n], Quiescent: [0, 1n << 31n] }],
  [
    its.GitsTyper,
    {
      Physical: [0, 1n << 0n],
      Virtual: [0, 1n << 1n],
      ITT_entry_size: [0, genmask(7, 4)],
      ID_bits: [0, 0x1fn << 8n],
      Devbits: [0, genmask(17, 13)],
      SEIS: [0, 1n << 18n],
      PTA: [0, 1n << 19n],
      HCC: [0, 0xffn << 24n],
      CIDbits: [0, 0xfn << 32n],
      CIL: [0, 1n << 36n],
      VMOVP: [0, 1n << 37n],
      VMAPP: [0, 1n << 40n],
      SVPET: [0, genmask(42, 41)],
    },
  ],
  [its.GitsCbaser, { Size: [0, 0xffn], Shareability: [0, 3n << 10n], Physical_Address: [0, genmask(51, 12)], OuterCache: [0, 7n << 53n], InnerCache: [0, 7n << 59n], Valid: [0, 1n << 63n] }],
  [its.GitsCwriter, { Retry: [0, 1n], Offset: [0, 0x7fffn << 5n] }],
  [its.GitsCreadr, { Stalled: [0, 1n], Offset: [0, 0x7fffn << 5n] }],
  [
    its.GitsBaser,
    {
      Size: [0, 0xffn],
      Page_Size: [0, 3n << 8n],
      Shareability: [0, 3n << 10n],
      Physical_Address: [0, genmask(47, 12)],
      Entry_Size: [0, genmask(52, 48)],
      OuterCache: [0, 7n << 53n],
      Type: [0, 7n << 56n],
      InnerCache: [0, 7n << 59n],
      Indirect: [0, 1n << 62n],
      Valid: [0, 1n << 63n],
    },
  ],
  [its.Level1Entry, { Physical_Address: [0, genmask(51, 12)], Valid: [0, 1n << 63n] }],
  [its.Command, { Op: op }],
  [its.CommandMapd, { Op: op, DeviceID: device, Size: [1, 0x1fn], ITT_addr: [2, genmask(51, 8)], V: valid }],
  [its.CommandMapc, { Op: op, ICID: collection, RDbase: target, V: valid }],
  [its.CommandMapti, { Op: op, DeviceID: device, EventID: event, pINTID: [1, genmask(63, 32)], ICID: collection }],
  [its.CommandMapi, { Op: op, DeviceID: device, EventID: event, ICID: collection }],
  [its.CommandEvent, { Op: op, DeviceID: device, EventID: event }],
  [its.CommandInvall, { Op: op, ICID: collection }],
  [its.CommandSync, { Op: op, RDbase: target }],
  [its.CommandMovall, { Op: op, RDbase1: target, RDbase2: [3, genmask(51, 16)] }],
  [its.QemuDte, { Valid: [0, 1n], Size: [0, 0x3en], ITTAddr: [0, 0x3_ffff_ffff_ffc0n] }],
  [its.QemuCte, { Valid: [0, 1n], RDBase: [0, 0x1_fffen] }],
  [its.QemuIte, { Valid: [0, 1n], IntType: [0, 2n], IntID: [0, 0x3ff_fffcn], ICID: [0, 0xffff_0000_0000n], VPEID: [0, 0xffff_0000_0000_0000n], Doorbell: [1, 0xff_ffffn] }],
];
const isLayout = (value: unknown): value is Layout<Fields> => typeof value === "object" && value !== null && "masks" in value && "encode" in value;

describe("records of the ITS, against a second transcription", () => {
  it("leaves none out", () => {
    expect(written.map(([record]) => record.name).toSorted()).toEqual(Object.values(its as Readonly<Record<string, unknown>>).filter(isLayout).map(({ name }) => name).toSorted());
  });
  it.each(written.map(([record, masks]) => [record.name, record, masks] as const))("%s has exactly these fields and bits", (_, record, masks) => {
    const declared = Object.entries(record.fields).map(([field, { word = 0, at: [hi, lo] }]) => [field, [word, genmask(hi, lo)]]);
    expect(Object.fromEntries(declared)).toEqual(masks);
  });
  it("opcodes; those of GICv4 are the physical ones with bit 5 set, but for VMOVP, VSGI and INVDB", () => {
    const codes = Object.fromEntries(Object.entries(its.opcodes).map(([name, { code }]) => [name, code]));
    const physical = { MAPD: 0x08, MAPC: 0x09, MAPTI: 0x0a, MAPI: 0x0b, MOVI: 0x01, DISCARD: 0x0f, INV: 0x0c, MOVALL: 0x0e, INVALL: 0x0d, INT: 0x03, CLEAR: 0x04, SYNC: 0x05 };
    const virtual = { VINVALL: 0x0d, VMAPP: 0x09, VMAPTI: 0x0a, VMAPI: 0x0b, VMOVI: 0x01, VSYNC: 0x05, VMOVP: 2, VSGI: 3, INVDB: 0xe };
    expect(codes).toEqual({ ...physical, ...Object.fromEntries(Object.entries(virtual).map(([name, code]) => [name, code | 0x20])) });
    expect(Object.entries(its.opcodes).filter(([, entry]) => "virtual" in entry).map(([name]) => name).toSorted()).toEqual(Object.keys(virtual).toSorted());
  });
  it("register offsets", () => {
    expect(its.offsets).toEqual({ GITS_CTLR: 0, GITS_IIDR: 4, GITS_TYPER: 8, GITS_CBASER: 0x80, GITS_CWRITER: 0x88, GITS_CREADR: 0x90, GITS_BASER: 0x100, GITS_TRANSLATER: 0x10040 });
  });
});

describe("words of a Linux 6.12 guest on QEMU 10", () => {
  it("registers", () => {
    expect(its.GitsTyper.decode([0x1f_0001_efb1n])).toEqual({ Physical: 1n, Virtual: 0n, ITT_entry_size: 11n, ID_bits: 15n, Devbits: 15n, SEIS: 0n, PTA: 0n, HCC: 0n, CIDbits: 15n, CIL: 1n, VMOVP: 0n, VMAPP: 0n, SVPET: 0n });
    expect(its.GitsBaser.decode([0xf907_0000_429b_0600n])).toEqual({ Size: 0n, Page_Size: "64K", Shareability: 1n, Physical_Address: 0x429b_0000n, Entry_Size: 7n, OuterCache: 0n, Type: "device", InnerCache: 7n, Indirect: 1n, Valid: 1n });
    expect(its.GitsBaser.decode([0xbc07_0000_429c_0600n])).toMatchObject({ Type: "collection", Indirect: 0n, Valid: 1n, Physical_Address: 0x429c_0000n });
    expect(its.GitsCbaser.decode([0xb800_0000_429a_040fn])).toMatchObject({ Size: 15n, Physical_Address: 0x429a_0000n, Valid: 1n });
    expect(its.GitsCreadr.get([0x2e0n], "Offset")).toBe(23n);
  });
  it("table entries and commands", () => {
    expect(its.Level1Entry.decode([0x8000_0000_480a_0000n])).toEqual({ Physical_Address: 0x480a_0000n, Valid: 1n });
    expect(its.QemuDte.decode([0x1202_160dn])).toEqual({ Valid: 1n, Size: 6n, ITTAddr: 0x48_0858n });
    expect(its.CommandMapd.decode([0x10_0000_0008n, 6n, 0x8000_0000_4808_5800n, 0n])).toEqual({ Op: 8n, DeviceID: 0x10n, Size: 6n, ITT_addr: 0x4808_5800n, V: 1n });
    expect(its.CommandMapti.decode([0x10_0000_000an, 0x2001_0000_0001n, 0n, 0n])).toEqual({ Op: 10n, DeviceID: 0x10n, EventID: 1n, pINTID: 8193n, ICID: 0n });
  });
  it("have no bit that no field names", () => {
    expect(its.GitsTyper.reserved([0x1f_0001_efb1n])).toEqual([]);
    expect([0xf907_0000_429b_0600n, 0xbc07_0000_429c_0600n].flatMap((value) => its.GitsBaser.reserved([value]))).toEqual([]);
    expect(its.QemuDte.reserved([0x1202_160dn])).toEqual([]);
  });
});
