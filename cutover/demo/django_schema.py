"""What the new backend keeps, and what it accepts. The tables are those of ``cutover.demo.data``."""
# mypy: allow-subclassing-any
# ruff: noqa: DJ001, DJ008
# Django has no types of its own; the API tells null from ""; and no model is ever shown as text.

from __future__ import annotations

from django.db import models
from rest_framework import serializers

from cutover.demo.data import (
    DEFAULT_PAGE_SIZE,
    MAX_NOTE_LENGTH,
    MAX_PAGE_SIZE,
    MODALITIES,
    STATUSES,
    TASK_KINDS,
)


class Study(models.Model):
    exam_id = models.TextField(primary_key=True)
    modality = models.TextField()
    status = models.TextField()
    description = models.TextField()
    body_part = models.TextField(null=True)
    site = models.TextField()
    patient_id = models.TextField()
    birth_year = models.IntegerField(null=True)
    sex = models.TextField(null=True)
    series = models.IntegerField()
    instances = models.IntegerField()
    size_mb = models.FloatField(null=True)
    radiologist = models.TextField(null=True)
    tags = models.TextField()
    scheduled_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "demo"
        db_table = "studies"
        managed = False


class Task(models.Model):
    id = models.AutoField(primary_key=True)
    exam_id = models.TextField()
    kind = models.TextField()
    priority = models.IntegerField()
    note = models.TextField(null=True)
    created_by = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        app_label = "demo"
        db_table = "tasks"
        managed = False


class PageQuery(serializers.Serializer):
    page = serializers.IntegerField(min_value=1, default=1)
    page_size = serializers.IntegerField(min_value=1, max_value=MAX_PAGE_SIZE, default=DEFAULT_PAGE_SIZE)


class SearchQuery(PageQuery):
    modality = serializers.ChoiceField(MODALITIES, default=None)
    status = serializers.ChoiceField(STATUSES, default=None)
    q = serializers.CharField(default=None, allow_blank=True, trim_whitespace=False)
    date_from = serializers.DateField(default=None)
    date_to = serializers.DateField(default=None)
    sort = serializers.ChoiceField(("exam_id", "-exam_id", "scheduled_at", "-scheduled_at"), default="exam_id")


class TaskQuery(PageQuery):
    created_by = serializers.CharField(default=None, allow_blank=True, trim_whitespace=False)


class Credentials(serializers.Serializer):
    username = serializers.CharField(allow_blank=True, trim_whitespace=False)
    password = serializers.CharField(allow_blank=True, trim_whitespace=False)


class NewTask(serializers.Serializer):
    exam_id = serializers.CharField(allow_blank=True, trim_whitespace=False)
    kind = serializers.ChoiceField(TASK_KINDS)
    priority = serializers.IntegerField(min_value=1, max_value=5, default=3)
    note = serializers.CharField(
        max_length=MAX_NOTE_LENGTH, default=None, allow_null=True, allow_blank=True, trim_whitespace=False
    )


# Made once: a new serializer copies its fields, which takes longer than the validation.
SEARCH_QUERY, TASK_QUERY, NEW_TASK, CREDENTIALS = SearchQuery(), TaskQuery(), NewTask(), Credentials()
