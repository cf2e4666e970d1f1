"""A small set of the four files, and one line of it changed at will."""

from pathlib import Path

from sfa.crm.imports.opportunities import ACCOUNTS, DEALS, PRODUCTS, TEAMS

SMALL: dict[str, list[str]] = {
    TEAMS: [
        "sales_agent,manager,regional_office",
        "Ana Alba,Mia Moor,North",
        "Bob Bell,Mia Moor,North",
        "Cleo Cole,Sam Stone,South",
    ],
    PRODUCTS: ["product,series,sales_price", "GTX Pro,GTX,4821", "MG Special,MG,55.50"],
    ACCOUNTS: [
        "account,sector,year_established,revenue,employees,office_location,subsidiary_of",
        "Acme & Co,technolgy,1996,1100.04,2822,United States,",
        "Zeta,medical,2001,12,30,Philipines,Acme & Co",
    ],
    DEALS: [
        "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value",
        "D1,Ana Alba,GTXPro,Acme & Co,Won,2017-01-10,2017-03-01,5000",
        "D2,Bob Bell,MG Special,Acme & Co,Lost,2017-01-11,2017-03-02,0",
        "D3,Cleo Cole,MG Special,Zeta,Engaging,2016-12-30,,",
        "D4,Ana Alba,GTX Pro,,Prospecting,,,",
        "D5,Ana Alba,MG Special,Zeta,Won,2017-02-01,2017-02-03,60.25",
    ],
}


def write_small(folder: Path, changed: dict[tuple[str, int], str | None] | None = None) -> Path:
    """The files in a folder; `changed[file, line number]` replaces a line (None drops it, a new number appends)."""
    folder.mkdir(exist_ok=True)
    for file, lines in SMALL.items():
        numbered: dict[int, str | None] = dict(enumerate(lines, start=1))
        numbered |= {number: text for (of, number), text in (changed or {}).items() if of == file}
        kept = [text for _, text in sorted(numbered.items()) if text is not None]
        (folder / file).write_bytes("".join(f"{text}\n" for text in kept).encode("utf-8", "surrogateescape"))
    return folder
