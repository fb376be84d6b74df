"""The same API as Django and its REST framework write it. Run with the descriptor of a listening socket."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import django
import uvicorn
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="__main__",
    USE_TZ=True,
    SECRET_KEY="an example",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.clickjacking.XFrameOptionsMiddleware"],
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    },
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402 - after the settings
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.gzip import gzip_page  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.decorators import api_view  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402


class TaskSerializer(serializers.Serializer):  # type: ignore[misc]
    title = serializers.CharField()
    minutes = serializers.IntegerField()


ROWS = [
    {
        "id": n,
        "price": Decimal("10.50"),
        "score": float(n),
        "note": None if n % 2 else "x",
        "taken_at": datetime(2024, 5, 1, 10, 0, n, 123456, UTC),
    }
    for n in range(1, 8)
]


@api_view(["GET"])  # type: ignore[untyped-decorator]
def rows(_: Request) -> Response:
    return Response({"count": len(ROWS), "next": None, "previous": None, "results": ROWS})


def row(_: HttpRequest, row: int) -> JsonResponse:
    return JsonResponse(ROWS[row - 1])


@api_view(["POST"])  # type: ignore[untyped-decorator]
def create(request: Request) -> Response:
    serializer = TaskSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return Response(serializer.data, status=201)


@api_view(["GET"])  # type: ignore[untyped-decorator]
def same(_: Request) -> Response:
    return Response({"b": [1, "é", None, True], "a": 1})


@api_view(["GET"])  # type: ignore[untyped-decorator]
def login(_: Request) -> Response:
    response = Response({"ok": True})
    response.set_cookie("sid", "from-django", httponly=True, samesite="Lax", max_age=600)
    return response


@api_view(["GET"])  # type: ignore[untyped-decorator]
def sparse(_: Request) -> Response:
    return Response({"name": "a", "note": None})


@api_view(["GET"])  # type: ignore[untyped-decorator]
def naive(_: Request) -> Response:
    return Response({"at": datetime(2024, 5, 1, 12, tzinfo=UTC)})


@api_view(["GET"])  # type: ignore[untyped-decorator]
def spelled(_: Request) -> Response:
    return Response({"at": datetime(2024, 5, 1, 10, tzinfo=UTC), "word": "é", "much": 10**16, "ten": 10.0})


@gzip_page  # type: ignore[untyped-decorator]
def zipped(_: HttpRequest) -> JsonResponse:
    return JsonResponse(["much of the same"] * 50, safe=False)


@api_view(["GET"])  # type: ignore[untyped-decorator]
def order(_: Request) -> Response:
    return Response([{"id": n} for n in (3, 2, 1)])


def moved(_: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect("/order/")


urlpatterns: list[Any] = [
    path("moved/", moved),
    path("sparse/", sparse),
    path("naive/", naive),
    path("spelled/", spelled),
    path("zipped/", zipped),
    path("order/", order),
    path("rows/", rows),
    path("rows/<int:row>", row),
    path("tasks/", create),
    path("same/", same),
    path("login/", login),
]

if __name__ == "__main__":
    uvicorn.run(get_asgi_application(), fd=int(sys.argv[1]), log_level="warning", lifespan="off")
