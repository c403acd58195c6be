"""The endpoints of wire_app, through a router.

python -m tests.apps.wire_router_app PORT
"""

from __future__ import annotations

from fastraw import Router
from tests.apps import wire_app

router = Router()
router.get("/")(wire_app.hello)
for path, endpoint in wire_app.ROUTES.items():
    router.route(path)(endpoint)

if __name__ == "__main__":
    wire_app.main(router)
