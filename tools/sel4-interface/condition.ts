/**
 * Conditions of seL4's interface description (libsel4/tools/sel4_idl.xsd `ConfigGroup`) and the configuration that they
 * are decided for. A variable that this file does not know is refused, so that a new one is decided by a person.
 */
import { XmlElement } from "@rgrove/parse-xml";
import { fail } from "./failure.ts";

/** AArch64, hypervisor, SMMU, one core, not MCS, no hardware debugging. */
export const configuration: Readonly<Record<string, boolean>> = {
  CONFIG_ARM_HYPERVISOR_SUPPORT: true,
  CONFIG_ARM_SMMU: true,
  CONFIG_ENABLE_SMP_SUPPORT: false,
  CONFIG_HARDWARE_DEBUG_API: false,
  CONFIG_KERNEL_MCS: false,
  CONFIG_TK1_SMMU: false,
};

export interface Condition {
  readonly text: string;
  readonly holds: boolean;
}

export const elements = (element: XmlElement, name?: string): XmlElement[] =>
  element.children.filter((child): child is XmlElement => child instanceof XmlElement && (name === undefined || child.name === name));

const only = (element: XmlElement): XmlElement => {
  const [child, ...more] = elements(element);
  return child === undefined || more.length > 0 ? fail(`<${element.name}> takes one condition, not ${more.length + (child === undefined ? 0 : 1)}`) : child;
};

const variable = (element: XmlElement): Condition => {
  const name = element.attributes["var"] ?? fail("<config> without var");
  const holds = configuration[name] ?? fail(`no decision is known for ${name}: add it to the configuration in condition.ts`);
  return { text: name, holds };
};

const decide = (element: XmlElement): Condition => {
  switch (element.name) {
    case "config":
      return variable(element);
    case "not": {
      const { text, holds } = decide(only(element));
      return { text: `!${text}`, holds: !holds };
    }
    case "and":
    case "or": {
      const parts = elements(element).map(decide);
      if (parts.length < 2) fail(`<${element.name}> takes two conditions or more`);
      const holds = element.name === "and" ? parts.every((part) => part.holds) : parts.some((part) => part.holds);
      return { text: `(${parts.map(({ text }) => text).join(element.name === "and" ? " && " : " || ")})`, holds };
    }
    default:
      return fail(`a condition can't be <${element.name}>`);
  }
};

/** What `<condition>` of a method says; undefined without one. */
export const conditionOf = (method: XmlElement): Condition | undefined => {
  const [condition, ...more] = elements(method, "condition");
  if (more.length > 0) fail(`${method.attributes["id"] ?? "a method"} has two conditions`);
  return condition === undefined ? undefined : decide(only(condition));
};
