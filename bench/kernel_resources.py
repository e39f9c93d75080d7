"""The table of kernel_resources.sh: reads the words of ptxas -v (LOGS/*.log), and what the emulation launched (LOGS/launches, LOGS/symbols).

    kernel_resources.py LOGS "80 86 90"

Exit 1 where a kernel of attention or cross-entropy spills, or keeps arrays in local memory."""
import pathlib
import re
import subprocess
import sys


def short(name):
    """temper::cuda::(anonymous namespace)::f<8, true>(int) -> f<8, true>: what nvcc's and g++'s names of a kernel share."""
    name = name.replace("(anonymous namespace)::", "").replace("temper::cuda::", "").replace("temper::", "")
    name = re.sub(r"\((unsigned|int|bool|long)\)", "", name)  # (int)8 of other demanglers
    depth, begin, end = 0, 0, len(name)
    for i, letter in enumerate(name):
        depth += (letter == "<") - (letter == ">")
        if depth == 0 and letter == " ":
            begin = i + 1
        if depth == 0 and letter == "(":
            end = i
            break
    return name[begin:end]


def compiled(log):
    """(mangled name, architecture) -> figures, of one file's words."""
    found = {}
    for words in re.split(r"ptxas info\s*: Compiling entry function ", log.read_text())[1:]:
        name, architecture = re.match(r"'(\S+)' for 'sm_(\d+)\w*'", words).groups()
        stack, stores, loads = map(int, re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", words).groups())
        shared = re.search(r"(\d+)(?:\+\d+)? bytes smem", words)
        found[name, architecture] = {"registers": int(re.search(r"Used (\d+) registers", words)[1]), "stack": stack, "spilled": stores + loads,
                                     "shared": int(shared[1]) if shared else 0}
    return found


def launched(folder):
    """Short name -> (threads, bytes of shared memory)."""
    names = {}
    for line in (folder / "symbols").read_text().splitlines():
        parts = line.split(" ", 2)
        if len(parts) == 3 and parts[0] and parts[1] in "tTWw":
            names[int(parts[0], 16)] = short(parts[2])
    most = {}
    for line in (folder / "launches").read_text().splitlines():
        at, threads, shared = line.split()
        name = names[int(at, 16)]
        before = most.get(name, (0, 0))
        most[name] = max(before[0], int(threads)), max(before[1], int(shared))
    return most


def main():
    folder, architectures = pathlib.Path(sys.argv[1]), sys.argv[2].split()
    launches = launched(folder)
    columns = [f"{a[:-1]}.{a[-1]}" for a in architectures]
    print("| File | Kernel | " + " | ".join(columns) + " | Threads | Shared memory, bytes | Stack, bytes | Spilled, bytes |")
    print("|---" * (6 + len(columns)) + "|")
    bad, kernels = [], 0
    for log in sorted(folder.glob("*.log")):
        found = compiled(log)
        mangled = sorted({name for name, _ in found})
        text = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True).stdout.splitlines()
        for kernel, name in sorted(zip(map(short, text), mangled)):
            figures = [found[name, a] for a in architectures]
            most = {key: max(f[key] for f in figures) for key in figures[0]}
            threads, dynamic = launches.get(kernel, ("", None))
            kernels += 1
            print(f"| {log.stem} | `{kernel}` | " + " | ".join(str(f["registers"]) for f in figures) +
                  f" | {threads} | {'' if dynamic is None else most['shared'] + dynamic} | {most['stack']} | {most['spilled']} |")
            if re.match("attention|cross_entropy|loss_rows", log.stem) and (most["stack"] or most["spilled"]):
                where = [column for column, f in zip(columns, figures) if f["stack"] or f["spilled"]]
                bad.append(f"{kernel} of {log.stem}.cu: {most['stack']} bytes of stack, {most['spilled']} bytes spilled on {', '.join(where)}")
    print(f"\n{kernels} kernels.")
    for line in bad:
        print(f"kernel_resources: {line}", file=sys.stderr)
    sys.exit(1 if bad else 0)


main()
