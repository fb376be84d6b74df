"""The document that Django's REST framework gives of an API, by drf-spectacular. Prints it as JSON.

The argument ``broken`` gives that of a migration with mistakes.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.conf import settings

settings.configure(
    ROOT_URLCONF="__main__",
    USE_TZ=True,
    SECRET_KEY="an example",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "drf_spectacular"],
    REST_FRAMEWORK={
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
        "PAGE_SIZE": 20,
    },
    SPECTACULAR_SETTINGS={"TITLE": "Studies", "VERSION": "2", "COMPONENT_SPLIT_REQUEST": True},
)
django.setup()

from django.db import models  # noqa: E402 - after the settings
from django.urls import include, path  # noqa: E402
from drf_spectacular.generators import SchemaGenerator  # noqa: E402
from rest_framework import mixins, routers, serializers, viewsets  # noqa: E402

BROKEN = "broken" in sys.argv


class Study(models.Model):  # type: ignore[misc]  # noqa: DJ008 - nobody shows one
    patient = models.CharField(max_length=100)
    modality = models.CharField(
        max_length=2, choices=[(m, m) for m in (("CT", "MR") if BROKEN else ("CT", "MR", "XR"))]
    )
    taken_at = models.DateTimeField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    note = models.TextField(null=True)  # noqa: DJ001 - as the other backend has it
    urgent = models.BooleanField(default=False)

    class Meta:
        app_label = "studies"


class Series(serializers.Serializer):  # type: ignore[misc]
    uid = serializers.UUIDField()
    images = serializers.IntegerField(min_value=1)


class StudySerializer(serializers.ModelSerializer):  # type: ignore[misc]
    series = Series(many=True)
    urgent = serializers.BooleanField(required=BROKEN)

    class Meta:
        model = Study
        fields = ("id", "patient", "modality", "taken_at", *([] if BROKEN else ["price"]), "note", "urgent", "series")


class KeptStudies(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet):  # type: ignore[misc]
    queryset = Study.objects.all()
    serializer_class = StudySerializer


class Studies(mixins.DestroyModelMixin, KeptStudies):  # type: ignore[misc]
    pass


router = routers.DefaultRouter()
router.register("studies", KeptStudies if BROKEN else Studies)
urlpatterns: list[Any] = [path("api/v1/", include(router.urls))]

if __name__ == "__main__":
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    json.dump(schema, sys.stdout)
