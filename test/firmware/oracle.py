"""A second reading of device trees, through libfdt, to hold against `cofferdam topology --json`.

Usage: oracle.py BOARD...   One JSON document a line: smmus, masters, maps, shared; without the diagnostics.
It shares nothing with src/firmware: libfdt reads the blob, and the rules are written again from the bindings.
"""
import json
import re
import struct
import sys

import libfdt

ARM_V2 = {"arm,smmu-v1", "arm,smmu-v2", "arm,mmu-400", "arm,mmu-401", "arm,mmu-500", "cavium,smmu-v2", "nvidia,smmu-500"}


def load(file):
    """Nodes in tree order: (path, parent index, properties)."""
    with open(file, "rb") as blob:
        fdt = libfdt.FdtRo(blob.read())
    nodes, open_nodes, offset, depth = [], [], 0, 0
    while offset >= 0:
        del open_nodes[depth:]
        parent = open_nodes[-1] if open_nodes else None
        name = fdt.get_name(offset)
        path = "/" if parent is None else nodes[parent][0].rstrip("/") + "/" + name
        properties, at = {}, fdt.first_property_offset(offset, libfdt.QUIET_NOTFOUND)
        while at >= 0:
            prop = fdt.get_property_by_offset(at)
            properties[prop.name] = bytes(prop)
            at = fdt.next_property_offset(at, libfdt.QUIET_NOTFOUND)
        open_nodes.append(len(nodes))
        nodes.append((path, parent, properties))
        offset, depth = fdt.next_node(offset, depth, (libfdt.BADOFFSET, libfdt.NOTFOUND))
        if depth < 0:
            break
    return nodes


def words(value):
    return struct.unpack(f">{len(value) // 4}I", value)


def join(cells):
    number = 0
    for cell in cells:
        number = number * 2**32 + cell
    return number


def text(value):
    return [part.decode("latin1") for part in value.split(b"\0")[:-1]]


class Tree:
    def __init__(self, file):
        self.nodes = load(file)
        self.by_phandle = {}
        for i, (_, _, props) in enumerate(self.nodes):
            handle = props.get("phandle", props.get("linux,phandle"))
            if handle is not None:
                self.by_phandle[words(handle)[0]] = i

    def up(self, i):
        while i is not None:
            yield i
            i = self.nodes[i][1]

    def enabled(self, i):
        return all(self.nodes[n][2].get("status", b"ok\0") in (b"ok\0", b"okay\0") for n in self.up(i))

    def width(self, i, name):
        return next((words(self.nodes[n][2][name])[0] for n in self.up(i) if name in self.nodes[n][2]), 1)

    def cpu(self, bus, address):
        """An address of `bus` as the CPU sees it; None where a bus on the way has no range for it."""
        parent = self.nodes[bus][1]
        if parent is None:
            return address
        ranges = self.nodes[bus][2].get("ranges")
        if ranges is None:
            return None
        if ranges:
            a, p, s = self.width(bus, "#address-cells"), self.width(parent, "#address-cells"), self.width(bus, "#size-cells")
            cells = words(ranges)
            rows = [cells[n:n + a + p + s] for n in range(0, len(cells), a + p + s)]
            hits = [r for r in rows if join(r[:a]) <= address < join(r[:a]) + join(r[a + p:])]
            if not hits:
                return None
            address = address - join(hits[0][:a]) + join(hits[0][a:a + p])
        return self.cpu(parent, address)

    def registers(self, i):
        bus = self.nodes[i][1]
        a, s = self.width(bus, "#address-cells"), self.width(bus, "#size-cells")
        cells = words(self.nodes[i][2].get("reg", b""))
        if s == 0:
            return []
        rows = [cells[n:n + a + s] for n in range(0, len(cells), a + s)]
        found = [(self.cpu(bus, join(r[:a])), join(r[a:])) for r in rows]
        return [{"addr": hex(base), "size": hex(size)} for base, size in found if base is not None]

    def kind(self, i):
        names = text(self.nodes[i][2].get("compatible", b""))
        if "arm,smmu-v3" in names:
            return "smmuv3"
        family = any(n in ARM_V2 or re.fullmatch(r"(qcom|marvell),(.*-)?smmu-(v2|500)", n) for n in names)
        return "smmuv2" if family else "other"

    def stream(self, target, specifier):
        path, _, props = self.nodes[target]
        kind = self.kind(target)
        if kind == "other":
            return {"smmu": path}
        mask = 0
        if kind == "smmuv2":
            mask = specifier[1] if len(specifier) > 1 else words(props.get("stream-match-mask", bytes(4)))[0]
        return {"smmu": path, "sid": hex(specifier[0] & ~mask), "mask": hex(mask)}

    def streams(self, value):
        cells, found = list(words(value)), []
        while cells:
            target = self.by_phandle.get(cells.pop(0))
            count = None if target is None else self.nodes[target][2].get("#iommu-cells")
            if count is None or len(cells) < words(count)[0]:
                break
            found.append(self.stream(target, cells[:words(count)[0]]))
            del cells[:words(count)[0]]
        return found

    def entries(self, value):
        cells, found = list(words(value)), []
        cells_of = lambda handle: words(self.nodes[self.by_phandle[handle]][2]["#iommu-cells"])[0]
        one_cell = (cells and len(cells) % 4 == 0 and cells_of(cells[1]) == 2
                    and set(cells[1::4]) == {cells[1]} and set(cells[3::4]) == {1})
        while cells:
            rid, handle = cells[:2]
            outputs = 1 if one_cell else cells_of(handle)
            entry = {"ridBase": hex(rid), "smmu": self.nodes[self.by_phandle[handle]][0]}
            if outputs >= 1:
                entry["sidBase"] = hex(cells[2])
            if outputs == 2:
                entry["sidMask"] = hex(cells[3])
            found.append(entry | {"length": hex(cells[2 + outputs])})
            del cells[:3 + outputs]
        return found

    def with_property(self, name):
        return [(i, path, props) for i, (path, _, props) in enumerate(self.nodes) if name in props]


def document(file):
    tree = Tree(file)
    smmus = [{"path": path, "compatible": text(props.get("compatible", b"")), "kind": tree.kind(i), "enabled": tree.enabled(i),
              "reg": tree.registers(i), "coherent": "dma-coherent" in props} for i, path, props in tree.with_property("#iommu-cells")]
    masters = [{"path": path, "compatible": text(props.get("compatible", b"")), "enabled": tree.enabled(i),
                "streams": tree.streams(props["iommus"])} for i, path, props in tree.with_property("iommus")]
    maps = [{"path": path, "mask": hex(words(props.get("iommu-map-mask", b"\xff" * 4))[0]), "entries": tree.entries(props["iommu-map"])}
            for i, path, props in tree.with_property("iommu-map")]
    users = {}
    for master in masters:
        for stream in master["streams"]:
            if master["enabled"] and "sid" in stream:
                users.setdefault((stream["smmu"], stream["sid"], stream["mask"]), {})[master["path"]] = True
    shared = [{"smmu": smmu, "sid": sid, "mask": mask, "masters": list(paths)} for (smmu, sid, mask), paths in users.items() if len(paths) > 1]
    return {"board": file, "smmus": smmus, "masters": masters, "maps": maps, "shared": shared}


for board in sys.argv[1:]:
    print(json.dumps(document(board)))
