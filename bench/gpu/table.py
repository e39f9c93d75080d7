"""The table of gpu.sh: table.py RESULTS VERSION writes Markdown from rows.tsv and peak.json."""
import json
import os
import sys


def peak_text(folder):
    path = folder + "/peak.json"
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        return "No device was measured."
    with open(path, encoding="utf-8") as file:
        peak = json.load(file)
    if peak["name"] == "emulated":
        return "The device was emulated: no GPU has run anything here, and no row may be quoted."
    rates = peak["flops_per_second"]
    return (f"{peak['name']} (compute capability {peak['compute_capability']}, {peak['memory_bytes'] / 2**30:.0f} GiB). Measured peak: {rates['bfloat16'] / 1e12:.0f} TFLOP/s in bfloat16 "
            f"(the largest matrix product of cuBLASLt; the denominator of shares), {rates['float32'] / 1e12:.1f} in float32, {peak['copy_bytes_per_second'] / 1e9:.0f} GB/s copied, read and written.")


def main():
    folder, version = sys.argv[1], sys.argv[2]
    with open(folder + "/rows.tsv", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    print("# On a GPU\n")
    print(peak_text(folder) + f"\n\n{version.rstrip(';').replace(';', '; ')}\n")
    print("| Part | What | Figure | Bar | Status | Note |\n|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |")
    counts = {}
    for row in rows:
        counts[row[4]] = counts.get(row[4], 0) + 1
    print("\n" + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) + ".")


main()
