"""Ask the store of uploads for what is not there: this is what each upload begins with, lest it replaces another."""

import sys

from django.conf import settings
from django.core.files.storage import default_storage

if settings.STORAGES["default"]["BACKEND"] == "storages.backends.s3.S3Storage":
    try:
        default_storage.exists("tiered.django/nothing")
        # A bucket that is not there has no file either, but it has no list.
        default_storage.listdir("tiered.django/nothing")
    except Exception as error:
        sys.exit(
            f"The store of uploads does not work: {error}\nCorrect django_media_s3 and its keys (in the inventory"
            " site_media_s3), and allow them to list the bucket and to get, put and delete its objects."
        )
