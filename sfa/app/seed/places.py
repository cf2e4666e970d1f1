"""Where the company sells: regions with their language, currency and cities (the degrees of each centre)."""

from typing import NamedTuple


class City(NamedTuple):
    name: str
    latitude: float
    longitude: float


class Region(NamedTuple):
    name: str
    country: str
    language: str  # of `words`
    currency: str
    dialling: str
    cities: tuple[City, ...]


def _cities(text: str) -> tuple[City, ...]:
    places = (line.split(",") for line in text.strip().split("; "))
    return tuple(City(name.strip(), float(latitude), float(longitude)) for name, latitude, longitude in places)


REGIONS: tuple[Region, ...] = (
    Region(
        *("Northern Spain", "Spain", "es", "EUR", "+34"),
        _cities(
            "Bilbao,43.263,-2.935; Donostia,43.318,-1.981; Santander,43.462,-3.810; Oviedo,43.362,-5.849; "
            "A Coruña,43.362,-8.411; Vigo,42.241,-8.721; Pamplona,42.812,-1.645; Zaragoza,41.649,-0.889"
        ),
    ),
    Region(
        *("Southern Germany", "Germany", "de", "EUR", "+49"),
        _cities(
            "München,48.135,11.582; Stuttgart,48.776,9.183; Nürnberg,49.452,11.077; Frankfurt,50.110,8.682; "
            "Karlsruhe,49.007,8.404; Augsburg,48.371,10.898; Freiburg,47.999,7.842; Mannheim,49.488,8.467"
        ),
    ),
    Region(
        *("Northern France", "France", "fr", "EUR", "+33"),
        _cities(
            "Paris,48.857,2.352; Lille,50.629,3.057; Rouen,49.443,1.099; Rennes,48.117,-1.678; "
            "Nantes,47.218,-1.554; Reims,49.258,4.032; Le Havre,49.494,0.108; Strasbourg,48.573,7.752"
        ),
    ),
    Region(
        *("United Kingdom", "United Kingdom", "en", "GBP", "+44"),
        _cities(
            "London,51.507,-0.128; Birmingham,52.486,-1.890; Manchester,53.481,-2.243; Leeds,53.801,-1.549; "
            "Bristol,51.455,-2.588; Liverpool,53.408,-2.992; Sheffield,53.381,-1.470; Nottingham,52.955,-1.149"
        ),
    ),
    Region(
        *("Italy", "Italy", "it", "EUR", "+39"),
        _cities(
            "Milano,45.464,9.190; Torino,45.070,7.687; Genova,44.405,8.946; Bologna,44.494,11.343; "
            "Verona,45.438,10.992; Firenze,43.770,11.256; Roma,41.903,12.496; Napoli,40.852,14.268"
        ),
    ),
    Region(
        *("Southern Spain", "Spain", "es", "EUR", "+34"),
        _cities(
            "Madrid,40.417,-3.704; Sevilla,37.389,-5.984; Málaga,36.721,-4.421; Valencia,39.470,-0.376; "
            "Alicante,38.345,-0.481; Murcia,37.992,-1.130; Granada,37.177,-3.599; Córdoba,37.888,-4.779"
        ),
    ),
    Region(
        *("Northern Germany", "Germany", "de", "EUR", "+49"),
        _cities(
            "Hamburg,53.551,9.994; Berlin,52.520,13.405; Bremen,53.079,8.802; Hannover,52.376,9.732; "
            "Kiel,54.323,10.123; Rostock,54.092,12.099; Dortmund,51.514,7.465; Münster,51.961,7.626"
        ),
    ),
    Region(
        *("Southern France", "France", "fr", "EUR", "+33"),
        _cities(
            "Lyon,45.764,4.836; Marseille,43.296,5.370; Toulouse,43.605,1.444; Bordeaux,44.838,-0.579; "
            "Nice,43.710,7.262; Montpellier,43.611,3.877; Grenoble,45.188,5.724; Toulon,43.124,5.928"
        ),
    ),
    Region(
        *("Portugal", "Portugal", "pt", "EUR", "+351"),
        _cities(
            "Lisboa,38.722,-9.139; Porto,41.158,-8.629; Braga,41.545,-8.427; Coimbra,40.203,-8.410; "
            "Faro,37.019,-7.930; Aveiro,40.641,-8.654; Setúbal,38.524,-8.893; Évora,38.571,-7.914"
        ),
    ),
)
