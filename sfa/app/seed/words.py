"""Names of people, companies and streets by language, and what sales people write. All made up."""

from typing import NamedTuple


class Language(NamedTuple):
    first: tuple[str, ...]
    last: tuple[str, ...]
    streets: tuple[str, ...]
    trades: tuple[tuple[str, str], ...]  # what a company is called, its industry
    forms: tuple[str, ...]  # legal forms


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LANGUAGES: dict[str, Language] = {
    "es": Language(
        _words(
            "Ana Carmen Lucía Marta Elena Nuria Irene Sara Javier Diego Pablo Álvaro Iker Jon Raúl Sergio Hugo Óscar"
        ),
        _words(
            "García Fernández González Rodríguez López Martínez Sánchez Pérez Gómez Alonso Etxeberria Iturralde "
            "Ortega Serrano Castro Vidal Molina Ramos Blanco Prieto Vega Campos Arias"
        ),
        _words("Mayor Gran-Vía Colón Cervantes Goya Velázquez Alameda Constitución Industria Arrabal"),
        (
            ("Talleres", "machinery"),
            ("Bodegas", "beverages"),
            ("Conservas", "food"),
            ("Suministros", "wholesale"),
            ("Aguas", "water supply"),
            ("Química", "chemicals"),
            ("Astilleros", "shipbuilding"),
            ("Clínica", "health"),
        ),
        ("S.L.", "S.A.", "S. Coop."),
    ),
    "de": Language(
        _words(
            "Anna Lena Julia Katrin Sabine Petra Monika Nina Lukas Jonas Stefan Markus Thomas Jens Uwe Felix Holger"
        ),
        _words(
            "Müller Schmidt Schneider Fischer Weber Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf "
            "Schwarz Zimmermann Braun Krüger Hartmann Lange Werner Krause Lehmann"
        ),
        _words("Hauptstraße Bahnhofstraße Gartenweg Industriestraße Schillerstraße Goethestraße Ringstraße Hafenweg"),
        (
            ("Maschinenbau", "machinery"),
            ("Brauerei", "beverages"),
            ("Molkerei", "food"),
            ("Großhandel", "wholesale"),
            ("Stadtwerke", "water supply"),
            ("Chemie", "chemicals"),
            ("Papierfabrik", "paper"),
            ("Klinik", "health"),
        ),
        ("GmbH", "AG", "GmbH & Co. KG"),
    ),
    "fr": Language(
        _words(
            "Camille Julie Claire Sophie Élodie Manon Léa Inès Antoine Julien Nicolas Thomas Hugo Louis Rémi Yann Éric"
        ),
        _words(
            "Martin Bernard Dubois Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefebvre Michel Garnier Roux "
            "Fournier Girard Bonnet Lambert Fontaine Rousseau Mercier Faure Blanchard"
        ),
        _words("rue-Victor-Hugo avenue-de-la-Gare rue-Pasteur boulevard-Carnot rue-des-Lilas quai-Sud rue-Molière"),
        (
            ("Ateliers", "machinery"),
            ("Domaine", "beverages"),
            ("Laiterie", "food"),
            ("Comptoir", "wholesale"),
            ("Eaux", "water supply"),
            ("Chimie", "chemicals"),
            ("Papeteries", "paper"),
            ("Clinique", "health"),
        ),
        ("SARL", "SAS", "SA"),
    ),
    "en": Language(
        _words(
            "Emma Olivia Amelia Grace Hannah Lucy Priya Aisha Jack Oliver Harry George Liam Owen Rhys Amir Callum Peter"
        ),
        _words(
            "Smith Jones Taylor Brown Wilson Evans Thomas Roberts Walker Wright Green Hall Wood Clarke Patel Khan "
            "Turner Cooper Ward Bailey Shaw Mason Hunt"
        ),
        _words("High-Street Station-Road Mill-Lane Victoria-Road Church-Street Park-Avenue Canal-Street Albert-Road"),
        (
            ("Engineering", "machinery"),
            ("Brewing", "beverages"),
            ("Foods", "food"),
            ("Supplies", "wholesale"),
            ("Water", "water supply"),
            ("Chemicals", "chemicals"),
            ("Paper Mills", "paper"),
            ("Care", "health"),
        ),
        ("Ltd", "plc", "LLP"),
    ),
    "it": Language(
        _words(
            "Giulia Chiara Francesca Elisa Laura Silvia Marta Anna Marco Luca Andrea Matteo Paolo Davide Fabio Enrico"
        ),
        _words(
            "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti Costa Mancini "
            "Giordano Rizzo Lombardi Moretti Barbieri Fontana Santoro Mariani Rinaldi"
        ),
        _words("via-Roma via-Garibaldi corso-Italia via-Mazzini via-Verdi via-Dante viale-Europa via-Marconi"),
        (
            ("Officine", "machinery"),
            ("Cantine", "beverages"),
            ("Pastificio", "food"),
            ("Forniture", "wholesale"),
            ("Acque", "water supply"),
            ("Chimica", "chemicals"),
            ("Cartiera", "paper"),
            ("Clinica", "health"),
        ),
        ("S.r.l.", "S.p.A.", "S.n.c."),
    ),
    "pt": Language(
        _words(
            "Inês Beatriz Mariana Joana Catarina Sofia Rita Teresa João Tiago Miguel Rui Nuno Pedro Duarte André Vasco"
        ),
        _words(
            "Silva Santos Ferreira Pereira Oliveira Costa Rodrigues Martins Sousa Fernandes Lopes Marques Gomes Alves "
            "Almeida Ribeiro Pinto Carvalho Teixeira Moreira Correia Mendes Nunes Soares"
        ),
        _words("Rua-Direita Avenida-da-Liberdade Rua-do-Porto Rua-Nova Avenida-Central Rua-das-Flores Largo-da-Sé"),
        (
            ("Metalúrgica", "machinery"),
            ("Adega", "beverages"),
            ("Conserveira", "food"),
            ("Armazéns", "wholesale"),
            ("Águas", "water supply"),
            ("Química", "chemicals"),
            ("Corticeira", "cork"),
            ("Clínica", "health"),
        ),
        ("Lda.", "S.A.", "Unipessoal"),
    ),
}

TITLES = (
    *("Head of purchasing", "Buyer", "Plant manager", "Maintenance lead", "Managing director", "Owner"),
    *("Technical director", "Accountant", "Warehouse lead", "Project engineer"),
)
TAGS = ("framework contract", "tender", "export", "reference", "service contract", "seasonal", "new plant")
PURPOSES = ("First visit", "Offer", "Service check", "Price talk", "Yearly review", "Complaint", "Demonstration")
OUTCOMES = (
    *("Interested, wants an offer", "No need this quarter", "Order expected", "Asked for a reference plant"),
    *("Technical questions open", "Competitor is cheaper", "Follow up after the audit"),
)
NOTES = (
    "Showed the new series. They run {count} machines on two shifts and want quieter ones in the second hall.",
    "{name} decides together with the plant manager; the budget is fixed until the end of the quarter.",
    "Line {count} stood still twice last month because of seals. Send the data sheet of the long-life kit.",
    "They compare us with two others. What counts is delivery within {count} days and service on Saturdays.",
    "Walked through the plant with {name}. {count} units are older than ten years; replace them in stages.",
    "Price was not the topic today. They want training for {count} people before the season starts.",
    "Invoice of last month is in dispute: {count} hours of service. Promised to check and call back.",
    "Good talk over lunch. {name} moves to the head office in spring; ask for an introduction to the successor.",
)
STEPS = ("Send offer", "Call back", "Arrange demonstration", "Check delivery date", "Meet purchasing", "Sign contract")
TASKS = ("Send data sheet", "Call about the offer", "Prepare yearly review", "Ask for references", "Check stock")
LOST_REASONS = ("price", "competitor", "no budget", "no decision", "delivery time", "technical fit")
