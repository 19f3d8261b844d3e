import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Schema from "effect/Schema";
import { afterAll, describe, expect, it } from "vitest";
import type { Decoding } from "../../src/audit/decoding.ts";
import { decodingSchema } from "../../src/cli/decodingSchema.ts";
import { writeSnapshot } from "../../src/smmuv3/snapshot.ts";
import { Event } from "../../specs/smmuv3/event.ts";
import { imageOf, record, snapshotOf, stage2Fields, ste } from "../audit/build.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "cofferdam-decode-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const linux = join(root, "test/audit/linux/s1-dma");
const run = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "src/cli/main.ts"), ...words], { encoding: "utf8", cwd: root, env: { ...process.env, NO_COLOR: "1" }, maxBuffer: 2 ** 28 });
  return { status, stdout, stderr };
};
/** A snapshot folder with these contents. */
const snapshot = (name: string, ...made: Parameters<typeof snapshotOf>): string => {
  const path = join(folder, name);
  mkdirSync(path);
  const { regs, pages } = writeSnapshot(snapshotOf(...made));
  writeFileSync(join(path, "regs.json"), regs);
  writeFileSync(join(path, "pages.bin.gz"), pages);
  return path;
};

describe("decode", () => {
  it("tells the story first: enabled, what table, how many streams of each kind, what is pending", () => {
    const { status, stdout, stderr } = run("decode", linux);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.split("\n").slice(0, 10)).toEqual([
      "SMMUv3: enabled",
      "Stream table: two-level at 0x480c0000, 256 entries a second level, room for 65,536 streams",
      "  1 stream         translated by stage 1",
      "  255 streams      abort without an event",
      "  65,280 streams   abort with C_BAD_STREAMID: they have no entry",
      "Address spaces: 1, which reach 100 KiB in all",
      "  0: 100 KiB in 25 pages or blocks",
      "     stream 0x10, ASID 1, VMID 0",
      "Pending: 0 events, 0 commands, 0 page requests",
      "Errors of queues and interrupts: none",
    ]);
    expect(stdout).toContain("    0xfffff000-0xffffffff -> 0x8090000 rw-/rw-  Device-nGnRE, outer shareable, level 3, nG\n");
    expect(stdout).toContain("TLBI_NH_VA Scale=0x5 ASID=0x1 Leaf=0x1 TTL=0x3 TG=4K Address=0xfffa0000");
    expect(stdout).toContain("MAPTI DeviceID=0x10 EventID=0x1 pINTID=0x2001");
  });

  it("gives one JSON document that keeps to the published schema, the same bytes every time", () => {
    const { status, stdout } = run("decode", linux, "--json");
    expect(status).toBe(0);
    const document = JSON.parse(stdout) as Decoding;
    expect(Schema.is(decodingSchema)(document)).toBe(true);
    expect(document).toMatchObject({ format: "cofferdam-decoding", version: 1, summary: { enabled: true, streams: { stage1: 1, abort: 255 } } });
    expect(document.addressSpaces[0]!.ranges).toHaveLength(8);
    expect(run("decode", linux, "--json").stdout).toBe(stdout);
  });

  it("publishes that schema", () => {
    const { status, stdout } = run("schema", "decoding");
    expect(status).toBe(0);
    const published = JSON.parse(stdout) as { readonly $schema: string; readonly required: readonly string[]; readonly properties: object };
    expect(published.$schema).toBe("https://json-schema.org/draft/2020-12/schema");
    expect(Object.keys(published.properties)).toEqual(["format", "version", "summary", "registers", "unknownRegisters", "streamTable", "entries", "addressSpaces", "queues", "its", "notes", "cut"]);
    expect(published.required).not.toContain("its");
  });

  it("what is illegal in the memory is told, and exits 0", () => {
    const event = record(0x4c00_0000n, Event.encode({ Type: "C_BAD_STE", SID: 0n }));
    const path = snapshot("illegal", imageOf([...ste(0, { ...stage2Fields, S2TG: 3n, S2TTB: 0x4400_0000n }), ...event]), { GERROR: 1, CMDQ_CONS: 0x0100_0000, EVENTQ_BASE: 0x4c00_0003, EVENTQ_PROD: 1, EVENTQ_CONS: 0 });
    const { status, stdout } = run("decode", path);
    expect(status).toBe(0);
    expect(stdout).toContain("  16 streams       abort with C_BAD_STE: their entry is illegal\n");
    expect(stdout).toContain("Pending: 1 event (1 C_BAD_STE), 0 commands");
    expect(stdout).toContain("    [0] pending C_BAD_STE SSV=0x0 SSID=0x0 SID=0x0\n");
    expect(stdout).toContain("    ! illegal: S2TG=3 is reserved or not implemented\n");
    expect(stdout).toContain("  ! CMDQ: stopped at entry 0: CERROR_ILL\n");
  });

  it("a limit that was met is said on the first screen", () => {
    const ROOT = 0x4400_0000n;
    const path = snapshot("cycle", imageOf(ste(0, { ...stage2Fields, S2TTB: ROOT, S2T0SZ: 20n, S2SL0: 2n }), [[ROOT, 0x1000n, [ROOT | 0x7ffn]]]));
    const { status, stdout } = run("decode", path);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Left out: Address space 0 is not listed from input address 0x[0-9a-f]+ on: at most \d+ descriptors/m);
    expect(stdout).toMatch(/… and \d+(,\d+)* more ranges; --json has them/);
  });

  it("a folder that is no snapshot: one diagnostic with the file, exit 2, nothing printed", () => {
    expect(run("decode", join(folder, "absent"))).toMatchObject({ status: 2, stdout: "" });
    const broken = join(folder, "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "regs.json"), '{"smmu": {"0x2": "\\u001b[2J"}, "its": "\\u001b[2J"}');
    writeFileSync(join(broken, "pages.bin.gz"), "no gzip");
    const { status, stdout, stderr } = run("decode", broken, "--json");
    expect({ status, stdout, errors: stderr.match(/^error/gm)?.length }).toEqual({ status: 2, stdout: "", errors: 1 });
    expect(stderr).toContain(join(broken, "regs.json"));
    expect(stderr).not.toContain("\u001b");
  });

  it("an ITS table that is none is a problem of that part alone, and prints no control character", () => {
    const path = snapshot("its", imageOf([]));
    writeFileSync(join(path, "regs.json"), '{"smmu": {"0x20": "0x1"}, "its": {"\\u001b[2J": "0x1"}}');
    const { status, stdout } = run("decode", path);
    expect(status).toBe(0);
    expect(stdout).toContain("is not the offset of a register");
    expect(stdout).not.toContain("\u001b");
  });
});
