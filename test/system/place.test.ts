import { LineCounter, parseDocument } from "yaml";
import { describe, expect, it } from "vitest";
import { createPlaces, keyPathText, sortByPlace, type Places } from "../../src/system/place.ts";

const text = "a:\n  b: [one, two]\n  c:\n    d: 1\nempty:\n";
const placesOf = (source: string): Places => {
  const lines = new LineCounter();
  return createPlaces(parseDocument(source, { lineCounter: lines }).contents, source, "s.yaml", lines);
};
const places = placesOf(text);

describe("places in a spec", () => {
  it("points at a value on one line", () => {
    expect(places.value(["a", "b", 1])).toEqual({ file: "s.yaml", line: 2, column: 12, endColumn: 15, path: "a.b[1]" });
  });

  it("points at the key of a value that spans lines", () => {
    expect(places.value(["a", "c"])).toMatchObject({ line: 3, column: 3, endColumn: 4 });
  });

  it("points at the key on request", () => {
    expect(places.key(["a", "b"])).toMatchObject({ line: 2, column: 3, endColumn: 4 });
  });

  it("falls back to the nearest key that exists", () => {
    expect(places.value(["a", "c", "missing", "deeper"])).toMatchObject({ line: 3, column: 3, path: "a.c.missing.deeper" });
    expect(places.value(["a", "b", 7])).toMatchObject({ line: 2, column: 3 });
    expect(places.value(["empty"])).toMatchObject({ line: 5, column: 1, endColumn: 6 });
  });

  it("has a place even in an empty text", () => {
    expect(placesOf("").value(["x"])).toMatchObject({ line: 1, column: 1, endColumn: 2 });
  });

  it("ends a span with its line", () => {
    expect(places.span(0, text.length)).toMatchObject({ line: 1, column: 1, endColumn: 3 });
  });

  it("does not print control characters of a key", () => {
    expect(keyPathText(["a", "\u001b[31m", 2])).toBe("a.\\x1b[31m[2]");
  });

  it("sorts by file, line and column, keeping ties", () => {
    const at = (id: string, line: number, column: number, file = "a") => ({ id, severity: "error", message: "", place: { file, line, column } }) as const;
    const sorted = sortByPlace([at("1", 2, 1), at("2", 1, 9), at("3", 1, 2, "b"), at("4", 1, 2), at("5", 2, 1)]);
    expect(sorted.map(({ id }) => id)).toEqual(["4", "2", "1", "5", "3"]);
  });
});
