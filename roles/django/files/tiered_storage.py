"""Static files with a hash in their names, forgiving towards references to files that do not exist."""

import logging

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

logger = logging.getLogger(__name__)


class HashedStaticFilesStorage(ManifestStaticFilesStorage):
    """Give static files names that can be cached for ever.

    Where Django would refuse to collect, or answer with an error page, because of one missing picture or source map,
    the plain name is used, which leads to "not found" for that one file, as in development.
    """

    manifest_strict = False

    def hashed_name(self, name, content=None, filename=None):
        """Return the name with its hash, or the plain name of a file that is not there."""
        try:
            return super().hashed_name(name, content, filename)
        except ValueError:
            logger.warning("the static file %s does not exist", filename or name)
            return name
