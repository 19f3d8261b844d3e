/**
 * What a user may want to see happen: an invocation performed, one refused for a certain reason, an intended DMA path
 * open, a property violated. Each is written as the verdict writes what it never reached.
 */
import type { Diagnostic } from "../../base/diagnostic.ts";
import { printable } from "../../base/diagnostic.ts";
import { hex } from "../../base/words.ts";
import type { Invocation } from "../../kernel/invocation.ts";
import { invocations } from "../../kernel/invocations.ts";
import type { Layout, LayoutDmaPath } from "../../system/layout.ts";
import { didYouMean } from "../../system/suggestion.ts";
import type { Profile } from "../../kernel/profile.ts";
import { pathName } from "../names.ts";
import type { Property } from "../properties/property.ts";

export type Goal =
  | { readonly is: "performed"; readonly name: string; readonly definition: Invocation }
  /** `reasons`: indices into the refusals of the definition; any of them will do. */
  | { readonly is: "refused"; readonly name: string; readonly definition: Invocation; readonly reasons: readonly number[] }
  /** Any of the paths will do. */
  | { readonly is: "path"; readonly name: string; readonly paths: readonly LayoutDmaPath[] }
  | { readonly is: "violates"; readonly name: string; readonly property: Property };

/** A goal that an invocation ends. */
export type InvocationGoal = Extract<Goal, { readonly definition: Invocation }>;

/** What names in a goal are looked up in. */
export interface GoalNames {
  readonly profile: Profile;
  readonly layout: Layout;
  readonly properties: readonly Property[];
}

/** In a goal, and as a name of it. */
export const reasonName = ({ label, refusals }: Invocation, reason: number): string => `refused ${label} ${refusals[reason]!.error}: ${refusals[reason]!.when}`;

const fault = (text: string, message: string, hint: string): Diagnostic => ({ id: "bad-goal", severity: "error", message: `\`${printable(text.slice(0, 200))}\` is no goal: ${message}`, hint });
const FORMS = "write `performed LABEL`, `refused LABEL ERROR`, `path STREAM REGION`, `violates PROPERTY` or `unreached`";

const named = (text: string, label: string, { profile }: GoalNames): Invocation | Diagnostic => {
  const definition = invocations.find((candidate) => candidate.label === label);
  if (definition === undefined) return fault(text, `there is no invocation \`${printable(label)}\`${didYouMean(label, invocations.map((candidate) => candidate.label))}`, "labels are those of `cofferdam check --verbose`");
  if (definition.inProfile?.(profile) === false) return fault(text, `a kernel of profile ${profile.name} has no ${definition.label}`, "give another --profile");
  return definition.unexplored === undefined ? definition : fault(text, `${definition.label} is not tried, since ${definition.unexplored}`, "give an invocation that check tries");
};

const performed = (text: string, label: string, names: GoalNames): Goal | Diagnostic => {
  const definition = named(text, label, names);
  return "id" in definition ? definition : { is: "performed", name: `performed ${definition.label}`, definition };
};

const refused = (text: string, rest: string, names: GoalNames): Goal | Diagnostic => {
  const [, label = "", error = "", number, words] = /^(\S+)(?: ([A-Za-z0-9_]+))?(?: #(\d{1,3})|: (.+))?$/.exec(rest) ?? [];
  const definition = named(text, label, names);
  if ("id" in definition) return definition;
  const all = definition.refusals.flatMap((refusal, index) => (refusal.error === error ? [index] : []));
  const answers = [...new Set(definition.refusals.map((refusal) => refusal.error))];
  if (all.length === 0) return fault(text, error === "" ? "it names no error" : `${definition.label} never answers \`${error}\`${didYouMean(error, answers)}`, `it answers ${answers.join(", ")}`);
  const reasons = words === undefined ? (number === undefined ? all : all.slice(Number(number) - 1, Number(number))) : all.filter((index) => definition.refusals[index]!.when === words);
  if (reasons.length === 0) {
    const known = all.map((index) => definition.refusals[index]!.when);
    return fault(text, `${definition.label} has no such reason for ${error}${words === undefined ? "" : didYouMean(words, known)}`, `its reasons are: ${known.map((when, index) => `#${index + 1} ${when}`).join("; ")}`);
  }
  return { is: "refused", name: reasons.length === 1 ? reasonName(definition, reasons[0]!) : `refused ${definition.label} ${error}`, definition, reasons };
};

const path = (text: string, rest: string, { layout }: GoalNames): Goal | Diagnostic => {
  const [, sid = "", access, region = "", iova] = /^(\S+)(?: (read|write))? (\S+?)(?: at IOVA (0x[0-9a-f]{1,16}))?$/.exec(rest) ?? [];
  const intended = `${layout.name} intends ${layout.dma.map((candidate) => pathName(layout, candidate)).join("; ")}`;
  const sids = layout.sids.map(({ name }) => name);
  if (!sids.includes(sid)) return fault(text, `there is no stream \`${printable(sid)}\`${didYouMean(sid, sids)}`, intended);
  const regions = layout.regions.map(({ name }) => name);
  if (!regions.includes(region)) return fault(text, `there is no region \`${printable(region)}\`${didYouMean(region, regions)}`, intended);
  const paths = layout.dma.filter(
    (candidate) => layout.sids[candidate.sid]!.name === sid && layout.regions[candidate.region]!.name === region && (access === undefined || candidate.access === access) && (iova === undefined || hex(candidate.iova) === iova),
  );
  return paths.length === 0 ? fault(text, "the spec intends no such path", intended) : { is: "path", name: paths.length === 1 ? `path ${pathName(layout, paths[0]!)}` : `path ${rest}`, paths };
};

const violates = (text: string, name: string, { properties }: GoalNames): Goal | Diagnostic => {
  const property = properties.find((candidate) => candidate.name === name);
  const known = properties.map((candidate) => candidate.name);
  return property === undefined ? fault(text, `there is no property \`${printable(name)}\`${didYouMean(name, known)}`, `properties are ${known.join(", ")}`) : { is: "violates", name: `violates ${name}`, property };
};

const forms: Readonly<Record<string, (text: string, rest: string, names: GoalNames) => Goal | Diagnostic>> = { performed, refused, path, violates };

/** Reads one goal; `unreached` is no single one. */
export const parseGoal = (text: string, names: GoalNames): Goal | Diagnostic => {
  const trimmed = text.trim().slice(0, 1000);
  const [, form = "", rest = ""] = /^(\S*)(?:\s+(.*))?$/s.exec(trimmed) ?? [];
  if (!Object.hasOwn(forms, form)) return fault(trimmed, `no goal begins with \`${printable(form)}\`${didYouMean(form, [...Object.keys(forms), "unreached"])}`, FORMS);
  return rest === "" ? fault(trimmed, "it does not say of what", FORMS) : forms[form]!(trimmed, rest.trim(), names);
};

/** Is this the name of a goal that no property has? Names of properties have no spaces. */
export const isGoalName = (name: string): boolean => /^(performed|refused|path) /.test(name);
