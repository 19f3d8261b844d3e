/**
 * SteIllegal() and CdIllegal() of IHI 0070 sections 5.2.2 and 5.4.2, written down again from the text as predicates over
 * field values and identification, for Non-secure streams of SMMUv3.1 and later; the start levels are those of DDI 0487
 * AArch64.S2InvalidSL(), S2InconsistentSL() and AArch32.S2InconsistentSL(). Nothing of it comes from `src`.
 */

/** Fields by name, as numbers; those of the registers and of the record alike. */
export type Fields = Readonly<Record<string, bigint>>;
export const f = (fields: Fields, name: string): bigint => fields[name] ?? 0n;
export const is = (fields: Fields, name: string): boolean => f(fields, name) === 1n;
const BITS = [32, 36, 40, 42, 44, 48, 52, 52];
export const within = (address: bigint, bits: number): boolean => address < 1n << BigInt(bits);
const oas = (id: Fields): number => BITS[Number(f(id, "OAS"))]!;
export const ias = (id: Fields): number => Math.max((f(id, "TTF") & 1n) === 1n ? 40 : 0, (f(id, "TTF") & 2n) === 2n ? oas(id) : 0);

export type Size = "4K" | "16K" | "64K" | undefined;
export const TG0: readonly Size[] = ["4K", "64K", "16K", undefined];
export const TG1: readonly Size[] = [undefined, "16K", "4K", "64K"];
const LOG2 = { "4K": 12, "16K": 14, "64K": 16 } as const;
export const granuleSupported = (id: Fields, size: Size): boolean => size !== undefined && is(id, `GRAN${size}`);
/** What an output address may reach: 40 bits of AArch32 tables; 48 of the smaller granules without DS. */
const tableReach = (id: Fields, encoding: bigint, size: Size, aa64: boolean, ds: boolean): number => {
  if (!aa64) return 40;
  const reach = Math.min(BITS[Number(encoding)]!, oas(id));
  return size === "64K" || ds ? reach : Math.min(reach, 48);
};
const endiannessWrong = (id: Fields, big: boolean): boolean => (f(id, "TTENDIAN") === 2n && big) || (f(id, "TTENDIAN") === 3n && !big);
const largestSize = (id: Fields, size: Size): number => (is(id, "STT") ? (size === "64K" ? 47 : 48) : 39);

const startLevel = (size: Size, sl0: number, sl2: boolean): number => (size === "4K" ? (sl2 ? -1 : [2, 1, 0, 3][sl0]!) : 3 - sl0);
/** AArch64.S2InvalidSL(). */
const startInvalid = (id: Fields, size: Size, sl0: number, sl2: boolean, ds: boolean): boolean => {
  if (size === "4K") {
    if (sl2) return sl0 !== 0 || oas(id) < 52;
    return sl0 === 2 ? oas(id) < 44 : sl0 === 3 && !is(id, "STT");
  }
  if (size === "16K") return sl0 === 3 ? !ds || oas(id) < 52 : sl0 === 2 && oas(id) < 42;
  return sl0 === 3 || (sl0 === 2 && oas(id) < 44);
};
/** AArch64.S2InconsistentSL(), and AArch32's with its granule of 4 KiB. */
const sizeInconsistent = (size: keyof typeof LOG2, level: number, inputBits: number): boolean => {
  const stride = LOG2[size] - 3;
  const least = (3 - level) * stride + LOG2[size] + 1;
  return inputBits < least || inputBits > least + stride - 1 + 4;
};
export const walkWrong = (id: Fields, ste: Fields, size: Size, ds: boolean): boolean => {
  const [t0sz, sl0] = [Number(f(ste, "S2T0SZ")), Number(f(ste, "S2SL0"))];
  if (!is(ste, "S2AA64")) {
    const signed = ((t0sz & 15) ^ 8) - 8;
    return sl0 > 1 || sizeInconsistent("4K", 2 - sl0, 32 - signed);
  }
  if (size === undefined) return true;
  const least = Math.max(size === "64K" || ds ? 12 : 16, 64 - ias(id));
  if (t0sz < least || t0sz > largestSize(id, size)) return true;
  const sl2 = ds && size === "4K" && is(ste, "S2SL0_2");
  return startInvalid(id, size, sl0, sl2, ds) || sizeInconsistent(size, startLevel(size, sl0, sl2), 64 - t0sz);
};

const strwUnused = (id: Fields, ste: Fields): boolean => !is(id, "S1P") || !is(id, "HYP") || f(ste, "Config") >= 6n || f(ste, "Config") === 4n;
const overlayWrong = (id: Fields, ste: Fields): boolean => {
  if (!is(id, "S2PO") || !is(ste, "S2POE")) return false;
  if (!is(ste, "S2PIE") || (is(id, "PBHA") && f(ste, "S2HWU") !== 0n)) return true;
  return Array.from({ length: 16 }, (_, at) => (f(ste, "S2POI") >> BigInt(4 * at)) & 15n).some((overlay) => overlay === 1n || overlay === 5n);
};
const stage2Illegal = (id: Fields, ste: Fields): boolean => {
  const [aa64, model, htu] = [is(ste, "S2AA64"), f(id, "STALL_MODEL"), f(id, "HTTU")];
  const size = aa64 ? TG0[Number(f(ste, "S2TG"))] : "4K";
  const ds = is(id, "DS") && is(ste, "S2DS") && size !== "64K" && aa64;
  if (!aa64 && is(id, "FWB") && is(ste, "S2FWB")) return true;
  if ((is(ste, "S2S") && model === 1n) || (!is(ste, "S2S") && model === 2n)) return true;
  if ((f(id, "TTF") & (aa64 ? 2n : 1n)) === 0n) return true;
  if ((is(ste, "S2HA") || is(ste, "S2HD")) && (!aa64 || htu === 0n)) return true;
  if ((is(ste, "S2HD") && htu === 1n) || (is(ste, "S2HAFT") && !is(ste, "S2HA") && htu === 3n)) return true;
  if (aa64 && !granuleSupported(id, size)) return true;
  if (!within(f(ste, "S2TTB"), tableReach(id, f(ste, "S2PS"), size, aa64, ds))) return true;
  if (walkWrong(id, ste, size, ds) || endiannessWrong(id, is(ste, "S2ENDI"))) return true;
  return (is(id, "S2PI") && is(ste, "S2PIE") && !aa64) || overlayWrong(id, ste);
};
const atsIllegal = (id: Fields, ste: Fields): boolean => {
  const [eats, config] = [f(ste, "EATS"), f(ste, "Config")];
  if (!is(id, "ATS") || config === 4n) return false;
  if (eats === 2n) return config !== 7n || is(ste, "S2S") || is(id, "NS1ATS");
  if (eats === 1n) return is(ste, "S2S") && config >= 6n;
  return eats === 3n && is(id, "DPT") && !strwUnused(id, ste) && f(ste, "STRW") !== 0n;
};
export const steIllegal = (id: Fields, ste: Fields): boolean => {
  const config = f(ste, "Config");
  if (!is(ste, "V")) return true;
  if (config < 4n) return false;
  const [stage1, stage2] = [(config & 1n) === 1n, (config & 2n) === 2n];
  if ((stage1 && !is(id, "S1P")) || (stage2 && !is(id, "S2P")) || atsIllegal(id, ste)) return true;
  if (!strwUnused(id, ste) && (f(ste, "STRW") & 1n) === 1n) return true;
  if (stage1) {
    const substreams = f(id, "SSIDSIZE");
    if (is(ste, "S1STALLD") && f(id, "STALL_MODEL") !== 0n) return true;
    if (substreams !== 0n && f(ste, "S1CDMax") > substreams) return true;
    if (substreams !== 0n && f(ste, "S1CDMax") !== 0n && !is(id, "CD2L") && (f(ste, "S1Fmt") === 1n || f(ste, "S1Fmt") === 2n)) return true;
    // Beyond IAS where stage 2 follows is CONSTRAINED UNPREDICTABLE (section 3.4.3): not asked here.
    if (!stage2 && !within(f(ste, "S1ContextPtr"), oas(id))) return true;
  }
  if (stage2 && stage2Illegal(id, ste)) return true;
  const vmidIgnored = !is(id, "S2P") || config === 4n || (f(ste, "STRW") !== 0n && !strwUnused(id, ste));
  if (!vmidIgnored && !is(id, "VMID16") && f(ste, "S2VMID") > 0xffn) return true;
  return config === 7n && is(ste, "S1MPAM") && !within(f(ste, "VMSPtr"), oas(id));
};

export type World = "EL1" | "EL2" | "EL2-E2H";
const halfIllegal = (id: Fields, cd: Fields, half: 0 | 1): boolean => {
  const aa64 = is(cd, "AA64");
  const size = (half === 0 ? TG0 : TG1)[Number(f(cd, `TG${half}`))];
  const ds = is(id, "DS") && is(cd, "DS");
  const txsz = Number(f(cd, `T${half}SZ`));
  const least = f(id, "VAX") !== 0n && (size === "64K" || ds) ? 12 : 16;
  if (aa64 && (!granuleSupported(id, size) || txsz < least || txsz > largestSize(id, size))) return true;
  return !within(f(cd, `TTB${half}`), tableReach(id, f(cd, "IPS"), size, aa64, ds));
};
const indirectionIllegal = (id: Fields, cd: Fields, indirect: boolean, world: World): boolean => {
  if (!is(id, "S1PI") || !indirect || !is(cd, "PIE") || !is(cd, "AA64")) return false;
  const at = (name: string, index: number): bigint => (f(cd, name) >> BigInt(3 * index)) & 7n;
  const reserved = (value: bigint): boolean => value === 4n || value === 6n;
  return Array.from({ length: 16 }, (_, index) => [at("PIIP", index), at("PIIU", index)] as const).some(
    ([privileged, unprivileged]) => reserved(privileged) || (world !== "EL2" && (reserved(unprivileged) || ((privileged & 2n) === 2n && (unprivileged & 4n) === 4n))),
  );
};
export const cdIllegal = (id: Fields, cd: Fields, ste: Fields, world: World): boolean => {
  const [aa64, model, htu] = [is(cd, "AA64"), f(id, "STALL_MODEL"), f(id, "HTTU")];
  const walked = world === "EL2" ? [true, false] : [!is(cd, "EPD0"), !is(cd, "EPD1")];
  if (!is(cd, "V") || (is(ste, "S1STALLD") && is(cd, "S")) || (is(id, "TERM_MODEL") && !is(cd, "A"))) return true;
  if ((model === 1n && is(cd, "S")) || (model === 2n && !is(cd, "S"))) return true;
  if ((walked[0] || walked[1]) && endiannessWrong(id, is(cd, "ENDI"))) return true;
  if (!aa64 && ((f(id, "TTF") & 1n) === 0n || world === "EL2-E2H")) return true;
  if (aa64 && (f(id, "TTF") & 2n) === 0n) return true;
  if (aa64 && (((is(cd, "HA") || is(cd, "HD")) && htu === 0n) || (is(cd, "HD") && htu === 1n) || (htu === 3n && is(cd, "HAFT") && !is(cd, "HA")))) return true;
  if (world !== "EL2" && !is(id, "ASID16") && f(cd, "ASID") > 0xffn) return true;
  if (([0, 1] as const).some((half) => walked[half] && halfIllegal(id, cd, half))) return true;
  return indirectionIllegal(id, cd, is(ste, "S1PIE"), world);
};
