"""Writes io/unicode_tables.cpp: where the reference tokenizer's Unicode tables differ from those of PCRE2 10.42 and utf8proc 2.8.

The reference mixes versions: Oniguruma's classes are Unicode 16, Rust's digits are newer, its normalisation tables are older. Each
difference is measured over all 1,112,064 scalars, by asking both sides.

    python3 tests/goldens/make_unicode_tables.py > io/unicode_tables.cpp        (tokenizers 0.23, libpcre2-8, libutf8proc)
    python3 tests/goldens/make_unicode_tables.py --whole > io/unicode_sets.cpp
"""
import ctypes
import string
import sys

from tokenizers import Regex, normalizers, pre_tokenizers

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp".split()
SCRIPTS = "Han Hiragana Katakana Hangul".split()


def ranges(members):
    out = []
    for c in sorted(members):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def oniguruma(pattern):
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
    text = "".join(map(chr, SCALARS))
    return {ord(c) for word, _ in split.pre_tokenize_str(text) for c in word}


class Pcre2:
    """\\p{...} of libpcre2-8 with UTF and UCP."""

    def __init__(self):
        self.lib = ctypes.CDLL("libpcre2-8.so.0")
        for name in ("pcre2_compile_8", "pcre2_match_data_create_8", "pcre2_get_ovector_pointer_8"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.lib.pcre2_get_ovector_pointer_8.restype = ctypes.POINTER(ctypes.c_size_t)
        self.text = "".join(map(chr, SCALARS)).encode()

    def members(self, pattern):
        error, offset = ctypes.c_int(), ctypes.c_size_t()
        pattern = f"(?:{pattern})+".encode()
        flags = 0x00080000 | 0x00020000  # PCRE2_UTF | PCRE2_UCP
        code = self.lib.pcre2_compile_8(pattern, ctypes.c_size_t(len(pattern)), flags, ctypes.byref(error), ctypes.byref(offset), None)
        assert code, (pattern, error.value)
        data = ctypes.c_void_p(self.lib.pcre2_match_data_create_8(4, None))
        found, at = set(), 0
        while True:
            rc = self.lib.pcre2_match_8(ctypes.c_void_p(code), self.text, ctypes.c_size_t(len(self.text)), ctypes.c_size_t(at),
                                        0x40000000, data, None)
            if rc < 1:
                return found
            ovector = self.lib.pcre2_get_ovector_pointer_8(data)
            found.update(map(ord, self.text[ovector[0]:ovector[1]].decode()))
            at = ovector[1]


class Property(ctypes.Structure):  # the head of utf8proc_property_t
    _fields_ = [("category", ctypes.c_int16), ("combining_class", ctypes.c_int16)]


class Utf8proc:
    def __init__(self):
        self.lib = ctypes.CDLL("libutf8proc.so.2")
        self.lib.utf8proc_get_property.restype = ctypes.POINTER(Property)
        self.properties = {c: self.lib.utf8proc_get_property(c).contents for c in SCALARS}

    def category(self, *categories):
        return {c for c, p in self.properties.items() if p.category in categories}

    def mapped(self, c, options):
        """The scalar's own mapping where it is not the scalar itself."""
        out = ctypes.POINTER(ctypes.c_uint8)()
        text = chr(c).encode()
        size = self.lib.utf8proc_map(text, ctypes.c_ssize_t(len(text)), ctypes.byref(out), options | 2)
        result = bytes(out[:size]).decode()
        ctypes.CDLL(None).free(out)
        return result


def category_rows():
    pcre2 = Pcre2()
    rows = []
    for category in CATEGORIES:
        ours, theirs = pcre2.members(rf"\p{{{category}}}"), oniguruma(rf"\p{{{category}}}")
        if not ours <= theirs:  # moved within its major category: \\p{Mn} is refused, \\p{M} is right
            print(category, "loses", [tuple(map(hex, r)) for r in ranges(ours - theirs)], file=sys.stderr)
        rows += [(a, b, category) for a, b in ranges(theirs - ours)]
    for script in SCRIPTS:
        ours, theirs = pcre2.members(rf"\p{{sc:{script}}}"), oniguruma(rf"\p{{{script}}}")
        assert ours <= theirs, script
        rows += [(a, b, script) for a, b in ranges(theirs - ours)]
    return rows


def pre_tokenizer_sets(utf8proc):
    """Scalars that Digits and Punctuation take, against utf8proc's categories."""
    def isolated(pre_tokenizer):
        return {c for c in SCALARS if len(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "a")) == 3}

    digits = isolated(pre_tokenizers.Digits(True))
    punctuation = isolated(pre_tokenizers.Punctuation())
    ours_digits = utf8proc.category(9, 10, 11)
    ours_punctuation = utf8proc.category(12, 13, 14, 15, 16, 17, 18) | set(map(ord, string.punctuation))
    assert ours_digits <= digits
    return ranges(digits - ours_digits), ranges(punctuation - ours_punctuation), ranges(ours_punctuation - punctuation)


def inert_ranges(utf8proc):
    """Scalars that the reference's normalisation tables do not know: no decomposition, class 0, no composition."""
    inert = {0x11930, 0x11935}  # they compose to U+11938 since Unicode 13
    for form, options in ((normalizers.NFD(), 16), (normalizers.NFKD(), 16 | 4), (normalizers.NFC(), 8), (normalizers.NFKC(), 8 | 4)):
        for c in SCALARS[1:]:
            ours, theirs = utf8proc.mapped(c, options), form.normalize_str(chr(c))
            if ours != theirs:
                assert theirs == chr(c), hex(c)
                inert.add(c)
    nfd = normalizers.NFD()
    for c, p in utf8proc.properties.items():
        if 0 < p.combining_class < 240 and nfd.normalize_str("\u0345" + chr(c)) == "\u0345" + chr(c):
            inert.add(c)
    return ranges(inert)


def lowercase_rows(utf8proc):
    """Scalars whose lower case differs, as (first, last, distance)."""
    lowercase, rows = normalizers.Lowercase(), []
    for c in SCALARS:
        theirs = lowercase.normalize_str(chr(c))
        if theirs == chr(utf8proc.lib.utf8proc_tolower(c)):
            continue
        if len(theirs) != 1:
            assert c == 0x130, hex(c)  # I with dot: two scalars, written out where it is used
            continue
        distance = ord(theirs) - c
        if rows and rows[-1][1] == c - 1 and rows[-1][2] == distance:
            rows[-1][1] = c
        else:
            rows.append([c, c, distance])
    return rows


def whole_sets():
    """Sets that the reference has from tables of its own, whole: what cleaning removes, the marks of its two ways to strip accents."""
    def vanishing(normalizer):
        return ranges([c for c in SCALARS if normalizer.normalize_str(chr(c)) == ""])

    bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return (vanishing(normalizers.BertNormalizer(**bert | {"clean_text": True})), vanishing(normalizers.BertNormalizer(**bert | {"strip_accents": True})),
            vanishing(normalizers.StripAccents()))


def script_rows():
    """Runs of scalars that UnicodeScripts does not part, numbered by script. A scalar that it joins with anything has no row."""
    split = pre_tokenizers.UnicodeScripts()
    parts = lambda text: len(split.pre_tokenize_str(text)) > 1
    rows, examples = [], []
    for c in SCALARS:
        if not parts("a" + chr(c)) and not parts("\u03b1" + chr(c)):
            continue
        if rows and rows[-1][1] == c - 1 and not parts(chr(c - 1) + chr(c)):
            rows[-1][1] = c
            continue
        script = next((i for i, example in enumerate(examples) if not parts(example + chr(c))), len(examples))
        if script == len(examples):
            examples.append(chr(c))
        rows.append([c, c, script])
    return rows


def table(type_name, name, rows):
    items = ["{" + ", ".join(hex(v) if i < 2 else (f'"{v}"' if isinstance(v, str) else str(v)) for i, v in enumerate(row)) + "}" for row in rows]
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > 138:
            lines.append(line)
            line = "   "
        line += " " + item + ","
    lines.append(line)
    print(f"const std::vector<{type_name}>& {name}() {{\n    static const std::vector<{type_name}> rows = {{")
    print("\n".join("    " + text for text in lines))
    print("    };\n    return rows;\n}\n")


def write_whole():
    cleaned, nonspacing, combining = whole_sets()
    print("// Written by tests/goldens/make_unicode_tables.py --whole: sets of the reference that come from tables of its own.")
    print('#include "io/unicode_tables.h"\n\nnamespace temper::tok {\n\n// clang-format off')
    table("ScalarRange", "cleaned_characters", cleaned)
    table("ScalarRange", "nonspacing_marks", nonspacing)
    table("ScalarRange", "combining_marks", combining)
    table("ScriptRange", "script_ranges", script_rows())
    print("// clang-format on\n\n}  // namespace temper::tok")


def main():
    if "--whole" in sys.argv:
        return write_whole()
    utf8proc = Utf8proc()
    numeric, punctuation, not_punctuation = pre_tokenizer_sets(utf8proc)
    print("// Written by tests/goldens/make_unicode_tables.py: differences of the reference's Unicode tables from PCRE2 10.42 and utf8proc 2.8.")
    print('#include "io/unicode_tables.h"\n\nnamespace temper::tok {\n\n// clang-format off')
    table("CategoryRange", "category_additions", category_rows())
    table("ScalarRange", "numeric_additions", numeric)
    table("ScalarRange", "punctuation_additions", punctuation)
    table("ScalarRange", "punctuation_removals", not_punctuation)
    table("ScalarRange", "normalization_inert", inert_ranges(utf8proc))
    table("LowercaseRange", "lowercase_additions", lowercase_rows(utf8proc))
    print("// clang-format on\n\n}  // namespace temper::tok")


main()
