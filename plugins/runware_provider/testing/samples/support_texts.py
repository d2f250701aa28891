"""Short support messages in six languages, each with the label that it should get."""

from __future__ import annotations

from random import Random

import pyarrow as pa

LABELS = ("billing", "bug", "feature_request", "praise", "other")
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")
TEXTS_PER_DAY = 45

TEXT_SCHEMA = pa.schema(
    [
        pa.field("text_id", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("expected_label", pa.string(), nullable=False),
    ],
)

_MESSAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "billing": (
            "I was charged {amount} EUR twice for {product}, order {order}. Please refund one payment.",
            "Where can I download the invoice for {order}? Accounting keeps asking me.",
            "My card was debited again although I cancelled {product} last month.",
        ),
        "bug": (
            "{product} crashes with error {code} as soon as I open a file.",
            "Since the update the export button in {product} does nothing at all.",
        ),
        "feature_request": (
            "It would be great if {product} could export to CSV.",
            "Please add a dark mode to {product}, my eyes would thank you.",
        ),
        "praise": (
            "Just wanted to say that {product} saved my week. Wonderful work!",
            "Your support answered within {minutes} minutes. Impressive, thank you!",
        ),
        "other": (
            "Do you have an office in Lisbon?",
            "I saw order {order} on a parcel that isn't mine. Whom should I give it to?",
        ),
    },
    "de": {
        "billing": (
            "Für Bestellung {order} wurden {amount} EUR doppelt abgebucht. Bitte erstatten Sie einen Betrag.",
            "Ich brauche die Rechnung zu {order} mit unserer neuen Firmenanschrift.",
        ),
        "bug": (
            "{product} stürzt beim Speichern mit Fehler {code} ab.",
            "Seit dem Update lässt sich {product} nicht mehr starten.",
        ),
        "feature_request": (
            "Könnte {product} bitte auch nach Excel exportieren?",
            "Ich wünsche mir Tastenkürzel in {product}.",
        ),
        "praise": (
            "Großes Lob an das Team: {product} ist ein Traum.",
            "Nach {minutes} Minuten hatte ich eine Antwort. Klasse Service!",
        ),
        "other": (
            "Bilden Sie auch Praktikanten aus?",
            "Ist Ihre Hotline am {minutes}. Dezember besetzt?",
        ),
    },
    "fr": {
        "billing": (
            "La commande {order} m'a été facturée deux fois, soit {amount} EUR de trop.",
            "Pouvez-vous m'envoyer la facture de {order} ?",
        ),
        "bug": (
            "{product} plante avec l'erreur {code} dès que j'importe une image.",
            "Depuis hier, {product} reste bloqué sur l'écran de chargement.",
        ),
        "feature_request": (
            "Serait-il possible d'ajouter un calendrier à {product} ?",
            "J'aimerais pouvoir partager mes dossiers depuis {product}.",
        ),
        "praise": (
            "Bravo, {product} est un vrai bonheur à utiliser !",
            "Réponse en {minutes} minutes, merci, c'est parfait.",
        ),
        "other": (
            "Quels sont vos horaires d'ouverture ?",
            "Je cherche un stage de {minutes} semaines chez vous.",
        ),
    },
    "es": {
        "billing": (
            "Me han cobrado {amount} EUR dos veces por el pedido {order}.",
            "Necesito la factura del pedido {order} a nombre de mi empresa.",
        ),
        "bug": (
            "{product} se cierra solo y muestra el error {code}.",
            "No puedo iniciar sesión en {product} desde la última actualización.",
        ),
        "feature_request": (
            "Estaría bien que {product} permitiera trabajar sin conexión.",
            "¿Podrían añadir el catalán a {product}?",
        ),
        "praise": (
            "¡Enhorabuena! {product} funciona de maravilla.",
            "Me atendieron en {minutes} minutos, qué gusto. ¡Gracias!",
        ),
        "other": (
            "¿Tienen tienda en Bilbao?",
            "¿Con quién hablo para dar una charla de {minutes} minutos en su congreso?",
        ),
    },
    "it": {
        "billing": (
            "Mi avete addebitato {amount} EUR due volte per l'ordine {order}.",
            "Dove trovo la fattura dell'ordine {order}?",
        ),
        "bug": (
            "{product} si blocca con l'errore {code} quando stampo.",
            "Dopo l'aggiornamento {product} non salva più i documenti.",
        ),
        "feature_request": (
            "Sarebbe utile poter ordinare le note per data in {product}.",
            "Potreste aggiungere la firma digitale a {product}?",
        ),
        "praise": (
            "Complimenti, {product} è fatto davvero bene!",
            "Assistenza gentilissima, risposta in {minutes} minuti.",
        ),
        "other": (
            "Avete un indirizzo per la stampa?",
            "Fate visite guidate per una classe di {minutes} ragazzi?",
        ),
    },
    "nl": {
        "billing": (
            "Voor bestelling {order} is {amount} EUR dubbel afgeschreven.",
            "Kunt u de factuur van {order} opnieuw sturen?",
        ),
        "bug": (
            "{product} loopt vast met foutcode {code}.",
            "Zoeken in {product} geeft sinds gisteren geen resultaten meer.",
        ),
        "feature_request": (
            "Kan {product} ook een weekoverzicht krijgen?",
            "Graag een koppeling tussen {product} en onze agenda.",
        ),
        "praise": (
            "Heel blij met {product}, ga zo door!",
            "Binnen {minutes} minuten geholpen. Top!",
        ),
        "other": (
            "Zoeken jullie nog vrijwilligers?",
            "Hoe laat sluit het kantoor in Utrecht?",
        ),
    },
}
_PRODUCTS = ("Papyrus", "Papyrus Mobile", "Ledgerly", "Notewell", "Ledgerly Desktop")


def support_texts(seed: int) -> dict[str, pa.Table]:
    """A table of `TEXT_SCHEMA` for each of `DAYS`; every day has every label."""
    return {day: pa.Table.from_pylist(_day(day, seed), TEXT_SCHEMA) for day in DAYS}


def _day(day: str, seed: int) -> list[dict[str, str]]:
    rng = Random(f"texts {seed} {day}")  # noqa: S311 (repeatable on purpose)
    rows = []
    for index in range(TEXTS_PER_DAY):
        label = LABELS[index % len(LABELS)]
        language = rng.choice(sorted(_MESSAGES))
        text = rng.choice(_MESSAGES[language][label]).format(
            amount=rng.randrange(5, 400),
            code=rng.randrange(100, 999),
            minutes=rng.randrange(5, 29),
            order=f"A-{rng.randrange(10_000, 99_999)}",
            product=rng.choice(_PRODUCTS),
        )
        rows.append(
            {"text_id": f"{day}-{index:03}", "language": language, "text": text, "expected_label": label}
        )
    rng.shuffle(rows)
    return rows
