"""Words and sentence patterns of the ticket data: one set for training, another for the held-out rows.

The two share no pattern, product or city. {item} is the product with its number, {id} an order number, {city} a city.
Every plural is the singular and an s.
"""

INTENTS = ("order", "cancel", "return", "track", "repair", "invoice")

TRAIN = {
    "products": (
        "desk lamp", "office chair", "coffee grinder", "rain jacket", "water bottle", "phone charger", "yoga mat", "garden hose",
        "wall clock", "bike helmet", "frying pan", "laptop stand", "pillow", "backpack", "toaster", "travel mug", "bookcase",
        "door mat", "keyboard", "floor fan", "picture frame", "bread bin", "tent", "camp stove", "shower curtain", "power drill",
        "paint roller", "bath towel", "hand mixer", "sled", "tripod", "router", "alarm clock", "candle holder", "storage crate",
        "mirror", "rug", "guitar string", "notebook", "fountain pen", "soup bowl", "wine rack",
        "mattress cover", "dish rack", "potato peeler", "vacuum cleaner", "ladder", "hammer", "screwdriver", "lunch bag", "baseball cap",
        "raincoat", "sofa", "night stand", "coat hanger", "mouse pad", "microphone", "camera bag", "battery pack", "extension cable",
        "fish tank", "dog bowl", "cat tree", "bird feeder", "watering can", "lawn mower", "hammock", "cooler", "thermometer",
        "weight vest", "jump rope", "tennis racket", "football", "chess set", "puzzle", "doll house", "violin bow", "drum stick",
        "easel", "apron", "rice cooker", "waffle iron", "juicer", "ice tray", "salad spinner", "teaspoon", "plate", "napkin"),
    "cities": (
        "Lisbon", "Hamburg", "Chicago", "Osaka", "Nairobi", "Toronto", "Lyon", "Krakow", "Seville", "Denver", "Manchester", "Oslo",
        "Prague", "Turin", "Bergen", "Austin", "Porto", "Leeds", "Antwerp", "Zurich", "Athens", "Boston", "Dublin", "Madrid", "Sydney",
        "Geneva", "Naples", "Utrecht",
        "Copenhagen", "Budapest", "Marseille", "Dresden", "Cologne", "Granada", "Malaga", "Bologna", "Rotterdam", "Ghent", "Gdansk",
        "Riga", "Tallinn", "Vilnius", "Cardiff", "Glasgow", "Belfast", "Cork", "Nagoya", "Busan", "Manila", "Hanoi", "Mumbai", "Cairo",
        "Accra", "Tunis", "Lima", "Bogota", "Quito", "Santiago", "Havana", "Phoenix", "Dallas", "Detroit", "Portland", "Calgary",
        "Ottawa", "Perth", "Adelaide", "Wellington", "New York", "San Diego", "Hong Kong", "Buenos Aires"),
    "id_prefixes": ("TK", "AB", "ORD", "R", "W", "QX", "K", "PL", "INV", "CN", "EU", "SH"),
    "cores": {
        "order": (
            "I would like to order {item}.", "Please send me {item}.", "I want to buy {item}.", "Can I get {item}?", "We need {item}.",
            "Put me down for {item}.", "I'd like to purchase {item}, please.", "Please add {item} to my basket and ship it.",
            "Could you deliver {item}?", "Would you send {item} to me?", "I am looking to buy {item} today."),
        "cancel": (
            "Please cancel my order for {item}.", "I no longer want {item}, cancel it.", "Cancel {item} please.",
            "I changed my mind about {item}.", "Stop the shipment of {item}, I don't need it now.",
            "I'd like to call off my purchase of {item}.", "Don't send {item} after all.", "Take {item} off my order.",
            "I ordered {item} by mistake, please cancel."),
        "return": (
            "I want to return {item}.", "I'd like to send back {item} and get my money back.", "How do I return {item}?",
            "Please refund me for {item}.", "{item} did not suit me, I want a refund.", "I am sending {item} back.",
            "Can I give back {item}? It is the wrong colour.", "I am not happy with {item} and would like my money back.",
            "Please take {item} back."),
        "track": (
            "Where is {item} that I ordered?", "When will {item} arrive?", "I am still waiting for {item}.",
            "Has {item} been shipped yet?", "Can you tell me the delivery status of {item}?", "{item} has not arrived yet.",
            "I'd like to track my parcel with {item}.", "Any news about the delivery of {item}?",
            "I have waited for {item} for ten days.", "Please check on the shipment of {item}.", "My package with {item} is late."),
        "repair": (
            "{item} arrived broken, can you fix it?", "I need {item} repaired.", "{item} stopped working.", "Can you repair {item}?",
            "There is a crack in {item}, please mend it.", "{item} does not work any more and needs a repair.",
            "Something is wrong with {item}, it needs fixing.", "I have {item} under warranty that broke.",
            "{item} is faulty, I want it fixed."),
        "invoice": (
            "Please send me the invoice for {item}.", "I need a receipt for {item}.", "Can I have the bill for {item}?",
            "Our accounting asks for the invoice of {item}.", "I lost the receipt for {item}.",
            "Could you email me a VAT invoice for {item}?", "There was no bill in the box with {item}.", "The bill for {item} is missing.",
            "Send the invoice for {item} again, please."),
    },
    "ids": (
        "My order number is {id}.", "Order {id}.", "It is order {id}.", "The reference is {id}.", "(order no. {id})", "See {id}.",
        "Reference: {id}.", "Order no: {id}.", "You find my order as {id}."),
    "places": (
        "I live in {city}.", "Ship to {city}.", "I am in {city}.", "The address is in {city}.", "Delivery to {city}.",
        "Greetings from {city}.", "We are based in {city}."),
    "urgency": {
        "high": (
            "This is urgent!", "I need it by tomorrow.", "As soon as possible, please.", "It is an emergency.", "Please hurry.",
            "I can't wait any longer.", "ASAP!", "I need it right away.", "Please act fast.", "It has to be today."),
        "low": (
            "There is no hurry.", "Take your time.", "It is not urgent.", "Whenever you can.", "No rush.", "It can wait.",
            "Any time is fine.", "Do it when it is convenient for you.", "I don't mind waiting.", "I have plenty of time."),
        "normal": ("", "", "", "Thank you.", "Thanks!", "Kind regards.", "Have a nice day.", "Cheers.", "Yours truly."),
    },
    "openings": ("", "", "", "Hi,", "Hello,", "Good morning,", "Dear team,", "Hey there,"),
    "numbers": {
        1: ("one",),
        2: ("two", "2", "a pair of"),
        3: ("three", "3"),
        4: ("four", "4"),
        5: ("five", "5"),
        6: ("six", "6"),
        7: ("seven", "7"),
        8: ("eight", "8"),
        9: ("nine", "9"),
        10: ("ten", "10"),
        12: ("twelve", "12", "a dozen"),
        15: ("15",),
        20: ("twenty", "20"),
    },
}

HELD_OUT = {
    "products": (
        "garden bench", "wool scarf", "egg timer", "rocking chair", "paper shredder", "picnic blanket", "bath robe", "leather belt",
        "snow shovel", "tea strainer", "piano stool", "swim ring", "lunch plate", "name tag", "oven glove", "desk organizer",
        "pepper mill", "bicycle pump", "ski pole", "rain barrel", "cake tin", "metal detector", "hair dryer", "aquarium",
        "umbrella", "kettle", "skateboard", "telescope", "cutting board", "window blind"),
    "cities": (
        "Vienna", "Seattle", "Lagos", "Helsinki", "Bristol", "Montreal", "Valencia", "Warsaw", "Kyoto", "Brussels", "Cape Town",
        "Auckland", "Reykjavik", "Salzburg", "Nantes", "Memphis", "Rosario", "Odense", "Kampala", "Taipei"),
    "id_prefixes": ("KL", "M", "ZT", "CUS", "BN", "WEB"),
    "cores": {
        "order": (
            "I'm interested in buying {item} from your shop.", "Kindly reserve and ship {item} for me.",
            "My family wants {item}, please send.",
            "How do I order {item}?", "I'll take {item}.", "Please prepare {item} for delivery, I pay on receipt."),
        "cancel": (
            "I made a mistake when I bought {item}, please cancel.", "Please drop my order for {item}.",
            "Please void my order of {item}.", "We do not want {item} any longer, please cancel it.",
            "If it is not too late, cancel {item}.", "I bought {item} twice, so cancel one of the orders."),
        "return": (
            "I have no use for {item} and want a refund.", "What is the way to return {item}?",
            "{item} is too small, I am going to send it back.",
            "Please tell me how to ship back {item} for a refund.", "We want our money back for {item}.",
            "I have to send {item} back, the material is not for me."),
        "track": (
            "At what time will you bring {item}?", "My neighbour got his parcel, but where is {item}?",
            "Was {item} sent out already?", "Do you know when {item} will be here?", "Nobody has delivered {item} so far.",
            "Is {item} on its way?"),
        "repair": (
            "Will you repair {item} for free?", "I dropped {item}, is there a repair service?",
            "A part of {item} came loose and must be fixed.", "Who can mend {item} for me?", "{item} is damaged, please fix it.",
            "{item} has a defect and I hope you can repair it."),
        "invoice": (
            "A paper invoice for {item} would be nice.", "The tax office wants the receipt of {item}.",
            "Kindly write a bill for {item}.", "Where do I find the invoice for {item}?",
            "I paid for {item} but got no receipt.", "My boss wants to see the bill for {item}."),
    },
    "ids": (
        "Your number for it: {id}.", "On the label it says {id}.", "Please look up {id}.", "I was given the number {id}.",
        "It was order no. {id}."),
    "places": (
        "I moved to {city}.", "The nearest town is {city}.", "Our office in {city} is open all day.", "Our house is in {city}.",
        "The parcel goes to {city}."),
    "urgency": {
        "high": (
            "I am in a great hurry.", "Every hour counts.", "Drop everything else for this, please.", "This can't wait.",
            "Please make it fast, it is an emergency."),
        "low": (
            "A few weeks more make no difference.", "It is fine if this takes long.", "Whenever you get around to it.",
            "You may take all the time you need.",
            "Next month is early enough."),
        "normal": ("", "", "Many thanks.", "Best regards.", "Thank you for your help."),
    },
    "openings": ("", "Good evening,", "Hello team,", "Dear shop,", "Dear sir or madam,"),
    "numbers": {
        1: ("one",),
        2: ("two", "2", "a couple of"),
        3: ("three", "3"),
        4: ("four", "4"),
        5: ("five", "5"),
        6: ("six", "6", "half a dozen"),
        8: ("eight", "8"),
        10: ("ten", "10"),
        11: ("eleven", "11"),
        12: ("twelve", "12"),
        14: ("14",),
        25: ("25",),
    },
}
