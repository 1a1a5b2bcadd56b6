"""Tests of the rewrites: guards, enumeration, elimination."""
