"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: source
short_description: Turn the source of a project into a release
version_added: 0.1.0
author: tiered.django contributors
description:
  - Finds out which release a git repository, a directory or an archive is at this moment, and keeps an archive of it on
    the controller, ready to be shipped.
  - Everything happens on the controller, as the user who runs the playbook and with that user's git credentials.
    Nothing is executed on the host.
  - The same content with the same recipe is always the same release, and its archive is the same to the last bit.
  - A git repository is only asked for the wanted ref (C(git ls-remote)). It is fetched when that ref has moved.
  - A directory is taken as it stands, without version control, bytecode, caches, virtual environments, C(node_modules)
    and what O(exclude) names.
  - Links that leave the tree, and archives with such paths, are refused. Git submodules are not supported.
options:
  source:
    description:
      - A git URL, or the path of a directory or of an archive on the controller.
      - A directory together with O(version) is taken as a git repository.
    type: str
    required: true
  version:
    description: Git branch, tag, ref or commit. The default branch when empty.
    type: str
    default: ""
  directory:
    description: Directory of the project inside the source, the one with C(manage.py).
    type: str
    default: ""
  requirements:
    description: Requirements file, relative to O(directory), else to the top of the source.
    type: str
    default: requirements.txt
  packages:
    description: Requirements that are installed beside those of the project.
    type: list
    elements: str
    default: []
  fallbacks:
    description: Requirements that are added where the project does not bring the like.
    type: list
    elements: dict
    default: []
    suboptions:
      package:
        description: The requirement.
        type: str
        required: true
      unless:
        description: Names of packages, one of which is enough.
        type: list
        elements: str
        required: true
  exclude:
    description:
      - What a working directory holds beside the project, as patterns on names.
      - V(/media) means C(media) at the top only.
      - Git repositories and archives are taken whole.
    type: list
    elements: str
    default: []
  revision:
    description: Any text. Another text makes another release of the same source, which is built anew.
    type: str
    default: ""
  release:
    description:
      - Id of a release that is served already. It is taken instead of what the source is now.
      - Fails when its archive is not kept on this controller, and cannot be made again.
    type: str
    default: ""
  cache_directory:
    description: Where archives are kept on the controller. V($XDG_CACHE_HOME/tiered.django) when empty.
    type: path
    default: ""
attributes:
  check_mode:
    description: Can run in check mode and return changed status without changing anything.
    support: full
  diff_mode:
    description: Shows what has changed.
    support: none
notes:
  - Use C(run_once) to have it done once for all hosts of a play.
"""

EXAMPLES = r"""
- name: Find out which release is wanted
  tiered.django.source:
    source: https://git.example.org/newsroom.git
    version: v3.1
    fallbacks:
      - {package: psycopg2-binary, unless: [psycopg, psycopg2, psycopg2-binary]}
  run_once: true
  register: wanted
"""

RETURN = r"""
release:
  description: Id of the release, from the commit or the content and from the recipe.
  type: str
  returned: success
  sample: 8ac2b1f04d6e-5f0c8ba
archive:
  description: Path of the .tar.gz with the files of the release, on the controller.
  type: str
  returned: success
cache:
  description: The directory that was used as O(cache_directory).
  type: str
  returned: success
commit:
  description: The git commit, empty for directories, archives, and a O(release) whose archive is kept.
  type: str
  returned: success
kind:
  description: What the source is.
  type: str
  returned: success
  sample: git
ref:
  description: The full name of the git ref that leads to the commit, empty as RV(commit) is.
  type: str
  returned: success
  sample: refs/tags/v3.1
requirements:
  description: Path of the requirements file in the archive.
  type: str
  returned: success
requirements_hash:
  description: Hash of all that is to be installed.
  type: str
  returned: success
requirements_hashed:
  description: Whether the project's requirements carry hashes.
  type: bool
  returned: success
requirements_names:
  description: Names of the packages that the project requires.
  type: list
  elements: str
  returned: success
requirements_version_control:
  description: Version control systems from which packages are to be fetched.
  type: list
  elements: str
  returned: success
packages:
  description: What is installed beside the project's requirements.
  type: list
  elements: str
  returned: success
"""
