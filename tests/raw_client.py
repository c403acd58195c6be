"""The strict client, which is part of fastraw."""

from fastraw.testing import BadResponse, RawClient, RawResponse

__all__ = ["BadResponse", "RawClient", "RawResponse"]
