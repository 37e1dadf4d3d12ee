"""The commands `keys` and `serve`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

from tests.cli.conftest import *  # noqa: F403
