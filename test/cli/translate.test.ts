import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { offsets, qemuVirtIdentification } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import { createImages } from "../../src/smmuv3/image.ts";
import { writeSnapshot } from "../../src/smmuv3/snapshot.ts";
import { readTransactions } from "../../src/cli/transactionList.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "cofferdam-translate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const STREAM_TABLE = 0x4200_0000n;
const ROOT = 0x4400_0000n;
/** Stream 0: bypass; 1: one page by stage 2; 2: AArch32 tables, which are not modelled; 3: invalid. */
const snapshot = (() => {
  const images = createImages();
  const entries = [{ V: 1n, Config: "bypass" }, { V: 1n, Config: "s2", S2T0SZ: 25n, S2SL0: 1n, S2PS: "44", S2AA64: 1n, S2R: 1n, S2TTB: ROOT }, { V: 1n, Config: "s2", S2AA64: 0n }, {}] as const;
  let image = images.empty;
  for (const [sid, fields] of entries.entries()) for (const [at, value] of Ste.encode(fields).entries()) image = images.store(image, STREAM_TABLE + BigInt(sid * 64 + at * 8), value);
  for (const [addr, value] of [[ROOT, 0x4400_1003n], [0x4400_1000n, 0x4400_2003n], [0x4400_2008n, 0x4600_07ffn]] as const) image = images.store(image, addr, value);
  const registers = new Map(Object.entries({ ...qemuVirtIdentification, IDR0: qemuVirtIdentification.IDR0 | 4, CR0: 1, STRTAB_BASE: Number(STREAM_TABLE), STRTAB_BASE_CFG: 4 }).map(([name, value]) => [offsets[name as keyof typeof offsets], value]));
  const { regs, pages } = writeSnapshot({ registers, image });
  const path = join(folder, "smmu");
  mkdirSync(path);
  writeFileSync(join(path, "regs.json"), regs);
  writeFileSync(join(path, "pages.bin.gz"), pages);
  return path;
})();

const run = (list: string, ...flags: string[]) => {
  const file = join(folder, "transactions.jsonl");
  writeFileSync(file, list);
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "src/cli/main.ts"), "translate", snapshot, "--transactions", file, ...flags], { encoding: "utf8", cwd: root, env: { ...process.env, NO_COLOR: "1" } });
  return { status, stdout, stderr };
};
const line = (sid: string, iova: string, rest: object = {}): string => `${JSON.stringify({ sid, op: "read", iova, size: 4, ...rest })}\n`;

describe("translate", () => {
  it("prints one outcome a line, in the order of the list", () => {
    const { status, stdout } = run(line("0x0", "0x1234") + line("0x1", "0x1678") + line("0x1", "0x2678", { op: "write" }) + line("0x3", "0x0"));
    expect(status).toBe(0);
    expect(stdout.trim().split("\n").map((text) => JSON.parse(text) as unknown)).toEqual([
      { result: "ok", pa: "0x1234" },
      { result: "ok", pa: "0x46000678" },
      { result: "abort", event: { type: "F_TRANSLATION", sid: "0x1", iova: "0x2678", s2: true, class: "IN", rnw: false, ipa: "0x2000", raw: ["0x100000010", "0x28000000000", "0x2678", "0x2000"] } },
      { result: "abort", event: { type: "C_BAD_STE", sid: "0x3", raw: ["0x300000004", "0x0", "0x0", "0x0"] } },
    ]);
  });

  it("answers as QEMU does when asked to", () => {
    expect(run(line("0x1", "0x2678"), "--quirks", "qemu-10.0").stdout).toContain('"ipa":"0x2678"');
    expect(run(line("0x1", "0x2678"), "--quirks", "qemu-1.0").status).toBe(2);
  });

  it("--attributes adds those with which a transaction leaves, to lines that are ok", () => {
    const lines = (...flags: string[]) => run(line("0x0", "0x1234") + line("0x1", "0x1678") + line("0x3", "0x0"), ...flags).stdout.trim().split("\n").map((text) => JSON.parse(text) as { result: string; attributes?: object });
    const levels = { type: "Normal", inner: "write-back read-write-allocate", outer: "write-back read-write-allocate" };
    expect(lines("--attributes").map(({ attributes }) => attributes)).toEqual([{ ...levels, shareability: "non-shareable" }, { ...levels, shareability: "inner shareable" }, undefined]);
    expect(lines("--attributes").map(({ attributes: _, ...rest }) => rest)).toEqual(lines());
    expect(lines().every((each) => !("attributes" in each))).toBe(true);
  });

  it("says what it does not model, and exits 3 after the last line", () => {
    const { status, stdout } = run(line("0x2", "0x0") + line("0x0", "0x0"));
    expect(status).toBe(3);
    expect(stdout.trim().split("\n")).toEqual([expect.stringMatching(/^{"result":"unsupported","why":"S2AA64=0: AArch32/) as string, '{"result":"ok","pa":"0x0"}']);
  });

  it("one bad line: one diagnostic with its line, exit 2, nothing printed", () => {
    const bad = {
      "no JSON": "{",
      "another key": line("0x0", "0x0", { colour: 1 }),
      "a terminal's escape": line("0x0", "0x0", { "\u001b[2J": 1 }),
      "across a page": line("0x0", "0xffe"),
      "a wide stream": line("0x100000000", "0x0"),
      "a wide address": line("0x0", "0x10000000000000000"),
      "no operation": line("0x0", "0x0", { op: "fetch" }),
      "no bytes": line("0x0", "0x0", { size: 0 }),
      "a wide substream": line("0x0", "0x0", { ssid: 2 ** 20 }),
    };
    for (const [name, text] of Object.entries(bad)) {
      const { value, diagnostics } = readTransactions(line("0x0", "0x0") + text, "list");
      expect({ value, place: diagnostics.map(({ place }) => place) }, name).toEqual({ value: undefined, place: [{ file: "list", line: 2 }] });
    }
    const { status, stdout, stderr } = run(line("0x0", "0x0") + bad["a terminal's escape"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/transactions\.jsonl:2/);
    expect(stderr.match(/^error/gm)).toHaveLength(1);
    expect(stderr).not.toContain("\u001b");
  });

  it("a folder that is no snapshot: one diagnostic with the file, exit 2", () => {
    const at = (path: string) => spawnSync(process.execPath, [join(root, "src/cli/main.ts"), "translate", path, "--transactions", join(folder, "transactions.jsonl")], { encoding: "utf8" });
    expect(at(join(folder, "absent"))).toMatchObject({ status: 2, stdout: "" });
    const broken = join(folder, "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "regs.json"), '{"smmu": {"0x2": "0x1", "0x3": "0x1"}}');
    writeFileSync(join(broken, "pages.bin.gz"), "no gzip");
    const { status, stdout, stderr } = at(broken);
    expect({ status, stdout, errors: stderr.match(/^error/gm)?.length }).toEqual({ status: 2, stdout: "", errors: 1 });
    expect(stderr).toContain(join(broken, "regs.json"));
  });

  it("an access of a whole page is one transaction, and blank lines are none", () => {
    expect(readTransactions(`\n${line("0x0", "0x1000", { size: 4096, ssid: 1, priv: true, instr: false })}\n`, "list").value).toEqual([{ sid: 0, op: "read", iova: 0x1000n, size: 4096, ssid: 1, priv: true, instr: false }]);
  });
});
