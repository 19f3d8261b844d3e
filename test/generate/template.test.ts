import { describe, expect, it } from "vitest";
import { render, renderTemplate } from "../../src/generate/template.ts";

const template = (text: string) => ({ file: "templates/test.hbs", text });

describe("renderTemplate", () => {
  it("prints values as they are, numbers in hex by the one helper", () => {
    expect(renderTemplate(template("{{a}} {{hex n}}"), { a: "<&\"'>", n: 0x2000_0000_0000_0001n }, "x")).toEqual({ value: "<&\"'> 0x2000000000000001", diagnostics: [] });
  });
  it("refuses a field that the view does not have, with the template, the line and what was rendered", () => {
    const { value, diagnostics } = renderTemplate(template("first\nsecond {{missing}}"), {}, "the header of nic");
    expect(value).toBeUndefined();
    expect(diagnostics).toMatchObject([{ id: "template-failed", severity: "error", place: { file: "templates/test.hbs", line: 2 } }]);
    expect(diagnostics[0]?.message).toMatch(/templates\/test\.hbs failed while rendering the header of nic: "missing" not defined/);
  });
  it("refuses a field that is absent inside a block", () => {
    expect(renderTemplate(template("{{#each list}}\n{{b}}\n{{/each}}"), { list: [{ b: 1 }, {}] }, "x").diagnostics).toMatchObject([{ place: { line: 2 } }]);
  });
  it("says where a template is malformed", () => {
    expect(renderTemplate(template("fine\nfine\n{{#each a}}\n"), { a: [] }, "x").diagnostics).toMatchObject([{ id: "template-failed", place: { line: expect.any(Number) as number } }]);
    expect(renderTemplate(template("ok\n{{/if}}"), {}, "x").diagnostics).toMatchObject([{ id: "template-failed", place: { line: 2 } }]);
  });
  it("knows no helper but its own, and reaches no prototype", () => {
    expect(renderTemplate(template("{{shout a}}"), { a: "x" }, "x").diagnostics).toHaveLength(1);
    expect(renderTemplate(template("{{constructor.name}}"), {}, "x").value ?? "").not.toContain("Object");
  });
  it("prints no control character of what was rendered or of the failure", () => {
    expect(renderTemplate(template("{{missing}}"), {}, "\u001b[2J").diagnostics[0]?.message).not.toContain("\u001b");
  });
});

describe("render", () => {
  it("makes a failure of a shipped template a diagnostic that names its file", () => {
    expect(render("component.h", {}, "nothing").diagnostics).toMatchObject([{ id: "template-failed", place: { file: "templates/component.h.hbs", line: 1 } }]);
  });
});
