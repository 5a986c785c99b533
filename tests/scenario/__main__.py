"""Runs one scenario module by name: python3 -B -m scenario NAME [unittest options], from the folder tests."""

import sys
import unittest

if __name__ == "__main__":
    module = f"scenario.test_{sys.argv[1]}"
    unittest.main(module=module, argv=[module, *sys.argv[2:]], verbosity=2, failfast=False)
