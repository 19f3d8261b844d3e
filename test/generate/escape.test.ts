import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ascii, cComment, markdown, mermaid } from "../../src/generate/escape.ts";
import { hostileText } from "./arbitrary.ts";

describe("escapes", () => {
  it("writes what is not printable ASCII as its number", () => {
    expect(ascii("é\n\u202e")).toBe("\\u{e9}\\x0a\\u{202e}");
  });
  it("cannot end or open a C comment, nor spell a trigraph", () => {
    expect(cComment("*/ /* ??/ /*/")).toBe("* / / * ? ?/ / * /");
  });
  it("shows Markdown marks as they are, and leaves plain names alone", () => {
    expect(markdown("a|b <i> [x](y) `z` *k*")).toBe("a\\|b \\<i\\> \\[x\\](y) \\`z\\` \\*k\\*");
    expect(markdown("nic_driver /smmu@9050000")).toBe("nic_driver /smmu@9050000");
    expect(markdown("_x_ https://a.b www.c.d")).toBe("\\_x\\_ https\\:\\/\\/a.b www\\.c.d");
  });
  it("ends no Mermaid label", () => {
    expect(mermaid('a"]; b')).toBe("a#34;#93;#59; b");
  });
  it("law: one line each, of harmless characters", () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        expect(ascii(text)).toMatch(/^[\x20-\x7e]*$/);
        expect(cComment(text)).not.toMatch(/\*\/|\/\*|\?\?/);
        expect(markdown(text)).not.toMatch(/\p{Cc}|(?<!\\)(?:\\\\)*[<>|`]/u);
        expect(mermaid(text)).not.toMatch(/["\p{Cc}[\]<>`]/u);
      }),
    );
  });
});
