"""Writes checks/cases.jsonl: 300 outputs for checks/checks.yaml, half of them good, half with one fault planted.

    python3 tests/goldens/make_check_cases.py

A row is {"id", "tags", "prediction", "reference", "fails": {check: what its fault says}}; checks that are not in "fails" pass. The truth follows from how
an output is made, never from a program that grades it. Only the standard library is used; the same file every time.
"""

import json
import random
from pathlib import Path

TEAMS = ["billing", "network", "orders"]
NOTES = ["Asks for a second copy.", "The line drops every evening.", "Wants two more boxes, soon.", "Café near the station, called twice.", "Paid in March."]
SENTENCES = ["The harbour opens in spring.", "Prices fell by 3.5 percent.", "Dr. Lee spoke to the town council.", "Nobody was hurt.", "What comes next is open!",
             "A ferry leaves at 7 a.m. every day.", "The mayor said: \"We will pay.\"", "J. R. Brown signed the plan.", "It costs 1.2 million, e.g. for stone.",
             "Who decides?", "Workers of the U.S. firm agreed.", "Rain delayed the work…", "Visitors came from No. 5 Pier.", "The old crane is gone.",
             "Trees were planted, too."]
GREEK = ["Το λιμάνι ανοίγει την άνοιξη.", "Κανείς δεν τραυματίστηκε.", "Οι τιμές έπεσαν κατά 3%."]
RUSSIAN = ["Порт откроется весной.", "Никто не пострадал.", "Цены упали на 3%."]
JAPANESE = ["港は春に開きます。", "だれもけがをしませんでした。", "価格は3%下がった。"]
ENGLISH = "The harbour opens in spring and nobody was hurt."


def ticket(rng):
    return {"team": rng.choice(TEAMS), "urgent": rng.random() < .5, "note": rng.choice(NOTES), "count": rng.randrange(100)}


def good_ticket(rng):
    row = ticket(rng)
    text = json.dumps(row, ensure_ascii=rng.random() < .5, indent=rng.choice([None, 2]))
    return rng.choice(["", "\n", "  "]) + text + rng.choice(["", "\n"]), json.dumps(row)


def broken(text, rng):
    """No JSON any more: what models make of it."""
    plain = text.strip()
    return rng.choice([plain[:-1], plain.replace('"', "'"), "Here it is: " + plain, "```json\n" + plain + "\n```", plain + " Anything else?", plain[:-1] + ",}", ""])


def bad_ticket(rng, kind):
    row = ticket(rng)
    reference = json.dumps(row)
    unread = {"JSON": "answer", "form": "answer", "team": "answer", "note in Latin letters": "answer", "short note": "answer"}
    if kind == "no JSON":
        return broken(reference, rng), reference, unread
    if kind == "no object":
        return rng.choice(["[]", '"billing"', "12", "null"]), reference, {"JSON": "expected an object", "form": "expected", "team": "no field team",
                                                                        "note in Latin letters": "no field note", "short note": "no field note"}
    if kind == "field missing":
        del row["count"]
        return json.dumps(row), reference, {"form": "count"}
    if kind == "field too many":
        return json.dumps({**row, "mood": "calm"}), reference, {"form": "mood"}
    if kind == "value of another type":
        name, value = rng.choice([("urgent", "yes"), ("urgent", 1), ("count", "3"), ("count", 2.5), ("count", None)])
        return json.dumps({**row, name: value}), reference, {"form": "$." + name}
    if kind == "value out of bounds":
        return json.dumps({**row, "count": rng.choice([-1, 100, 1000])}), reference, {"form": "$.count"}
    if kind == "wrong team":
        return json.dumps({**row, "team": rng.choice([t for t in TEAMS if t != row["team"]])}), reference, {"team": "team: "}
    if kind == "note in another script":
        return json.dumps({**row, "note": rng.choice(RUSSIAN + GREEK + JAPANESE)}), reference, {"note in Latin letters": "letters are latin"}
    assert kind == "long note"
    words = 13 + rng.randrange(5)
    return json.dumps({**row, "note": " ".join(["word"] * words)}), reference, {"short note": f"{words} words, expected at most 12"}


def pick(rng, count):
    return rng.sample(SENTENCES, count)


def good_tldr(rng):
    return "TLDR: " + " ".join(pick(rng, 3)).replace("…", "."), None


def bad_tldr(rng, kind):
    text = good_tldr(rng)[0]
    if kind == "sentences":
        count = rng.choice([1, 2, 4, 5])
        text = "TLDR: " + " ".join(s.replace("…", ".") for s in pick(rng, count))
        fails = {"TLDR of three sentences": f"{count} sentences, expected 3"}
        return text, None, {**fails, **({"length": "characters"} if len(text) < 40 else {})}
    if kind == "prefix":
        return rng.choice(["In short: ", "tldr: ", "TL;DR: "]) + text[6:], None, {"begins with TLDR": "does not start with"}
    if kind == "cut off":
        return text[:-1] + " and then", None, {"ends a sentence": "does not end with"}
    if kind == "too long":
        long = "TLDR: " + " ".join(["The harbour opens, " + "and again " * 45 + "it closes."] + ["Nobody was hurt.", "Who decides?"])
        return long, None, {"length": "expected 40 to 400"}
    if kind == "too short":
        return "TLDR: Yes. Stop! Why?", None, {"length": "21 characters"}
    if kind == "phrase":
        phrase = rng.choice(["As an AI", "as an ai", "I cannot", "Sorry"])
        return text.replace("TLDR: ", f"TLDR: {phrase}, but "), None, {"no phrases": "has \"" + phrase.lower() + "\""}
    assert kind == "markup"
    return text.replace("TLDR: ", "TLDR: " + rng.choice(["<b> ", "<br> ", "</p> "])), None, {"no markup": "a match of"}


def summary(rng, count, date=True, subject=True, parts=2):
    sentences = [s.replace("harbour", "port").replace("the town council", "them") for s in pick(rng, count)]
    if subject:
        sentences[rng.randrange(count)] = "The harbour is what the town council spoke about."
    if date:
        sentences[rng.randrange(count) if not subject else sentences.index(next(s for s in sentences if not s.startswith("The harbour is")))] = "It was decided on 2026-03-05."
    cuts = sorted(rng.sample(range(1, count), parts - 1))
    pieces = [sentences[a:b] for a, b in zip([0, *cuts], [*cuts, count])]
    return "\n---\n".join(" ".join(piece) for piece in pieces)


def bad_summary(rng, kind):
    count = 10 + rng.randrange(6)
    if kind == "sentences":
        count = rng.choice([4, 8, 9])
        return summary(rng, count), None, {"summary of 10 to 15 sentences": f"{count} sentences, expected 10 to 15"}
    if kind == "one part":
        return summary(rng, count, parts=1), None, {"two parts": "0 times"}
    if kind == "three parts":
        return summary(rng, count, parts=3), None, {"two parts": "2 times"}
    if kind == "subject":
        return summary(rng, count, subject=False), None, {"names the subject": "lacks \"harbour\""}
    if kind == "inside another word":
        return summary(rng, count).replace("The harbour is", "The harbourmaster is"), None, {"names the subject": "lacks \"harbour\""}
    if kind == "date":
        return summary(rng, count).replace("2026-03-05", rng.choice(["March 5", "05/03/2026", "2026-3-5", "12026-03-051"])), None, {"dated": "no match of"}
    assert kind == "lines"
    text = summary(rng, count).replace(" ", "\n", 8)
    return text, None, {"few lines": "lines, expected at most 6"}


def good_other(rng, tag):
    if tag == "exact":
        answer = rng.choice(["42", "Paris", "naïve", "東京", "two words"])
        return rng.choice(["", " ", "\n"]) + answer + rng.choice(["", "\n", "  "]), answer
    if tag == "list":
        return json.dumps([rng.randrange(9) for _ in range(rng.randrange(4))]), None
    return " ".join(rng.sample({"greek": GREEK, "russian": RUSSIAN, "japanese": JAPANESE}[tag], 2)) + rng.choice(["", " 2026", " (!)"]), None


def bad_other(rng, tag):
    if tag == "exact":
        answer, other = rng.choice([("42", "42."), ("Paris", "paris"), ("naïve", "naive"), ("two words", "two  words"), ("東京", "東京都"), ("Paris", "")])
        return other, answer, {"answer": "expected \"" + answer}
    if tag == "list":
        return rng.choice(["{}", "1", '"a"', "[1, 2", "[1,]", "(1, 2)", ""]), None, {"list": ""}
    name = {"greek": "Greek", "russian": "Russian", "japanese": "Japanese"}[tag]
    if rng.random() < .3:
        return rng.choice(["", "123 !?", "…"]), None, {name: "no letters"}
    return rng.choice([ENGLISH, good_other(rng, tag)[0][:8] + ENGLISH]), None, {name: "letters are"}


GOOD = [("ticket", 48, good_ticket), ("tldr", 36, good_tldr), ("summary", 26, lambda rng: (summary(rng, 10 + rng.randrange(6)), None)),
        *((tag, 8, lambda rng, tag=tag: good_other(rng, tag)) for tag in ("exact", "list", "greek", "russian", "japanese"))]
BAD = [*(("ticket", 6, kind, bad_ticket) for kind in ("no JSON", "no object", "field missing", "field too many", "value of another type", "value out of bounds",
                                                      "wrong team", "note in another script", "long note")),
       *(("tldr", 5, kind, bad_tldr) for kind in ("sentences", "prefix", "cut off", "too long", "too short", "phrase", "markup")),
       *(("summary", 3, kind, bad_summary) for kind in ("sentences", "one part", "three parts", "subject", "inside another word", "date", "lines")),
       *((tag, 8, tag, bad_other) for tag in ("exact", "list", "greek", "russian", "japanese"))]


def main():
    rng, rows = random.Random(7), []

    def add(tag, kind, text, reference, fails):
        row = {"id": f"{tag} {len(rows)}: {kind}", "tags": [tag], "prediction": text, **({"reference": reference} if reference is not None else {}), "fails": fails}
        rows.append(row)

    for tag, count, make in GOOD:
        for _ in range(count):
            add(tag, "good", *make(rng), {})
    for tag, count, kind, make in BAD:
        for _ in range(count):
            text, reference, fails = make(rng, kind)
            add(tag, kind, text, reference, fails)
    assert len(rows) == 300 and sum(not row["fails"] for row in rows) == 150, len(rows)
    with open(Path(__file__).parent / "checks" / "cases.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
