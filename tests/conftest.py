"""What holds for all tests."""

from hypothesis import settings

# A busy machine is slow now and then; how long a test takes is no test.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
