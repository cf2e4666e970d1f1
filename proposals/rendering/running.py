"""What one server process prints: woken after every commit, it claims orders while a process is free, and ends each.

An order is beaten for while it is made. What a process does to itself (`timed_out`, `out_of_memory`, `worker_died`,
`render_failed`) is tried again, up to `ATTEMPTS_MAX` times; what templates or printing refuse is the same each time and
fails at once. A machine that cannot print (`pdf_unavailable`) says so in its log once, leaves orders to others and tries
again every minute. A server that stops gives back what it has; one that is killed is taken over.
"""

import asyncio
import logging

from sqlalchemy import Connection

from proposals.pdf.fetching import ASSET_NAMES
from proposals.rendering import keeping, queue
from proposals.rendering.press import Press
from proposals.rendering.queue import ATTEMPTS_MAX, Printable, Render
from proposals.rendering.values import ASSETS_BYTES_MAX, Order
from sfa.core.apart import OUT_OF_MEMORY, TIMED_OUT, WORKER_DIED, Failed
from sfa.core.errors import Refused
from sfa.db import news
from sfa.files.service import Files

BEAT_S, LOOK_S, PAUSE_S, UNAVAILABLE_S = 5.0, 30.0, 0.05, 60.0
