/** The core held against SteIllegal() and CdIllegal() of the text (illegal.ts), on records that are legal or nearly so. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Cd } from "../../specs/smmuv3/cd.ts";
import { Cr2, Idr0, Idr1, Idr3, Idr5, offsets } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import { configurationOf } from "../../src/smmuv3/configuration.ts";
import { contextOf } from "../../src/smmuv3/context.ts";
import { resetRegisters, type Settings, setRegister, settingsOf } from "../../src/smmuv3/registers.ts";
import { cdIllegal, f, type Fields, granuleSupported, ias, is, steIllegal, TG0, TG1, walkWrong, within, type World } from "./illegal.ts";

// Generators: legal or nearly so.

const bit = fc.constantFrom(0n, 1n);
const mostly = (value: bigint) => fc.oneof({ weight: 5, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: fc.constant(1n - value) });
const upTo = (most: bigint) => fc.bigInt(0n, most);
/** Without what the permission indirection, overlay and DS extensions add; `extended` has those. */
const identification = (extended: boolean): fc.Arbitrary<Fields> => {
  const extra = extended ? bit : fc.constant(0n);
  return fc.record({
    S1P: mostly(1n), S2P: mostly(1n), TTF: fc.constantFrom(1n, 2n, 2n, 3n, 3n), HTTU: upTo(3n), HYP: bit, ATS: bit, NS1ATS: bit, ASID16: bit, VMID16: bit,
    CD2L: bit, TTENDIAN: fc.constantFrom(0n, 2n, 3n), STALL_MODEL: upTo(2n), TERM_MODEL: bit, SSIDSIZE: fc.constantFrom(0n, 1n, 8n, 20n),
    FWB: bit, STT: bit, DPT: bit, PBHA: bit, MPAM: bit, S1PI: extra, S2PI: extra, S2PO: extra, DS: extra,
    OAS: upTo(6n), GRAN4K: mostly(1n), GRAN16K: mostly(1n), GRAN64K: mostly(1n), VAX: upTo(1n), E2H: bit,
  });
};
const registersOf = (id: Fields): Settings => {
  const picked = (names: object): Fields => Object.fromEntries(Object.entries(id).filter(([name]) => name in names));
  const registers = resetRegisters({
    IDR0: Number(Idr0.encode(picked(Idr0.fields))[0]),
    IDR1: Number(Idr1.encode({ ...picked(Idr1.fields), SIDSIZE: 16n })[0]),
    IDR3: Number(Idr3.encode(picked(Idr3.fields))[0]),
    IDR5: Number(Idr5.encode(picked(Idr5.fields))[0]),
    AIDR: 2,
  });
  return settingsOf(setRegister(setRegister(registers, offsets.MPAMIDR, id["MPAM"] === 1n ? 0xff : 0), offsets.CR2, Number(Cr2.encode({ E2H: f(id, "E2H") })[0])));
};

/** Values that sit on both sides of what is checked, by width. */
const near = (width: number): fc.Arbitrary<bigint> => {
  const all = (1n << BigInt(width)) - 1n;
  return fc.oneof(upTo(all), fc.constantFrom(0n, 1n, all), fc.constantFrom(8n, 12n, 15n, 16n, 20n, 24n, 25n, 32n, 39n, 40n, 48n).map((value) => value & all));
};
const address = fc.tuple(fc.constantFrom(0, 30, 31, 32, 36, 39, 40, 42, 44, 47, 48, 51), bit).map(([at, one]) => one << BigInt(at));
type Names = Readonly<Record<string, { readonly at: readonly [number, number]; readonly unit?: number }>>;
const changes = (table: Names, names: readonly string[]): fc.Arbitrary<Fields> =>
  fc.array(fc.constantFrom(...names).chain((name) => fc.tuple(fc.constant(name), table[name]!.unit === undefined ? near(table[name]!.at[0] - table[name]!.at[1] + 1) : address.map((value) => value & ~4095n))), { maxLength: 2 }).map((list) => Object.fromEntries(list));

const STE_FIELDS = "V Config S1Fmt S1CDMax S1ContextPtr S1STALLD EATS STRW S2VMID S2T0SZ S2SL0 S2TG S2PS S2AA64 S2ENDI S2HD S2HA S2S S2HAFT S2TTB S2FWB S1MPAM VMSPtr S1DSS S2AFFD S2PTW S2R".split(" ");
const CD_FIELDS = "V T0SZ TG0 EPD0 ENDI T1SZ TG1 EPD1 IPS AA64 HD HA S A ASID HAFT TTB0 TTB1 R WXN PAN TBI0".split(" ");
const granuleOf = (id: Fields, choice: number, half: 0 | 1): bigint => {
  const there = (half === 0 ? TG0 : TG1).flatMap((size, encoding) => (granuleSupported(id, size) ? [BigInt(encoding)] : []));
  return there[choice % Math.max(there.length, 1)] ?? 0n;
};
const legalSte = (id: Fields, config: bigint, choice: number): Fields => {
  const aa64 = f(id, "TTF") === 1n ? 0n : 1n;
  const S2TG = granuleOf(id, choice, 0);
  const ds = is(id, "DS") && TG0[Number(S2TG)] !== "64K" && choice % 2 === 0;
  const always: Fields = { V: 1n, Config: config, S2AA64: aa64, S2TG, S2PS: BigInt(choice % 7), S2ENDI: f(id, "TTENDIAN") === 3n ? 1n : 0n, S2S: f(id, "STALL_MODEL") === 2n ? 1n : 0n, S1MPAM: choice % 3 === 0 ? f(id, "MPAM") : 0n, EATS: [0n, 1n, 3n][choice % 3]!, STRW: choice % 7 < 4 ? 0n : 2n, ...(ds ? { S2DS: 1n, S2SL0_2: BigInt((choice >> 1) & 1) } : {}) };
  // Sizes that a little more would make legal, too: STT, or a larger OAS.
  const wider: Fields = choice % 5 === 0 ? { ...id, STT: 1n } : choice % 5 === 1 ? { ...id, OAS: f(id, "OAS") === 6n ? 6n : f(id, "OAS") + 1n } : id;
  const sizes = Array.from({ length: 256 }, (_, at) => ({ S2T0SZ: BigInt(at & 63), S2SL0: BigInt(at >> 6) })).filter((size) => !walkWrong(wider, { ...always, ...size }, aa64 === 1n ? TG0[Number(S2TG)] : "4K", ds));
  return { ...always, ...sizes[choice % Math.max(sizes.length, 1)] };
};
const legalCd = (id: Fields, choice: number): Fields => ({
  ...(is(id, "DS") && choice % 2 === 0 ? { DS: 1n, PIE: BigInt((choice >> 1) & 1) } : {}),
  V: 1n, AA64: f(id, "TTF") === 1n ? 0n : 1n, A: 1n, R: 1n, S: f(id, "STALL_MODEL") === 2n ? 1n : 0n, ENDI: f(id, "TTENDIAN") === 3n ? 1n : 0n,
  T0SZ: 16n + BigInt(choice % 24), T1SZ: 39n - BigInt(choice % 24), TG0: granuleOf(id, choice, 0), TG1: granuleOf(id, choice, 1), IPS: BigInt(choice % 7),
});

const CONFIGS = [0n, 3n, 4n, 5n, 5n, 6n, 6n, 6n, 7n, 7n];
/** Which part of the architecture a law is about: VMSAv8-64 alone, what DS and permission indirection add, or AArch32 tables. */
type Part = "aarch64" | "extended" | "aarch32";
/** What the model says that it does not do: it need not judge such an entry, but must not translate by it. */
const beyondModel = (id: Fields, record: Fields, stage: "" | "S2"): boolean =>
  !is(record, `${stage}AA64`) ||
  (is(id, "DS") && is(record, `${stage}DS`)) ||
  (is(id, stage === "" ? "S1PI" : "S2PI") && is(record, `${stage}PIE`)) ||
  (stage === "S2" && is(id, "S2PO") && is(record, "S2POE")) ||
  (f(id, "HTTU") === 3n && is(record, `${stage}HA`) && is(record, `${stage}HAFT`));
const json = (value: unknown): string => JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}` : part));
/** Illegal exactly where the text says so; where the model says that it does not judge, it says just that. */
const agree = (meaning: { readonly class: string }, illegal: boolean, beyond: boolean, record: Fields): void => {
  const allowed = illegal ? (beyond ? ["illegal", "unsupported"] : ["illegal"]) : beyond ? ["unsupported"] : ["stage1", "stage2", "bypass", "abort", "context"];
  expect(allowed, json({ record, meaning, illegal })).toContain(meaning.class);
};
const steCases = (extended: boolean) =>
  fc.tuple(identification(extended), fc.nat(999), fc.constantFrom(...CONFIGS), changes(Ste.fields, extended ? [...STE_FIELDS, "S2PIE", "S2POE", "S2POI", "S2HWU", "S2DS", "S2SL0_2"] : STE_FIELDS));
const cdCases = (extended: boolean) =>
  fc.tuple(identification(extended), fc.nat(999), fc.record({ S1STALLD: bit, STRW: fc.constantFrom(0n, 0n, 2n), S1PIE: extended ? bit : fc.constant(0n) }), changes(Cd.fields, extended ? [...CD_FIELDS, "PIE", "PIIP", "PIIU", "DS"] : CD_FIELDS));

/** Runs a law, and asks that both answers were frequent. */
const held = <T>(cases: fc.Arbitrary<T>, part: Part, law: (value: T, part: Part) => boolean | undefined): void => {
  const seen = { illegal: 0, legal: 0 };
  fc.assert(fc.property(cases, (value) => {
    const illegal = law(value, part);
    if (illegal !== undefined) seen[illegal ? "illegal" : "legal"]++;
  }), { numRuns: 5000 });
  expect(Math.min(seen.illegal, seen.legal)).toBeGreaterThan(400);
};
/** AArch32 tables where they are implemented are a part of their own. */
const partOf = (id: Fields, aa64: boolean, part: Part): boolean => (!aa64 && (f(id, "TTF") & 1n) === 1n) === (part === "aarch32");
const steLaw = ([id, choice, config, change]: readonly [Fields, number, bigint, Fields], part: Part): boolean | undefined => {
  const ste: Fields = { ...legalSte(id, config, choice), ...(part === "aarch32" ? { S2AA64: 0n, S2T0SZ: [0n, 1n, 8n, 11n, 15n][choice % 5]!, S2SL0: 1n } : {}), ...change };
  if (!partOf(id, f(ste, "Config") < 6n || is(ste, "S2AA64"), part)) return undefined;
  if (f(ste, "Config") === 7n && !within(f(ste, "S1ContextPtr"), ias(id))) return undefined;
  // RES0 without MPAM.
  if (is(ste, "S1MPAM") && !is(id, "MPAM")) return undefined;
  const illegal = steIllegal(id, ste);
  const meaning = configurationOf(Ste.encode(ste), registersOf(id));
  agree(meaning, illegal, f(ste, "Config") >= 6n && beyondModel(id, ste, "S2"), ste);
  return illegal;
};
const cdLaw = ([given, choice, entry, change]: readonly [Fields, number, Fields, Fields], part: Part): boolean | undefined => {
  const id = { ...given, S1P: 1n };
  const ste: Fields = { V: 1n, Config: 5n, ...entry, S1STALLD: f(id, "STALL_MODEL") === 0n ? f(entry, "S1STALLD") : 0n };
  const cd: Fields = { ...legalCd(id, choice), ...(is(ste, "S1STALLD") ? { S: 0n } : {}), ...(part === "aarch32" ? { AA64: 0n } : {}), ...change };
  if (!partOf(id, is(cd, "AA64"), part)) return undefined;
  const settings = registersOf(id);
  const configuration = configurationOf(Ste.encode(ste), settings);
  if (configuration.class !== "stage1") throw new Error(`not stage 1: ${configuration.class}`);
  const world: World = is(id, "HYP") && f(ste, "STRW") === 2n ? (is(id, "E2H") ? "EL2-E2H" : "EL2") : "EL1";
  const illegal = cdIllegal(id, cd, ste, world);
  const meaning = contextOf(Cd.encode(cd), configuration.contexts, settings)!;
  agree(meaning, illegal, beyondModel(id, cd, ""), cd);
  return illegal;
};

describe("configuration structures are illegal exactly where the architecture says so", () => {
  it("stream table entries (SteIllegal)", () => held(steCases(false), "aarch64", steLaw));
  it("context descriptors (CdIllegal)", () => held(cdCases(false), "aarch64", cdLaw));
  it("stream table entries with DS, permission indirection and overlays: judged, or said to be beyond the model", () => held(steCases(true), "extended", steLaw));
  it("context descriptors with DS and permission indirection", () => held(cdCases(true), "extended", cdLaw));
  it("stream table entries with AArch32 tables", () => held(steCases(false), "aarch32", steLaw));
  it("context descriptors with AArch32 tables", () => held(cdCases(false), "aarch32", cdLaw));
  it("every granule, start level and input size of stage 2, at every OAS, with and without small tables", () => {
    for (const [OAS, STT, S2TG, S2SL0] of [0n, 1n, 2n, 3n, 4n, 5n, 6n].flatMap((o) => [0n, 1n].flatMap((t) => [0n, 1n, 2n].flatMap((g) => [0n, 1n, 2n, 3n].map((l) => [o, t, g, l] as const))))) {
      const id: Fields = { S1P: 1n, S2P: 1n, TTF: 2n, GRAN4K: 1n, GRAN16K: 1n, GRAN64K: 1n, OAS, STT };
      const settings = registersOf(id);
      for (let size = 0n; size < 64n; size++) {
        const ste: Fields = { V: 1n, Config: 6n, S2AA64: 1n, S2TG, S2SL0, S2T0SZ: size };
        agree(configurationOf(Ste.encode(ste), settings), steIllegal(id, ste), false, { ...ste, OAS, STT });
      }
    }
  });
});
