"""Pictures of a made-up company, for tests of how they are drawn."""

import io
from collections import Counter
from typing import Any

from PIL import Image

from forecasting.pictures.drawing import Order, draw, specification
from forecasting.pictures.values import (
    About,
    AccuracyPicture,
    Called,
    MovementPicture,
    Picture,
    RollupPicture,
    Stack,
    Step,
)

ABOUT = About("Contoso", "2026-Q4", "EUR", "2026-11-22", notes=("3 deals without amount",))
AMOUNTS = {"closed": 61_000_050, "commit": 41_000_000, "likely": 12_000_000, "best_case": 20_000_000,
           "pipeline": 44_000_000, "slipped": 5_000_000, "omitted": 9_900_000}  # fmt: skip
WHOLE = Stack("company", "Contoso", AMOUNTS, quota_minor=200_000_000, call_minor=120_000_000)
PARTS = [
    Stack("team:n", "North", {**AMOUNTS, "closed": 50_000_050}, 120_000_000, 80_000_000),
    Stack("team:s", "South", {"closed": 12_000_000, "slipped": 0}, None, 30_000_000),
    Stack("user:eva", "Eva", {"closed": -1_000_000}),
]
ROLLUP = RollupPicture(ABOUT, WHOLE, PARTS)
STEPS = [
    Step("opening", 4, {"closed": 100_00, "commit": 300_00, "pipeline": 50_00, "omitted": 7_00}),
    Step("won", 1, {"closed": 120_00, "commit": -100_00}),
    Step("lost", 1, {"pipeline": -50_00}),
    Step("removed", 0, {}),
    Step("category", 1, {"commit": -200_00, "likely": 200_00, "omitted": -7_00}),
    Step("rates", 0, {}),
    Step("closing", 3, {"closed": 220_00, "likely": 200_00}),
]
MOVEMENT = MovementPicture(ABOUT, STEPS)
CALLS = [
    Called("2026-10-05", "2026-Q3", 900_00, 1_000_00),
    Called("2026-10-12", "2026-Q3", 600_00, 500_00),
    Called("2026-10-19", "2026-Q4", 700_00),
]
ACCURACY = AccuracyPicture(ABOUT, CALLS, "commit", wape_bp=1_333, bias_bp=0, few=True)
ALL: tuple[Picture, ...] = (ROLLUP, MOVEMENT, ACCURACY)


def spec_of(picture: Picture) -> dict[str, Any]:
    return specification(picture)


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Every value that a specification draws, of all its layers."""
    found: list[dict[str, Any]] = []
    for rows in spec.get("datasets", {}).values():
        found += rows
    stack: list[Any] = [spec]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            data = part.get("data")
            if isinstance(data, dict):
                found += data.get("values", [])
            stack += [value for name, value in part.items() if name not in ("data", "datasets")]
        elif isinstance(part, list):
            stack += part
    return found


def png_of(picture: Picture, scale: int = 1) -> Image.Image:
    return Image.open(io.BytesIO(draw(Order("png", picture, scale)))).convert("RGB")


def colours_of(image: Image.Image) -> Counter[tuple[int, int, int]]:
    """How many pixels there are of each colour."""
    return Counter(zip(*(channel.tobytes() for channel in image.split()), strict=True))


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
