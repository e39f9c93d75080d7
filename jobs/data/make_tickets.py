"""Writes the shipped data: messages to a shop, each with the ticket that a clerk would file, as JSON with a fixed schema.

    python3 jobs/data/make_tickets.py [OUTPUT_DIR]

The same files every time; only the standard library is used.
  tickets_train.jsonl           prompt + completion
  tickets_heldout.jsonl         the same task in other sentence patterns, with other products and cities; id, and the intent as tag
  tickets_pairs.jsonl           prompt + chosen + rejected: the right ticket, and one with a fault; other messages in the training patterns
  tickets_pairs_heldout.jsonl   such pairs in the held-out patterns, about messages that no other file holds
A ticket is {"intent", "product", "quantity", "order_id", "urgency", "city"}, the product in the singular. Where the message does not say,
order_id and city are null, the quantity is 1 and the urgency normal. A program grades it field by field.

The held-out patterns were written after the training ones, and no training pattern was changed after a model had been scored on them.
"""

import json
import random
import sys
from pathlib import Path

from tickets_vocabulary import HELD_OUT, INTENTS, TRAIN

SYSTEM = "Reply with the ticket as JSON: intent, product, quantity, order_id, urgency, city."
TRAIN_ROWS, HELD_OUT_ROWS, PAIRS, HELD_OUT_PAIRS = 1920, 200, 224, 64


def pick(rng, values):
    return values[rng.randrange(len(values))]


def chance(rng, percent):
    return rng.randrange(100) < percent


def noun_phrase(rng, vocabulary, intent, product, quantity):
    if quantity > 1:
        return f"{pick(rng, vocabulary['numbers'][quantity])} {product}s"
    if intent == "order":
        article = "an" if product[0] in "aeiou" else "a"
        return f"{pick(rng, (article, article, 'one'))} {product}"
    return f"{pick(rng, ('the', 'my', 'the'))} {product}"


def draw_quantity(rng, vocabulary):
    return 1 if chance(rng, 40) else pick(rng, [n for n in sorted(vocabulary["numbers"]) if n > 1])


def draw_order_id(rng, vocabulary):
    return f"{pick(rng, vocabulary['id_prefixes'])}-{rng.randrange(100, 10000)}"


def upper_first(sentence):
    return sentence[:1].upper() + sentence[1:]


def make_case(rng, vocabulary):
    """A message and its ticket."""
    intent = pick(rng, INTENTS)
    urgency = pick(rng, ("normal", "normal", "high", "low"))
    ticket = {
        "intent": intent, "product": pick(rng, vocabulary["products"]), "quantity": draw_quantity(rng, vocabulary),
        "order_id": draw_order_id(rng, vocabulary) if intent != "order" and chance(rng, 60) else None, "urgency": urgency,
        "city": pick(rng, vocabulary["cities"]) if chance(rng, 65) else None}
    core = pick(rng, vocabulary["cores"][intent])
    sentences = [core.format(item=noun_phrase(rng, vocabulary, intent, ticket["product"], ticket["quantity"]))]
    details = []
    if ticket["order_id"]:
        details.append(pick(rng, vocabulary["ids"]).format(id=ticket["order_id"]))
    if ticket["city"]:
        details.append(pick(rng, vocabulary["places"]).format(city=ticket["city"]))
    if chance(rng, 50):
        details.reverse()
    if details and chance(rng, 25):
        sentences.insert(0, details.pop())
    sentences += details
    sentences.append(pick(rng, vocabulary["urgency"][urgency]))
    message = " ".join(upper_first(s) for s in [pick(rng, vocabulary["openings"]), *sentences] if s)
    return message, ticket


def prompt_of(message):
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": message}]


def answer(content):
    return [{"role": "assistant", "content": content}]


# Values that a program would find wrong come more often than a form that it could not read.
FAULTS = ("intent", "urgency", "quantity", "product", "order_id", "city") * 3 + ("missing", "prose", "python", "comment")


def wrong_value(rng, vocabulary, ticket, field):
    """A value of the field that a hasty reader of the message would write."""
    value = ticket[field]
    if field == "intent":
        return pick(rng, [i for i in INTENTS if i != value])
    if field == "urgency":
        return pick(rng, [u for u in ("low", "normal", "high") if u != value])
    if field == "quantity":
        return pick(rng, (value + 1, value + 10, 1 if value > 1 else 2))
    if field == "product":
        return pick(rng, (value + "s", value.split()[-1] if " " in value else "the " + value, pick(rng, [p for p in vocabulary["products"] if p != value])))
    if value is None:
        return pick(rng, vocabulary["cities"]) if field == "city" else draw_order_id(rng, vocabulary)
    if field == "city":
        return pick(rng, (None, pick(rng, [c for c in vocabulary["cities"] if c != value])))
    return pick(rng, (None, value[:-1] + str((int(value[-1]) + rng.randrange(1, 10)) % 10), value.split("-")[1]))


def spoil(rng, vocabulary, ticket):
    """The ticket with one fault of the kinds a half-trained model makes."""
    fault = pick(rng, FAULTS)
    if fault == "prose":
        text = json.dumps(ticket)
        return pick(rng, ("Here is the ticket: " + text, "Sure! " + text, text + " Let me know if you need anything else."))
    if fault == "python":
        return repr(ticket)
    if fault == "comment":
        return json.dumps({**ticket, "comment": "Filed for the customer."})
    if fault == "missing":
        left_out = pick(rng, list(ticket))
        return json.dumps({field: value for field, value in ticket.items() if field != left_out})
    return json.dumps({**ticket, fault: wrong_value(rng, vocabulary, ticket, fault)})


def cases(seed, vocabulary, count, seen):
    rng = random.Random(seed)
    while count > 0:
        message, ticket = make_case(rng, vocabulary)
        if message not in seen:
            seen.add(message)
            count -= 1
            yield rng, message, ticket


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def main():
    output, seen = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent, set()
    sft = lambda message, ticket: {"prompt": prompt_of(message), "completion": answer(json.dumps(ticket))}
    write_rows(output / "tickets_train.jsonl", (sft(m, t) for _, m, t in cases(1, TRAIN, TRAIN_ROWS, seen)))
    named = lambda number, ticket: {"id": f"ticket-{number:03}", "tags": [ticket["intent"]]}
    write_rows(output / "tickets_heldout.jsonl",
               ({**named(n, t), **sft(m, t)} for n, (_, m, t) in enumerate(cases(2, HELD_OUT, HELD_OUT_ROWS, seen), 1)))
    pairs = lambda seed, vocabulary, count: (
        {"prompt": prompt_of(m), "chosen": answer(json.dumps(t)), "rejected": answer(spoil(rng, vocabulary, t))}
        for rng, m, t in cases(seed, vocabulary, count, seen))
    write_rows(output / "tickets_pairs.jsonl", pairs(3, TRAIN, PAIRS))
    write_rows(output / "tickets_pairs_heldout.jsonl", pairs(4, HELD_OUT, HELD_OUT_PAIRS))


if __name__ == "__main__":
    main()
