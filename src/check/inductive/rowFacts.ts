/** Facts about any row: what it has in common with the rows that an invocation names, before it. */
import { NONE } from "../../base/state.ts";
import { CB, FRAME, SID, VSPACE } from "../../kernel/capability.ts";
import { frameIn, rightsIn, UNMAPPED } from "./coreState.ts";
import { ARGUMENT, TARGET } from "./smallPlan.ts";
import { both, descendant, type Fact, fact, kindNames, leafIn, type Name, type Names, newRights, rightsFacts, type RowKind, same, type Seen, slotOf, spaceIn, targetOf } from "./vocabulary.ts";

const here = (seen: Seen, space: number, page: number): boolean =>
  seen.slots.some((held, index) => held.kind === FRAME && held.asid === space && held.page === page && frameIn(leafIn(seen.before, space, page)) === held.object && leafIn(seen.before, space, page) !== UNMAPPED && descendant(seen, TARGET + index));

/** The bank sees the named page of the named space. */
const atPlace = (space: Name, page: Name): Fact =>
  fact(both("(hasSpace b)", space.guard, `(= (space b) ${space.smt})`, `(= p ${page.smt})`), (seen, { b, p }) => seen.before.space[b] !== NONE && seen.before.space[b] === space.of(seen) && p === page.of(seen));

/** Something can fetch under the bank's VMID. */
const someStream = fact("(exists ((x Stream)) (and (isBound x) (= (bound x) b)))", (seen, { b }) => seen.before.bound.includes(b));

/** Facts about a row, what it has in common with the rows that are named. */
export const rowFacts = (kind: RowKind, names: Names): Fact[] => {
  const { streams, banks, spaces, pages } = names;
  const mappedHere = (space: string) => `(exists ((x Slot)) (and (desc x) (= (kind x) FrameCap) (slotMapped x) (= (slotSpace x) ${space}) (= (slotPage x) p) (mapped ${space} p) (= (slotFrame x) (frame ${space} p))))`;
  switch (kind) {
    case "stream":
      return [
        ...streams.map((name) => same("s", name)),
        fact("(isBound s)", (seen, { s }) => seen.before.bound[s] !== NONE),
        ...banks.map(({ smt, guard, of }) => fact(both("(isBound s)", guard, `(= (bound s) ${smt})`), (seen, { s }) => seen.before.bound[s] !== NONE && seen.before.bound[s] === of(seen))),
        fact("(and (isBound s) (hasSpace (bound s)))", (seen, { s }) => spaceIn(seen.before, seen.before.bound[s]!) !== NONE),
        ...(names.revokes ? [fact("(descStream s)", (seen, { s }) => descendant(seen, seen.run.shop.small.plan.sids[s]!.node)), fact("(and (isBound s) (descBank (bound s)))", (seen, { s }) => seen.before.bound[s] !== NONE && descendant(seen, seen.run.shop.small.plan.cbs[seen.before.bound[s]!]!.node))] : []),
      ];
    case "bank":
      return [
        ...banks.map((name) => same("b", name)),
        fact("(hasSpace b)", (seen, { b }) => seen.before.space[b] !== NONE),
        ...spaces.map(({ smt, guard, of }) => fact(both("(hasSpace b)", guard, `(= (space b) ${smt})`), (seen, { b }) => seen.before.space[b] !== NONE && seen.before.space[b] === of(seen))),
        ...(names.revokes ? [fact("(descBank b)", (seen, { b }) => descendant(seen, seen.run.shop.small.plan.cbs[b]!.node))] : []),
      ];
    case "space":
      return [...spaces.map((name) => same("v", name)), fact("(live v)", (seen, { v }) => seen.before.live[v] === 1)];
    case "leaf":
      return [
        ...spaces.map((name) => same("v", name)),
        ...pages.map((name) => same("p", name)),
        fact("(mapped v p)", (seen, { v, p }) => leafIn(seen.before, v, p) !== UNMAPPED),
        fact("(live v)", (seen, { v }) => seen.before.live[v] === 1),
        ...(names.frame ? [fact("(and (mapped v p) (= (frame v p) (slotFrame c0)))", (seen, { v, p }) => leafIn(seen.before, v, p) !== UNMAPPED && frameIn(leafIn(seen.before, v, p)) === targetOf(seen).object)] : []),
        ...(names.revokes && names.frame ? [fact(mappedHere("v"), (seen, { v, p }) => here(seen, v, p))] : []),
      ];
    case "cached":
      return [
        fact("(and (hasSpace b) (mapped (space b) p) (= (frame (space b) p) f) (= (rights (space b) p) r))", (seen, { b, p, leaf }) => leafIn(seen.before, seen.before.space[b]!, p) === leaf),
        ...(names.frame ? spaces.flatMap((space) => pages.flatMap((page) => (space.guard === page.guard ? [atPlace(space, page)] : []))) : []),
        ...(names.maps ? [fact("(and (= f (slotFrame c0)) (= r newRights))", (seen, { leaf }) => frameIn(leaf) === targetOf(seen).object && rightsIn(leaf) === newRights(names, seen))] : []),
        ...(names.frame ? [fact("(= f (slotFrame c0))", (seen, { leaf }) => frameIn(leaf) === targetOf(seen).object)] : []),
        someStream,
        ...banks.map((name) => same("b", name)),
        fact("(hasSpace b)", (seen, { b }) => seen.before.space[b] !== NONE),
        ...spaces.flatMap(({ smt, guard, of }) => [
          fact(both("(hasSpace b)", guard, `(= (space b) ${smt})`), (seen, { b }) => seen.before.space[b] !== NONE && seen.before.space[b] === of(seen)),
          fact(`(and ${guard} (mapped ${smt} p) (= (frame ${smt} p) f) (= (rights ${smt} p) r))`, (seen, { p, leaf }) => of(seen) !== NONE && leafIn(seen.before, of(seen), p) === leaf),
        ]),
        ...(names.revokes ? [fact("(descBank b)", (seen, { b }) => descendant(seen, seen.run.shop.small.plan.cbs[b]!.node))] : []),
        ...(names.revokes && names.frame ? [fact(`(and (hasSpace b) ${mappedHere("(space b)")})`, (seen, { b, p }) => seen.before.space[b] !== NONE && here(seen, seen.before.space[b]!, p))] : []),
        ...pages.map((name) => same("p", name)),
      ];
    case "path":
      return [
        fact("(and (hasSpace b) (= (space b) v))", (seen, { b, v }) => seen.before.space[b] !== NONE && seen.before.space[b] === v),
        ...banks.map((name) => same("b", name)),
        ...spaces.map((name) => same("v", name)),
        someStream,
        ...(names.revokes ? [fact("(descBank b)", (seen, { b }) => descendant(seen, seen.run.shop.small.plan.cbs[b]!.node))] : []),
      ];
    case "slot":
      return [
        fact("(= c c0)", (_, { c }) => c === TARGET),
        fact("(= c c1)", (_, { c }) => c === ARGUMENT),
        ...[SID, CB, VSPACE, FRAME].map((each) => fact(`(= (kind c) ${kindNames[each]})`, (seen, { c }) => slotOf(seen, c).kind === each)),
        ...[SID, CB, VSPACE, FRAME].map((each) => fact(`(= (kind c0) ${kindNames[each]})`, (seen) => targetOf(seen).kind === each)),
        fact("(slotMapped c)", (seen, { c }) => slotOf(seen, c).asid !== NONE),
        ...(names.revokes ? [fact("(desc c)", (seen, { c }) => descendant(seen, c))] : []),
        ...rightsFacts,
      ];
    case "all":
      return [];
  }
};
