"""Settings of the demo's new backend: no middleware, no sessions, no admin; one SQLite file."""

from __future__ import annotations

import os

from cutover.demo.data import BUSY_TIMEOUT_S, DATABASE_ENV
from cutover.demo.tokens import SECRET_ENV

SECRET_KEY = os.environ[SECRET_ENV]
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "cutover.demo.django_app"
MIDDLEWARE: list[str] = []
INSTALLED_APPS: list[str] = []
APPEND_SLASH = False
USE_TZ = False
TIME_ZONE = "UTC"
USE_I18N = False
LOGGING_CONFIG = None
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ[DATABASE_ENV],
        "CONN_MAX_AGE": None,
        "OPTIONS": {"timeout": BUSY_TIMEOUT_S, "init_command": "PRAGMA synchronous = OFF"},
    }
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
