"""Load of every kind with reloads and kills, and a balance of it. Used by tests/load/stress and by
tests/failure/test_stress.py."""
