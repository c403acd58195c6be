"""A Django project in one module: groups of users in SQLite, a stream, a file, the admin site.

`prepare(folder)` comes first, and once in a process, since Django has one configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

USER, PASSWORD = "ada", "lovelace"

urlpatterns: list[Any] = []

_AUTH = "django.contrib.auth"
_MIDDLEWARE = (
    *(
        "django.contrib.sessions.middleware.SessionMiddleware",
        f"{_AUTH}.middleware.AuthenticationMiddleware",
    ),
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
)


def prepare(folder: Path) -> Any:
    """Configure Django, make the database in `folder`, and return the application."""
    settings.configure(
        SECRET_KEY="for tests",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "users.sqlite3"}
        },
        # A quick one, which is all that a test needs.
        PASSWORD_HASHERS=[f"{_AUTH}.hashers.MD5PasswordHasher"],
        INSTALLED_APPS=[
            *("django.contrib.admin", _AUTH, "django.contrib.contenttypes"),
            *("django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"),
        ],
        MIDDLEWARE=list(_MIDDLEWARE),
        STATIC_URL="static/",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        f"{_AUTH}.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        MEDIA_ROOT=folder,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    apps.get_model("auth", "User").objects.create_superuser(USER, password=PASSWORD)
    connections.close_all()
    urlpatterns.extend(_urls())
    return StaticFilesHandler(get_wsgi_application())


def _urls() -> list[Any]:
    # The admin site looks for models when it is imported, so there must be a configuration.
    admin = import_module("django.contrib.admin")
    return [
        path("groups", csrf_exempt(groups)),
        path("groups/stream", stream),
        path("file", file),
        path("admin/", admin.site.urls),
    ]


def groups(request: HttpRequest) -> HttpResponseBase:
    """POST makes a group of each name in the form; the answer has all of them."""
    model = apps.get_model("auth", "Group")
    for name in request.POST.getlist("name"):
        model.objects.create(name=name)
    return JsonResponse({"groups": list(model.objects.values_list("name", flat=True))})


def stream(request: HttpRequest) -> HttpResponseBase:
    """The groups, read from the database while they are sent."""

    def lines() -> Iterator[str]:
        for group in apps.get_model("auth", "Group").objects.order_by("name").iterator():
            yield f"{group.name}\n"

    return StreamingHttpResponse(lines(), content_type="text/plain")


def file(request: HttpRequest) -> HttpResponseBase:
    """The database itself."""
    return FileResponse(Path(settings.MEDIA_ROOT, "users.sqlite3").open("rb"))
