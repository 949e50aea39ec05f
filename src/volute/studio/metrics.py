"""Counts of what the server does, in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from volute.paths import resident

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds of the histogram of times."""


class Metrics:
    """Counters; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, float] = {}
        self._frames = 0

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._requests[method, route, status] += 1
            self._buckets[route, bisect_left(BOUNDS, seconds)] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def frame(self) -> None:
        """Count a frame of a camera that was painted."""
        with self._lock:
            self._frames += 1

    def text(self, gauges: dict[str, float], finished: dict[str, int]) -> str:
        """Return all of it, with what there is at present by name."""
        with self._lock:
            lines = [*self._lines(gauges, finished)]
        return "\n".join([*lines, ""])

    def _lines(self, gauges: dict[str, float], finished: dict[str, int]) -> Iterator[str]:
        yield "# TYPE volute_requests_total counter"
        for (method, route, status), count in sorted(self._requests.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            yield f"volute_requests_total{{{labels}}} {count}"
        yield "# TYPE volute_request_seconds histogram"
        for route in sorted(self._seconds):
            total = 0
            for place, bound in enumerate((*map(str, BOUNDS), "+Inf")):
                total += self._buckets[route, place]
                yield f'volute_request_seconds_bucket{{route="{route}",le="{bound}"}} {total}'
            yield f'volute_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}'
            yield f'volute_request_seconds_count{{route="{route}"}} {total}'
        yield "# TYPE volute_jobs_total counter"
        for state, count in sorted(finished.items()):
            yield f'volute_jobs_total{{state="{state}"}} {count}'
        yield "# TYPE volute_frames_total counter"
        yield f"volute_frames_total {self._frames}"
        for name, value in {**gauges, "resident_bytes": resident()}.items():
            yield f"# TYPE volute_{name} gauge"
            yield f"volute_{name} {value:g}"
