/**
 * A profile that notes which of its fields were asked for. A field that no decision of a run asked for made no difference
 * to it: another value would have given the same verdict.
 */
import type { Profile } from "../kernel/profile.ts";
import { profileFields } from "../kernel/profile.ts";

export interface AskedProfile {
  readonly profile: Profile;
  /** Names of the fields, in the order of the profile. */
  readonly asked: () => readonly string[];
  readonly never: () => readonly string[];
  /** Fields that an earlier part of the run asked for. */
  readonly also: (fields: readonly string[]) => void;
  /** From now on it is only told about. */
  readonly stop: () => void;
}

const fields: readonly string[] = Object.keys(profileFields);

export const askedProfile = (profile: Profile): AskedProfile => {
  const asked = new Set<string>();
  let noting = true;
  return {
    profile: new Proxy(profile, {
      get: (target, field) => {
        if (noting) asked.add(String(field));
        return target[field as keyof Profile];
      },
    }),
    asked: () => fields.filter((field) => asked.has(field)),
    never: () => fields.filter((field) => !asked.has(field)),
    also: (more) => {
      for (const field of more) asked.add(field);
    },
    stop: () => void (noting = false),
  };
};
