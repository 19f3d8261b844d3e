/**
 * Where a value of a spec stands in its text. A key path leads to a span; a path that does not exist leads to the
 * nearest enclosing key that does, so that "missing key" has a place too.
 */
import type { LineCounter} from "yaml";
import { isCollection, isMap, isScalar, isSeq, type Node, type Pair, type ParsedNode, type YAMLMap } from "yaml";
import type { Diagnostic, Place } from "../base/diagnostic.ts";
import { printable } from "../base/diagnostic.ts";

/** Keys and list positions from the top of the spec: `["components", "nic", "holds", 0]`. */
export type KeyPath = readonly (string | number)[];

/** Spans of one spec text. `value` points at what the path leads to, `key` at the key itself. */
export interface Places {
  readonly value: (path: KeyPath) => Place;
  readonly key: (path: KeyPath) => Place;
  /** The span of character offsets [start, end), clipped to its first line. */
  readonly span: (start: number, end: number, path?: KeyPath) => Place;
}

/** `components.nic.holds[0]`, printable. */
export const keyPathText = (path: KeyPath): string =>
  printable(path.map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`)).join(""));

type Found = { readonly key: Node | undefined; readonly value: Node | null };

const pairOf = (map: YAMLMap, name: string): Pair | undefined => map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === name);

/** One step down; undefined when there is no such key or item. */
const child = (node: Node | null, part: string | number): Found | undefined => {
  if (isMap(node)) {
    const pair = pairOf(node, String(part));
    return pair === undefined ? undefined : { key: pair.key as Node, value: pair.value as Node | null };
  }
  const item = isSeq(node) && typeof part === "number" ? node.items[part] : undefined;
  return item === undefined ? undefined : { key: undefined, value: item as Node };
};

/** The deepest node on the path that exists. */
const descend = (root: Node | null, path: KeyPath): Found => {
  let found: Found = { key: undefined, value: root };
  for (const part of path) {
    const next = child(found.value, part);
    if (next === undefined) return { key: found.key ?? found.value ?? undefined, value: null };
    found = next;
  }
  return found;
};

const rangeOf = (node: Node | null | undefined): readonly [number, number] | undefined => {
  const range = (node as ParsedNode | null | undefined)?.range;
  return range == null || range[0] === range[1] ? undefined : [range[0], range[1]];
};

/** Places for a parsed spec. `file` is printed as given; `lines` must have counted `text`. */
export const createPlaces = (root: Node | null, text: string, file: string, lines: LineCounter): Places => {
  const span = (start: number, end: number, path: KeyPath = []): Place => {
    const from = lines.linePos(Math.min(start, text.length));
    const newline = text.indexOf("\n", start);
    const stop = Math.max(Math.min(end, newline === -1 ? text.length : newline), start);
    const column = from.col === 0 ? 1 : from.col;
    const at = { file, line: Math.max(from.line, 1), column, endColumn: column + Math.max(stop - start, 1) };
    return path.length === 0 ? at : { ...at, path: keyPathText(path) };
  };
  const place = (path: KeyPath, order: (found: Found) => readonly (Node | null | undefined)[]): Place => {
    const range = order(descend(root, path)).map(rangeOf).find((candidate) => candidate !== undefined) ?? [0, 1];
    return span(range[0], range[1], path);
  };
  const oneLine = (node: Node | null): boolean => {
    const range = rangeOf(node);
    const block = isCollection(node) && node.flow !== true;
    return range !== undefined && !block && !text.slice(range[0], range[1]).trimEnd().includes("\n");
  };
  return {
    span,
    value: (path) => place(path, ({ key, value }) => (oneLine(value) ? [value, key] : [key, value])),
    key: (path) => place(path, ({ key, value }) => [key, value]),
  };
};

const order = (place: Place | undefined): readonly [string, number, number] => [place?.file ?? "", place?.line ?? 0, place?.column ?? 0];

/** Sorted by file, line, column; ties keep the order in which they were found. */
export const sortByPlace = (diagnostics: readonly Diagnostic[]): readonly Diagnostic[] =>
  diagnostics.toSorted((a, b) => {
    const [fileA, lineA, columnA] = order(a.place);
    const [fileB, lineB, columnB] = order(b.place);
    return fileA < fileB ? -1 : fileA > fileB ? 1 : lineA - lineB || columnA - columnB;
  });
