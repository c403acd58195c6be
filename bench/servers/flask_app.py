"""A Flask application of one route."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)
app.json.compact = True  # type: ignore[attr-defined]


@app.get("/flask")
def greet() -> dict[str, str]:
    return {"message": "Hello, World!"}
