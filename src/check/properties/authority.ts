/**
 * Policy: what each stream is authorised for (design §4). It comes from the layout's owners and shares, never from
 * capabilities: holding another's memory is no authority over it, which is what the checker is there to find out.
 */
import { PAGE_BYTES } from "../../base/words.ts";
import type { Access } from "../../base/transaction.ts";
import type { Layout, LayoutRegion } from "../../system/layout.ts";

/** The region that a physical address lies in. */
export const regionAt = (layout: Layout, address: bigint): LayoutRegion | undefined =>
  layout.regions.find(({ base, size }) => address >= base && address < base + size);

/**
 * May a component's devices access the page by policy? Trusted programs grant nothing at run time yet, so the closure of
 * the shares under their grants is the shares themselves.
 */
const componentMay = (region: LayoutRegion | undefined, component: number, access: Access): boolean => {
  if (region === undefined) return false;
  if (region.owner === component) return true;
  return region.shares.some((share) => share.with === component && (access === "read" || share.access === "rw"));
};

/** Authorised(stream, address, access): the stream's owner by policy, remembered by page. */
export const authorityOf = (layout: Layout): ((sid: number, address: bigint, access: Access) => boolean) => {
  const known = new Map<string, boolean>();
  return (sid, address, access) => {
    const key = `${sid} ${address / PAGE_BYTES} ${access}`;
    let answer = known.get(key);
    if (answer === undefined) known.set(key, (answer = componentMay(regionAt(layout, address), layout.sids[sid]!.owner, access)));
    return answer;
  };
};
