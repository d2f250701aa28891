"""What business paper says in six languages, and how twelve countries write money and dates.

Data for `documents` and `layouts`; nothing here is random, and nothing names a real company or person.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """One language's vocabulary; a tuple holds synonyms, of which a document picks one.

    Attributes:
        months: January to December, separated by blanks.
        mail_opening: Sentence with the fields `document`, `number` and `date`.
        mail_order: Sentence with the field `purchase_order`.
        mail_total: Sentence with the field `total`.
        mail_due: Sentence with the field `due`.
    """

    invoice: tuple[str, ...]
    receipt: tuple[str, ...]
    order: tuple[str, ...]
    number: tuple[str, ...]
    date: tuple[str, ...]
    due: tuple[str, ...]
    delivery: tuple[str, ...]
    purchase_order: tuple[str, ...]
    bill_to: tuple[str, ...]
    description: tuple[str, ...]
    quantity: tuple[str, ...]
    unit_price: tuple[str, ...]
    amount: tuple[str, ...]
    subtotal: tuple[str, ...]
    discount: tuple[str, ...]
    total: tuple[str, ...]
    cash: tuple[str, ...]
    change: tuple[str, ...]
    thanks: tuple[str, ...]
    terms: tuple[str, ...]
    greeting: tuple[str, ...]
    months: str
    goods: tuple[str, ...]
    mail_opening: str
    mail_order: str
    mail_total: str
    mail_due: str


WORDS = {
    "en": Words(
        invoice=("Invoice", "Tax Invoice", "INVOICE"),
        receipt=("Receipt", "Sales Receipt"),
        order=("Order Confirmation", "Sales Order"),
        number=("No.", "Number", "#", "Ref"),
        date=("Date", "Issued", "Date of issue"),
        due=("Due date", "Payment due", "Pay by"),
        delivery=("Delivery date", "Ships on"),
        purchase_order=("Purchase Order", "PO Number", "Your order"),
        bill_to=("Bill to", "Sold to", "Customer"),
        description=("Description", "Item"),
        quantity=("Qty", "Quantity"),
        unit_price=("Unit price", "Price", "Rate"),
        amount=("Amount", "Line total"),
        subtotal=("Subtotal", "Net amount"),
        discount=("Discount", "Trade discount"),
        total=("Total", "Amount due", "TOTAL DUE", "Grand total"),
        cash=("Cash", "Card"),
        change=("Change",),
        thanks=("Thank you for your business.", "Thank you, please come again!"),
        terms=("Payable without deduction.", "Goods remain our property until paid in full."),
        greeting=("Dear Sir or Madam,", "Hello,"),
        months="January February March April May June July August September October November December",
        goods=(
            "Printer paper A4, 80 g",
            "Oak shelf board 120 cm",
            "Consulting, hours",
            "Ground coffee, kg",
            "Network cable Cat 6, m",
            "LED panel 40 W",
            "Safety gloves, pair",
            "Website maintenance",
            "Cardboard box, small",
            "Copper pipe 15 mm",
        ),
        mail_opening="please find below our {document} {number} of {date}.",
        mail_order="It refers to your order {purchase_order}.",
        mail_total="The total comes to {total}, taxes included.",
        mail_due="Kindly transfer the amount by {due}.",
    ),
    "de": Words(
        invoice=("Rechnung", "RECHNUNG", "Faktura"),
        receipt=("Kassenbon", "Quittung"),
        order=("Auftragsbestätigung", "Bestellbestätigung"),
        number=("Nr.", "Nummer", "Beleg-Nr."),
        date=("Datum", "Belegdatum", "Ausstellungsdatum"),
        due=("Fällig am", "Zahlbar bis", "Zahlungsziel"),
        delivery=("Liefertermin", "Versand am"),
        purchase_order=("Bestellnummer", "Ihre Bestellung", "Bestell-Nr."),
        bill_to=("Rechnung an", "Kunde"),
        description=("Bezeichnung", "Beschreibung", "Artikel"),
        quantity=("Menge", "Anz."),
        unit_price=("Einzelpreis", "E-Preis"),
        amount=("Betrag", "Gesamtpreis"),
        subtotal=("Zwischensumme", "Nettobetrag"),
        discount=("Rabatt", "Nachlass"),
        total=("Gesamtbetrag", "Rechnungsbetrag", "Summe", "Endbetrag"),
        cash=("Bar", "Girocard"),
        change=("Rückgeld",),
        thanks=("Vielen Dank für Ihren Auftrag.", "Danke für Ihren Einkauf!"),
        terms=("Zahlbar ohne Abzug.", "Die Ware bleibt bis zur Bezahlung unser Eigentum."),
        greeting=("Sehr geehrte Damen und Herren,", "Guten Tag,"),
        months="Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        goods=(
            "Druckerpapier A4, 80 g",
            "Regalbrett Eiche 120 cm",
            "Beratung, Stunden",
            "Röstkaffee gemahlen, kg",
            "Netzwerkkabel Cat 6, m",
            "LED-Panel 40 W",
            "Schutzhandschuhe, Paar",
            "Wartung der Heizungsanlage",
            "Versandkarton klein",
            "Kupferrohr 15 mm",
        ),
        mail_opening="anbei erhalten Sie unsere {document} {number} vom {date}.",
        mail_order="Sie bezieht sich auf Ihre Bestellung {purchase_order}.",
        mail_total="Der Gesamtbetrag beläuft sich auf {total} einschließlich Mehrwertsteuer.",
        mail_due="Bitte überweisen Sie den Betrag bis zum {due}.",
    ),
    "fr": Words(
        invoice=("Facture", "FACTURE"),
        receipt=("Ticket de caisse", "Reçu"),
        order=("Confirmation de commande", "Accusé de commande"),
        number=("N°", "Numéro", "Réf."),
        date=("Date", "Date d'émission", "Émise le"),
        due=("Échéance", "À régler avant le", "Date d'échéance"),
        delivery=("Date de livraison", "Livraison prévue"),
        purchase_order=("Bon de commande", "Votre commande", "N° de commande"),
        bill_to=("Facturé à", "Client"),
        description=("Désignation", "Description"),
        quantity=("Qté", "Quantité"),
        unit_price=("Prix unitaire", "P.U. HT"),
        amount=("Montant", "Montant HT"),
        subtotal=("Sous-total", "Total HT"),
        discount=("Remise",),
        total=("Total TTC", "Net à payer", "Montant total"),
        cash=("Espèces", "Carte bancaire"),
        change=("Rendu",),
        thanks=("Merci de votre confiance.", "Merci et à bientôt !"),
        terms=("Payable sans escompte.", "Pénalités de retard : trois fois le taux légal."),
        greeting=("Madame, Monsieur,", "Bonjour,"),
        months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        goods=(
            "Papier A4, 80 g",
            "Étagère en chêne 120 cm",
            "Conseil, heures",
            "Café moulu, kg",
            "Câble réseau Cat 6, m",
            "Dalle LED 40 W",
            "Gants de protection, paire",
            "Entretien de la chaudière",
            "Carton d'expédition, petit",
            "Tube de cuivre 15 mm",
        ),
        mail_opening="veuillez trouver ci-dessous notre {document} {number} du {date}.",
        mail_order="Elle correspond à votre commande {purchase_order}.",
        mail_total="Le montant total s'élève à {total}, taxes comprises.",
        mail_due="Merci de régler cette somme avant le {due}.",
    ),
    "es": Words(
        invoice=("Factura", "FACTURA"),
        receipt=("Recibo", "Ticket de compra"),
        order=("Confirmación de pedido", "Pedido"),
        number=("N.º", "Número", "Ref."),
        date=("Fecha", "Fecha de emisión"),
        due=("Vencimiento", "Fecha de vencimiento", "Pagar antes del"),
        delivery=("Fecha de entrega", "Entrega prevista"),
        purchase_order=("Orden de compra", "Su pedido", "N.º de pedido"),
        bill_to=("Facturar a", "Cliente"),
        description=("Descripción", "Concepto"),
        quantity=("Cant.", "Cantidad"),
        unit_price=("Precio unitario", "Precio"),
        amount=("Importe",),
        subtotal=("Subtotal", "Base imponible"),
        discount=("Descuento",),
        total=("Total", "Total a pagar", "Importe total"),
        cash=("Efectivo", "Tarjeta"),
        change=("Cambio",),
        thanks=("Gracias por su confianza.", "¡Gracias por su compra!"),
        terms=("Pago sin descuento.", "No se admiten devoluciones pasados 15 días."),
        greeting=("Estimados señores:", "Buenos días:"),
        months="enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        goods=(
            "Papel A4, 80 g",
            "Estante de roble 120 cm",
            "Asesoría, horas",
            "Café molido, kg",
            "Cable de red Cat 6, m",
            "Panel LED 40 W",
            "Guantes de seguridad, par",
            "Mantenimiento de la caldera",
            "Caja de cartón pequeña",
            "Tubo de cobre 15 mm",
        ),
        mail_opening="adjuntamos nuestra {document} {number} del {date}.",
        mail_order="Corresponde a su pedido {purchase_order}.",
        mail_total="El importe total asciende a {total}, impuestos incluidos.",
        mail_due="Les rogamos el pago antes del {due}.",
    ),
    "it": Words(
        invoice=("Fattura", "FATTURA"),
        receipt=("Scontrino", "Ricevuta"),
        order=("Conferma d'ordine", "Ordine"),
        number=("N.", "Numero", "Rif."),
        date=("Data", "Data di emissione"),
        due=("Scadenza", "Data di scadenza", "Pagare entro il"),
        delivery=("Data di consegna", "Consegna prevista"),
        purchase_order=("Ordine d'acquisto", "Vostro ordine", "N. ordine cliente"),
        bill_to=("Intestata a", "Cliente"),
        description=("Descrizione", "Articolo"),
        quantity=("Q.tà", "Quantità"),
        unit_price=("Prezzo unitario", "Prezzo"),
        amount=("Importo",),
        subtotal=("Imponibile", "Totale parziale"),
        discount=("Sconto",),
        total=("Totale", "Totale da pagare", "TOTALE COMPLESSIVO"),
        cash=("Contanti", "Bancomat"),
        change=("Resto",),
        thanks=("Grazie per la fiducia.", "Grazie e arrivederci!"),
        terms=("Pagamento senza sconto.", "La merce resta nostra fino al saldo."),
        greeting=("Gentili signori,", "Buongiorno,"),
        months="gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        goods=(
            "Carta A4, 80 g",
            "Mensola in rovere 120 cm",
            "Consulenza, ore",
            "Caffè macinato, kg",
            "Cavo di rete Cat 6, m",
            "Pannello LED 40 W",
            "Guanti da lavoro, paio",
            "Manutenzione della caldaia",
            "Scatola di cartone piccola",
            "Tubo di rame 15 mm",
        ),
        mail_opening="di seguito la nostra {document} {number} del {date}.",
        mail_order="Si riferisce al vostro ordine {purchase_order}.",
        mail_total="L'importo totale è di {total}, IVA inclusa.",
        mail_due="Vi preghiamo di pagare entro il {due}.",
    ),
    "nl": Words(
        invoice=("Factuur", "FACTUUR"),
        receipt=("Kassabon", "Bon"),
        order=("Orderbevestiging", "Bestelling"),
        number=("Nr.", "Nummer", "Ref."),
        date=("Datum", "Factuurdatum", "Uitgegeven op"),
        due=("Vervaldatum", "Te betalen voor", "Betalen vóór"),
        delivery=("Leverdatum", "Verwachte levering"),
        purchase_order=("Inkooporder", "Uw bestelling", "Bestelnummer"),
        bill_to=("Factuur aan", "Klant"),
        description=("Omschrijving", "Artikel"),
        quantity=("Aantal",),
        unit_price=("Stuksprijs", "Prijs"),
        amount=("Bedrag",),
        subtotal=("Subtotaal", "Totaal excl. btw"),
        discount=("Korting",),
        total=("Totaal", "Totaal incl. btw", "Te betalen"),
        cash=("Contant", "Pin"),
        change=("Wisselgeld",),
        thanks=("Bedankt voor uw vertrouwen.", "Bedankt en tot ziens!"),
        terms=("Betaling zonder korting.", "De goederen blijven ons eigendom tot betaling."),
        greeting=("Geachte heer of mevrouw,", "Goedendag,"),
        months="januari februari maart april mei juni juli augustus september oktober november december",
        goods=(
            "Printpapier A4, 80 g",
            "Eiken plank 120 cm",
            "Advies, uren",
            "Gemalen koffie, kg",
            "Netwerkkabel Cat 6, m",
            "Ledpaneel 40 W",
            "Werkhandschoenen, paar",
            "Onderhoud cv-ketel",
            "Kartonnen doos klein",
            "Koperen buis 15 mm",
        ),
        mail_opening="hierbij ontvangt u onze {document} {number} van {date}.",
        mail_order="Deze hoort bij uw bestelling {purchase_order}.",
        mail_total="Het totaalbedrag is {total}, inclusief btw.",
        mail_due="Wilt u het bedrag vóór {due} overmaken?",
    ),
}


@dataclass(frozen=True)
class Market:
    """One country's way to write an address, an amount and a date.

    Attributes:
        signs: How the currency may be written, its blank included: before the amount if `sign_first`, else after it.
        decimals: Digits after the decimal mark: 0 for a currency without a minor unit.
        dates: Patterns over `d`, `m`, `y`, `yy` and `month`, each unambiguous in its country.
        tax_percent: The rate on every line; prices on a receipt include it, prices on an invoice do not.
    """

    country: str
    language: str
    currency: str
    signs: tuple[str, ...]
    sign_first: bool
    decimal: str
    group: str
    dates: tuple[str, ...]
    tax_name: str
    tax_percent: int
    legal_forms: tuple[str, ...]
    names: tuple[str, ...]
    places: tuple[str, ...]
    streets: tuple[str, ...]
    decimals: int = 2


_DOTTED = ("{d:02}.{m:02}.{y}", "{d}.{m}.{yy:02}", "{d}. {month} {y}", "{y}-{m:02}-{d:02}")
_SLASHED = ("{d:02}/{m:02}/{y}", "{d} {month} {y}", "{d:02}-{m:02}-{y}", "{y}-{m:02}-{d:02}")

MARKETS = (
    Market(
        country="United Kingdom",
        language="en",
        currency="GBP",
        signs=("£", "GBP "),
        sign_first=True,
        decimal=".",
        group=",",
        dates=_SLASHED,
        tax_name="VAT",
        tax_percent=20,
        legal_forms=("Ltd", "LLP", "& Sons"),
        names=("Harrow Mills", "Pennywell Supplies", "Thornbury Office", "Ashdale Catering"),
        places=("Leeds LS1 4DY", "Bristol BS1 5TR", "York YO1 7HH"),
        streets=("{n} Station Road", "{n} Mill Lane", "Unit {n}, Quay Park"),
    ),
    Market(
        country="USA",
        language="en",
        currency="USD",
        signs=("$", "US$ ", "USD "),
        sign_first=True,
        decimal=".",
        group=",",
        dates=("{m:02}/{d:02}/{y}", "{month} {d}, {y}", "{m}/{d}/{yy:02}", "{y}-{m:02}-{d:02}"),
        tax_name="Sales tax",
        tax_percent=8,
        legal_forms=("Inc.", "LLC", "Co."),
        names=("Cedar Ridge Hardware", "Bluewater Foods", "Prairie Paper", "Summit Electric"),
        places=("Dayton, OH 45402", "Boise, ID 83702", "Albany, NY 12207"),
        streets=("{n} Main Street", "{n} W 3rd Ave", "{n} Industrial Pkwy"),
    ),
    Market(
        country="Japan",
        language="en",
        currency="JPY",
        signs=("¥", "JPY "),
        sign_first=True,
        decimal=".",
        group=",",
        dates=("{y}-{m:02}-{d:02}", "{y}/{m:02}/{d:02}", "{month} {d}, {y}"),
        tax_name="Consumption tax",
        tax_percent=10,
        legal_forms=("K.K.", "Co., Ltd."),
        names=("Hoshikawa Trading", "Minato Tools", "Aozora Paper"),
        places=("Osaka 530-0001", "Nagoya 450-0002"),
        streets=("{n}-2 Umeda, Kita-ku", "{n}-14 Meieki, Nakamura-ku"),
        decimals=0,
    ),
    Market(
        country="Sweden",
        language="en",
        currency="SEK",
        signs=(" SEK", " kr"),
        sign_first=False,
        decimal=",",
        group="\N{NO-BREAK SPACE}",
        dates=("{y}-{m:02}-{d:02}", "{d} {month} {y}"),
        tax_name="Moms/VAT",
        tax_percent=25,
        legal_forms=("AB",),
        names=("Norrvik Trä", "Älvdal Verktyg", "Björklund Papper"),
        places=("411 03 Göteborg", "753 20 Uppsala"),
        streets=("Storgatan {n}", "Hamngatan {n}"),
    ),
    Market(
        country="Deutschland",
        language="de",
        currency="EUR",
        signs=(" €", " EUR"),
        sign_first=False,
        decimal=",",
        group=".",
        dates=_DOTTED,
        tax_name="MwSt.",
        tax_percent=19,
        legal_forms=("GmbH", "e. K.", "KG", "GmbH & Co. KG"),
        names=("Möbelwerk Süd", "Hagedorn Bürobedarf", "Kaffeerösterei Kranich", "Elektro Weißmann"),
        places=("10115 Berlin", "80331 München", "50667 Köln"),
        streets=("Lindenstraße {n}", "Am Güterbahnhof {n}", "Mühlweg {n}"),
    ),
    Market(
        country="Schweiz",
        language="de",
        currency="CHF",
        signs=("CHF ", "Fr. "),
        sign_first=True,
        decimal=".",
        group="'",
        dates=_DOTTED,
        tax_name="MWST",
        tax_percent=8,
        legal_forms=("AG", "GmbH"),
        names=("Zürihaus Papeterie", "Aarefeld Technik", "Bergkäserei Tobler"),
        places=("8001 Zürich", "3011 Bern"),
        streets=("Bahnhofstrasse {n}", "Seeweg {n}"),
    ),
    Market(
        country="France",
        language="fr",
        currency="EUR",
        signs=(" €", " EUR"),
        sign_first=False,
        decimal=",",
        group="\N{NARROW NO-BREAK SPACE}",
        dates=_SLASHED,
        tax_name="TVA",
        tax_percent=20,
        legal_forms=("SARL", "SAS", "SA"),
        names=("Papeterie du Moulin", "Ateliers Béranger", "Café Sainte-Anne", "Électricité Lenoir"),
        places=("69002 Lyon", "44000 Nantes", "31000 Toulouse"),
        streets=("{n}, rue des Écoles", "{n} bis, avenue de la Gare", "{n}, place du Marché"),
    ),
    Market(
        country="Canada",
        language="fr",
        currency="CAD",
        signs=(" $ CA", " CAD"),
        sign_first=False,
        decimal=",",
        group="\N{NO-BREAK SPACE}",
        dates=("{y}-{m:02}-{d:02}", "{d} {month} {y}"),
        tax_name="TPS/TVQ",
        tax_percent=15,
        legal_forms=("inc.", "ltée"),
        names=("Érablière Gagnon", "Quincaillerie Laval", "Fournitures Beaupré"),
        places=("Québec (QC) G1R 4S9", "Montréal (QC) H2Y 1C6"),
        streets=("{n}, chemin du Lac", "{n}, boul. Saint-Laurent"),
    ),
    Market(
        country="España",
        language="es",
        currency="EUR",
        signs=(" €", " EUR"),
        sign_first=False,
        decimal=",",
        group=".",
        dates=("{d:02}/{m:02}/{y}", "{d} de {month} de {y}", "{d}-{m}-{yy:02}"),
        tax_name="IVA",
        tax_percent=21,
        legal_forms=("S.L.", "S.A."),
        names=("Papelería Olmedo", "Suministros Cañada", "Talleres Ibáñez", "Cafés Peñalara"),
        places=("28013 Madrid", "41001 Sevilla", "46002 Valencia"),
        streets=("C/ Mayor, {n}", "Avda. del Puerto, {n}", "Plaza Nueva, {n}"),
    ),
    Market(
        country="México",
        language="es",
        currency="MXN",
        signs=("MX$ ", "MXN "),
        sign_first=True,
        decimal=".",
        group=",",
        dates=("{d:02}/{m:02}/{y}", "{d} de {month} de {y}"),
        tax_name="IVA",
        tax_percent=16,
        legal_forms=("S.A. de C.V.",),
        names=("Ferretería El Águila", "Muebles Jalisco", "Papelera Anáhuac"),
        places=("06000 Ciudad de México", "44100 Guadalajara"),
        streets=("Av. Juárez {n}", "Calle Hidalgo {n}"),
    ),
    Market(
        country="Italia",
        language="it",
        currency="EUR",
        signs=("€ ", "EUR "),
        sign_first=True,
        decimal=",",
        group=".",
        dates=_SLASHED,
        tax_name="IVA",
        tax_percent=22,
        legal_forms=("S.r.l.", "S.p.A.", "S.n.c."),
        names=("Cartoleria Bellini", "Officine Ferrante", "Torrefazione Città Alta", "Arredi Niccolò"),
        places=("20121 Milano", "40121 Bologna", "10122 Torino"),
        streets=("Via Garibaldi {n}", "Corso Italia {n}", "Piazza San Marco {n}"),
    ),
    Market(
        country="Nederland",
        language="nl",
        currency="EUR",
        signs=("€ ", "EUR "),
        sign_first=True,
        decimal=",",
        group=".",
        dates=("{d:02}-{m:02}-{y}", "{d} {month} {y}", "{d}-{m}-{yy:02}"),
        tax_name="btw",
        tax_percent=21,
        legal_forms=("B.V.", "V.O.F.", "N.V."),
        names=("Kantoorhuis Zuid", "Van Loon Installatie", "Koffiebranderij De Molen", "Houtwerk Noord"),
        places=("1012 AB Amsterdam", "3511 CE Utrecht", "5611 HW Eindhoven"),
        streets=("Dorpsstraat {n}", "Havenkade {n}", "Molenweg {n}"),
    ),
)
