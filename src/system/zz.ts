import { planSystem } from "./plan.ts";
import { readFileSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
for (const f of process.argv.slice(2)) { const t=performance.now();
const r = planSystem({specText: readFileSync(f,"utf8"), specFile: f, readBoard: (p)=>{const q=join(dirname(f),p); return existsSync(q)?readFileSync(q):undefined;}});
console.log(f, (performance.now()-t).toFixed(0)+"ms");
for(const d of r.diagnostics) console.log(d.severity, d.place?.file+":"+d.place?.line+":"+d.place?.column+"-"+d.place?.endColumn,d.place?.path,d.id,"|",d.message,"|",d.hint??"");
const l = r.value?.layout;
if(l) { const j=(x:unknown)=>JSON.stringify(x,(_,v)=>typeof v==="bigint"?"0x"+v.toString(16):v);
 console.log(j(l.board), j(l.spec)); for (const k of ["smmus","regions","vspaces","sids","cbs","devices","bindings","dma"] as const) for(const x of l[k]) console.log(k, j(x));
 for (const c of l.components) { console.log(c.name,c.kind,c.trusted,c.radix,c.spareSlots); for (const s of c.slots.filter(s=>!/_([3-9]|1\d)$/.test(s.name))) console.log("  ",s.slot,s.name,j(s.cap),s.parent?j(s.parent):""); } }
}
