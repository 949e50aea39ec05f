"""Where something comes from: marks in what models make, and how they are found again."""

from volute.provenance.manifest import Origin, sign
from volute.provenance.verdict import Verdict, verify

__all__ = ["Origin", "Verdict", "sign", "verify"]
