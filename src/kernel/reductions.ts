/** What exploration takes for alike, and why nothing is lost by it; each can be left out, to see that it changes no verdict. */
export const reductions = {
  slots: "free slots of a CNode are alike, so a new capability goes to the first of them",
  symmetry: "things that no invocation and no property tells apart are exchanged, so one state stands for all that differ in nothing else",
  watermarks: "how far an untyped without children was handed out is forgotten, since the next Retype begins anew",
  slices: "components that cannot influence each other are explored apart",
} as const;
export type Reduction = keyof typeof reductions;
export const reductionNames = Object.keys(reductions) as Reduction[];

export const isReduced = ({ unreduced }: { readonly unreduced?: readonly Reduction[] }, reduction: Reduction): boolean => unreduced?.includes(reduction) !== true;
