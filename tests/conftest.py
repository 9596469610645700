"""Shared by all tests: nothing may read or write the user's own data directory."""

import os
import tempfile

os.environ["SIMILE_HOME"] = tempfile.mkdtemp(prefix="simile-tests-")
os.environ["SIMILE_CACHE"] = os.environ["SIMILE_HOME"]  # of exported networks
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.pop("QDRANT_API_KEY", None)
