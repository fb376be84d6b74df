"""The new backend: the same API on Django and Django REST framework, answering as the old one does.

It also holds the mistakes a migration makes, each beside the line that does it right; see ``cutover.demo.faults``.
"""
# mypy: allow-subclassing-any
# Django has no types of its own.

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cutover.demo import tokens
from cutover.demo.data import PASSWORD, user_role
from cutover.demo.django_schema import CREDENTIALS, NEW_TASK, SEARCH_QUERY, TASK_QUERY, Study, Task
from cutover.demo.faults import SLOW_ROW_S, active_fault

FAULT = active_fault()
TOKEN_KEY = f"{settings.SECRET_KEY} of new" if FAULT == "token" else settings.SECRET_KEY


class BearerAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[str, None] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        user = tokens.user_of_header(header, TOKEN_KEY)
        if user is None:
            raise exceptions.AuthenticationFailed("Invalid token")
        return user, None

    def authenticate_header(self, _request: Request) -> str:
        return "Bearer"


class ApiView(APIView):
    """Answers as FastAPI does: no HEAD, no OPTIONS, no header that the old side does not send."""

    http_method_names = ("get", "post")
    authentication_classes: tuple[type[BaseAuthentication], ...] = (BearerAuthentication,)

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {}

    def get_exception_handler(self) -> Callable[[Exception, Any], Response | None]:
        return error_response

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.add_post_render_callback(_set_length)
        return answer


def _set_length(response: Response) -> None:
    response["Content-Length"] = str(len(response.content))


class Health(ApiView):
    authentication_classes = ()

    def get(self, _request: Request) -> Response:
        return Response({"status": "ok", "studies": Study.objects.count()})


class Search(ApiView):
    def get(self, request: Request) -> Response:
        query = _validated(SEARCH_QUERY, request.query_params.dict(), "query")
        filters = {
            "modality": query["modality"],
            "status": query["status"],
            "scheduled_at__gte": query["date_from"],
            "scheduled_at__lt": query["date_to"] and query["date_to"] + timedelta(days=1),
        }
        studies = Study.objects.filter(**{name: value for name, value in filters.items() if value is not None})
        if query["q"]:
            named = models.Q(exam_id__icontains=query["q"])
            studies = studies.filter(named | models.Q(description__icontains=query["q"]))
        sort = query["sort"]
        order = [sort] if sort.endswith("exam_id") else [sort, "exam_id"]
        return _page(studies.order_by(*order), query, study_json)


class FilterOptions(ApiView):
    def get(self, _request: Request) -> Response:
        dates = Study.objects.aggregate(first=models.Min("scheduled_at"), last=models.Max("scheduled_at"))
        return Response(
            {
                "modalities": _choices("modality"),
                "statuses": _choices("status"),
                "body_parts": _choices("body_part"),
                "sites": _choices("site"),
                "scheduled": {"first": _iso(dates["first"]), "last": _iso(dates["last"])},
            }
        )


class OneStudy(ApiView):
    def get(self, _request: Request, exam_id: str) -> Response:
        return Response(study_json(_study(exam_id)))


class Tasks(ApiView):
    def get(self, request: Request) -> Response:
        _signed_in(request)
        query = _validated(TASK_QUERY, request.query_params.dict(), "query")
        tasks = Task.objects.order_by("-id")
        if query["created_by"]:
            tasks = tasks.filter(created_by=query["created_by"])
        return _page(tasks, query, task_json)

    def post(self, request: Request) -> Response:
        user = _signed_in(request)
        task = _validated(NEW_TASK, request.data, "body")
        _study(task["exam_id"])
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        created = Task.objects.create(**task, created_by=user, created_at=now)
        row = {name: getattr(created, name) for name in ("id", *task, "created_by", "created_at")}
        return Response(task_json(row), status=201)


class Login(ApiView):
    def post(self, request: Request) -> Response:
        given = _validated(CREDENTIALS, request.data, "body")
        role = user_role(given["username"])
        if role is None or given["password"] != PASSWORD:
            raise exceptions.AuthenticationFailed("Incorrect username or password")
        return Response(
            {
                "access_token": tokens.issue(given["username"], TOKEN_KEY),
                "token_type": "bearer",
                "expires_at": tokens.expires_at(),
                "user": {"username": given["username"], "role": role},
            }
        )


class Me(ApiView):
    def get(self, request: Request) -> Response:
        user = _signed_in(request)
        return Response({"username": user, "role": user_role(user)})


class Unprocessable(exceptions.APIException):
    """FastAPI's 422; ``mistakes`` are (place, field, missing?)."""

    status_code = 422

    def __init__(self, mistakes: list[tuple[str, str, bool]]) -> None:
        super().__init__()
        self.body = [
            {
                "loc": [place, field] if field else [place],
                "msg": "Field required" if missing else "Value is not valid",
                "type": "missing" if missing else "invalid",
            }
            for place, field, missing in sorted(mistakes)
        ]


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """The old side's error bodies. None leaves a defect to Django: a 500."""
    if isinstance(error, exceptions.ParseError | exceptions.UnsupportedMediaType):
        error = Unprocessable([("body", "", False)])
    if isinstance(error, Unprocessable):
        return Response({"detail": error.body}, status=error.status_code)
    if isinstance(error, exceptions.MethodNotAllowed):
        allow = {"Allow": ", ".join(context["view"].allowed_methods)}
        return Response({"detail": "Method Not Allowed"}, status=405, headers=allow)
    if isinstance(error, exceptions.APIException):
        challenge = getattr(error, "auth_header", None)
        headers = {"WWW-Authenticate": challenge} if challenge else {}
        return Response({"detail": str(error.detail)}, status=error.status_code, headers=headers)
    return None


def not_found(_request: HttpRequest, exception: Exception) -> JsonResponse:  # noqa: ARG001 - the name is Django's
    return JsonResponse({"detail": "Not Found"}, status=404, json_dumps_params={"separators": (",", ":")})


def study_json(row: dict[str, Any]) -> dict[str, Any]:
    study = {
        "exam_id": row["exam_id"],
        "modality": row["modality"],
        "status": row["status"],
        "description": row["description"],
        "body_part": row["body_part"],
        "site": row["site"],
        "patient": {"id": row["patient_id"], "birth_year": row["birth_year"], "sex": row["sex"]},
        "images": {"series": row["series"], "instances": row["instances"], "size_mb": row["size_mb"]},
        "radiologist": row["radiologist"],
        "tags": json.loads(row["tags"]),
        "scheduled_at": _iso(row["scheduled_at"]),
        "completed_at": _iso(row["completed_at"]),
    }
    if FAULT == "null-as-empty":
        return {key: "" if value is None else value for key, value in study.items()}
    return study


def task_json(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "created_at": _iso(row["created_at"])}


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.strftime("%d/%m/%Y %H:%M:%S") if FAULT == "date-format" else moment.isoformat()


def _validated(serializer: serializers.Serializer, data: Any, place: str) -> dict[str, Any]:
    try:
        return dict(serializer.run_validation(data))
    except exceptions.ValidationError as error:
        raise Unprocessable(
            [
                (place, "" if field == "non_field_errors" else field, errors[0].code == "required")
                for field, errors in error.detail.items()
            ]
        ) from None


def _signed_in(request: Request) -> str:
    if request.user is None:
        raise exceptions.NotAuthenticated("Not authenticated")
    return str(request.user)


def _study(exam_id: str) -> dict[str, Any]:
    row: dict[str, Any] | None = Study.objects.filter(exam_id=exam_id).values().first()
    if row is None:
        raise exceptions.NotFound(f"Study {exam_id} not found")
    return row


def _choices(column: str) -> list[str]:
    known = Study.objects.exclude(**{column: None}).order_by(column)
    return list(known.values_list(column, flat=True).distinct())


def _page(rows: models.QuerySet, query: dict[str, Any], told: Callable[[dict[str, Any]], Any]) -> Response:
    page, size, total = query["page"], query["page_size"], rows.count()
    offset = (page - 1) * size
    if FAULT == "pagination":
        offset = max(0, offset - 1)
    shown = rows.values()[offset : offset + size]
    if FAULT == "slow-queries":
        time.sleep(SLOW_ROW_S * len(shown))
    return Response(
        {
            "items": [told(row) for row in shown],
            "total": total,
            "page": page,
            "page_size": size,
            "pages": math.ceil(total / size),
        }
    )


handler404 = not_found
urlpatterns = [
    path("health", Health.as_view()),
    path("api/v1/studies/search", Search.as_view()),
    path("api/v1/studies/filters/options", FilterOptions.as_view()),
    path("api/v1/studies/<str:exam_id>", OneStudy.as_view()),
    path("api/v1/tasks", Tasks.as_view()),
    path("api/v1/auth/login", Login.as_view()),
    path("api/v1/auth/me", Me.as_view()),
]
if FAULT == "missing-endpoint":
    urlpatterns = [route for route in urlpatterns if "options" not in str(route.pattern)]
