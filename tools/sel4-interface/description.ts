/**
 * seL4's interface description, one XML file at a time, as it is written: structures, and methods with their condition
 * decided. Text of the manual loses its references. Source of the form: seL4 libsel4/tools/sel4_idl.xsd.
 */
import { parseXml, XmlElement, XmlError, XmlText } from "@rgrove/parse-xml";
import { type Condition, conditionOf, elements } from "./condition.ts";
import { fail } from "./failure.ts";
import type { Declared } from "./message.ts";

export interface DescribedMethod {
  readonly label: string;
  readonly interface: string;
  readonly method: string;
  readonly condition: Condition | undefined;
  /** The same label may stand again, where the description says so. */
  readonly duplicate: boolean;
  readonly in: readonly Declared[];
  readonly out: readonly Declared[];
  readonly errors: readonly { readonly error: string; readonly when: string }[];
}

export interface Description {
  /** Which file: labels are numbered generic first, then aarch64's, then Arm's. */
  readonly layer: "generic" | "aarch64" | "arm";
  readonly interfaces: readonly string[];
  readonly structures: ReadonlyMap<string, readonly string[]>;
  readonly methods: readonly DescribedMethod[];
}

const layers: Readonly<Record<string, Description["layer"]>> = { "": "generic", aarch64_: "aarch64", arm_: "arm" };

const attribute = (element: XmlElement, name: string): string => element.attributes[name] ?? fail(`<${element.name}> without ${name}`);

/** Names become `code`; `<docref>` points into the manual and goes. */
const proseOf = (node: XmlElement): string =>
  node.children
    .map((child) => {
      if (child instanceof XmlText) return child.text;
      if (!(child instanceof XmlElement) || child.name === "docref") return "";
      if (child.name === "texttt") return `\`${attribute(child, "text")}\``;
      return child.name === "obj" ? attribute(child, "name") : proseOf(child);
    })
    .join("");
const tidy = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll(/ ([.,])/g, "$1").trim();

const errorOf = (element: XmlElement): DescribedMethod["errors"][number] => {
  const inside = elements(element, "description").map(proseOf).join(" ");
  return { error: attribute(element, "name"), when: tidy(`${element.attributes["description"] ?? ""} ${inside}`) };
};

const parametersOf = (method: XmlElement, way: "in" | "out"): Declared[] =>
  elements(method, "param")
    .filter((param) => attribute(param, "dir") === way)
    .map((param) => ({ name: attribute(param, "name"), type: attribute(param, "type") }));

const methodOf = (owner: string, method: XmlElement): DescribedMethod => {
  const ways = elements(method, "param").map((param) => attribute(param, "dir"));
  const label = attribute(method, "id");
  for (const way of ways) if (way !== "in" && way !== "out") fail(`${label} has a parameter of direction ${way}`);
  return {
    label,
    interface: owner,
    method: attribute(method, "name"),
    condition: conditionOf(method),
    duplicate: ["true", "1"].includes(method.attributes["duplicate"] ?? ""),
    in: parametersOf(method, "in"),
    out: parametersOf(method, "out"),
    errors: elements(method, "error").map(errorOf),
  };
};

const rootOf = (path: string, text: string): XmlElement => {
  try {
    return parseXml(text).root ?? fail(`${path} is empty`);
  } catch (error) {
    if (error instanceof XmlError) return fail(`${path}:${error.line}:${error.column}: ${error.message.split("\n")[0]}`);
    throw error;
  }
};

export const descriptionOf = (path: string, text: string): Description => {
  const root = rootOf(path, text);
  if (root.name !== "api") fail(`${path} is no interface description: its root is <${root.name}>, not <api>`);
  const prefix = root.attributes["label_prefix"] ?? "";
  const interfaces = elements(root, "interface");
  return {
    layer: layers[prefix] ?? fail(`${path} is of another architecture: its label_prefix is ${prefix}`),
    interfaces: interfaces.map((element) => attribute(element, "name")),
    structures: new Map(elements(root, "struct").map((structure) => [attribute(structure, "name"), elements(structure, "member").map((member) => attribute(member, "name"))])),
    methods: interfaces.flatMap((element) => elements(element, "method").map((method) => methodOf(attribute(element, "name"), method))),
  };
};
